#include "server/folder_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kDigestPieceBytes = 1 << 20;

// The reason that the contract of BlobStore promises.
absl::Status StoreError(absl::Status status) {
  const bool full = status.code() == absl::StatusCode::kResourceExhausted;
  if (!full) status = absl::UnavailableError(status.message());
  return WithReason(std::move(status), full ? "STORAGE_FULL" : "STORE_UNAVAILABLE");
}

class FileReader final : public BlobReader {
 public:
  FileReader(int fd, int64_t size_bytes, std::string path)
      : fd_(fd), size_bytes_(size_bytes), path_(std::move(path)) {}
  ~FileReader() override { ::close(fd_); }

  int64_t size_bytes() const override { return size_bytes_; }

  absl::StatusOr<std::string> Read(int64_t offset, int64_t max_bytes) const override {
    const int64_t wanted = std::clamp<int64_t>(size_bytes_ - offset, 0, max_bytes);
    std::string data(static_cast<size_t>(wanted), '\0');
    size_t done = 0;
    while (done < data.size()) {
      const ssize_t count = ::pread(fd_, data.data() + done, data.size() - done,
                                    static_cast<off_t>(offset + static_cast<int64_t>(done)));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return StoreError(SystemError(errno, "read", path_));
      if (count == 0) break;  // the file was cut: the digest tells
      done += static_cast<size_t>(count);
    }
    data.resize(done);
    return data;
  }

 private:
  const int fd_;
  const int64_t size_bytes_;
  const std::string path_;
};

absl::StatusOr<std::string> DigestOf(const BlobReader& reader) {
  Sha256 digest;
  for (int64_t offset = 0; offset < reader.size_bytes(); offset += kDigestPieceBytes) {
    SASQ_ASSIGN_OR_RETURN(const std::string piece, reader.Read(offset, kDigestPieceBytes));
    digest.Update(piece);
  }
  return digest.FinishHex();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderBlobStore>> FolderBlobStore::Create(
    const std::string& folder) {
  SASQ_RETURN_IF_ERROR(MakeFolders(folder));
  std::unique_ptr<FolderBlobStore> store(new FolderBlobStore(folder));
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

absl::StatusOr<std::string> FolderBlobStore::Put(absl::string_view content) {
  std::string sha256 = Sha256Hex(content);
  // A damaged copy of the same blob is replaced, so only a sound one saves the work.
  if (Open(sha256).ok()) return sha256;
  const std::string path = PathOf(sha256);
  if (absl::Status status = MakeFolders(std::filesystem::path(path).parent_path().string());
      !status.ok()) {
    return StoreError(std::move(status));
  }
  struct stat before;
  const bool existed = ::stat(path.c_str(), &before) == 0;
  if (absl::Status status = WriteFileDurably(path, content); !status.ok()) {
    return StoreError(std::move(status));
  }
  size_bytes_ += static_cast<int64_t>(content.size()) - (existed ? before.st_size : 0);
  return sha256;
}

absl::StatusOr<std::unique_ptr<const BlobReader>> FolderBlobStore::Open(absl::string_view sha256) {
  const std::string path = PathOf(sha256);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    return WithReason(absl::NotFoundError(absl::StrCat("there is no blob ", sha256)),
                      "BLOB_NOT_FOUND");
  }
  if (fd < 0) return StoreError(SystemError(errno, "open", path));
  struct stat info;
  if (::fstat(fd, &info) != 0) {
    const int error_number = errno;
    ::close(fd);
    return StoreError(SystemError(error_number, "stat", path));
  }
  auto reader = std::make_unique<const FileReader>(fd, info.st_size, path);
  SASQ_ASSIGN_OR_RETURN(const std::string digest, DigestOf(*reader));
  if (digest != sha256) {
    return WithReason(absl::DataLossError(
                          absl::StrCat("blob ", sha256,
                                       " is damaged: its bytes on disk have the "
                                       "digest ",
                                       digest, "; restore it from a backup, or run the job again")),
                      "BLOB_DAMAGED");
  }
  return reader;
}

absl::Status FolderBlobStore::Delete(absl::string_view sha256) {
  const std::string path = PathOf(sha256);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) return absl::OkStatus();
  if (::unlink(path.c_str()) != 0) return StoreError(SystemError(errno, "delete", path));
  size_bytes_ -= info.st_size;
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
  if (error) return StoreError(SystemError(error.value(), "read folder", folder_));
  return keys;
}

}  // namespace sasq
