#include "server/folder_blob_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/part_file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/not_found.h"

namespace sasq {
namespace {

constexpr int64_t kCheckedOnceBytes = 64 << 20;

int64_t SizeOrZero(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderBlobStore>> FolderBlobStore::Create(
    const std::string& folder) {
  std::unique_ptr<FolderBlobStore> store(new FolderBlobStore(folder));
  SASQ_ASSIGN_OR_RETURN(
      store->uploads_,
      UploadSpool::Create(
          folder + "/uploads",
          [store = store.get()](const std::string& sha256, const std::string&, PartFile& part) {
            return store->Publish(sha256, part);
          }));
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    const std::string name = entry->path().filename().string();
    if (IsSha256Hex(name)) {
      store->size_bytes_ += static_cast<int64_t>(entry->file_size(error));
    } else if (name.find(".tmp-") != std::string::npos) {
      LogInfo("blob_leftover_removed", {{"path", entry->path().string()}});
      std::filesystem::remove(entry->path(), error);
    }
  }
  if (error) return SystemError(error.value(), "read folder", folder);
  return store;
}

std::string FolderBlobStore::PathOf(absl::string_view sha256) const {
  return absl::StrCat(folder_, "/", sha256.substr(0, 2), "/", sha256);
}

absl::Status FolderBlobStore::Publish(const std::string& sha256, PartFile& part) {
  const std::string path = PathOf(sha256);
  SASQ_RETURN_IF_ERROR(MakeFolders(std::filesystem::path(path).parent_path().string()));
  const int64_t replaced = SizeOrZero(path);
  SASQ_RETURN_IF_ERROR(part.MoveTo(path));
  size_bytes_ += part.size_bytes() - replaced;
  return absl::OkStatus();
}

absl::StatusOr<std::string> FolderBlobStore::Put(absl::string_view content) {
  std::string sha256 = Sha256Hex(content);
  // A damaged copy of the same blob is replaced, so only a sound one saves the work.
  if (Open(sha256).ok()) return sha256;
  const std::string path = PathOf(sha256);
  if (absl::Status status = MakeFolders(std::filesystem::path(path).parent_path().string());
      !status.ok()) {
    return BlobStoreError(std::move(status));
  }
  struct stat before;
  const bool existed = ::stat(path.c_str(), &before) == 0;
  if (absl::Status status = WriteFileDurably(path, content); !status.ok()) {
    return BlobStoreError(std::move(status));
  }
  size_bytes_ += static_cast<int64_t>(content.size()) - (existed ? before.st_size : 0);
  return sha256;
}

absl::StatusOr<std::unique_ptr<const BlobReader>> FolderBlobStore::Open(absl::string_view sha256) {
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<const FileBlobReader> reader,
                        FileBlobReader::Open(PathOf(sha256)));
  if (reader == nullptr) return BlobNotFoundStatus(sha256);
  const bool is_large = reader->size_bytes() >= kCheckedOnceBytes;
  if (is_large) {
    MutexLock lock(&mutex_);
    const auto found = checked_.find(std::string(sha256));
    if (found != checked_.end() && found->second == reader->stamp()) return reader;
  }
  SASQ_ASSIGN_OR_RETURN(const std::string digest, reader->Digest());
  if (digest != sha256) return BlobDamaged(sha256, digest);
  if (is_large) {
    MutexLock lock(&mutex_);
    checked_[std::string(sha256)] = reader->stamp();
  }
  return reader;
}

absl::StatusOr<std::optional<int64_t>> FolderBlobStore::SizeOf(absl::string_view sha256) {
  const std::string path = PathOf(sha256);
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return info.st_size;
  if (errno == ENOENT) return std::nullopt;
  return BlobStoreError(SystemError(errno, "stat", path));
}

absl::Status FolderBlobStore::Delete(absl::string_view sha256) {
  const std::string path = PathOf(sha256);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) return absl::OkStatus();
  if (::unlink(path.c_str()) != 0) return BlobStoreError(SystemError(errno, "delete", path));
  size_bytes_ -= info.st_size;
  MutexLock lock(&mutex_);
  checked_.erase(std::string(sha256));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FolderBlobStore::List() {
  std::vector<std::string> keys;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder_, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (IsSha256Hex(name)) keys.push_back(std::move(name));
  }
  if (error) return BlobStoreError(SystemError(error.value(), "read folder", folder_));
  return keys;
}

}  // namespace sasq
