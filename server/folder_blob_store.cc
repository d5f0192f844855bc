#include "server/folder_blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/part_file.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/not_found.h"

namespace sasq {
namespace {

constexpr int64_t kDigestPieceBytes = 1 << 20;
constexpr int64_t kCheckedOnceBytes = 64 << 20;
constexpr absl::string_view kUploadSuffix = ".part";

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

int64_t SizeOrZero(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

}  // namespace

class FolderBlobStore::Upload final : public BlobUpload {
 public:
  Upload(FolderBlobStore& store, std::string sha256, std::unique_ptr<PartFile> part)
      : store_(store), sha256_(std::move(sha256)), part_(std::move(part)) {}

  int64_t size_bytes() const override { return part_->size_bytes(); }

  absl::Status Append(absl::string_view bytes) override {
    const int64_t before = part_->size_bytes();
    absl::Status status = part_->Append(bytes);
    store_.size_bytes_ += part_->size_bytes() - before;
    return status.ok() ? status : StoreError(std::move(status));
  }

  absl::Status Finish() override {
    absl::StatusOr<std::string> digest = part_->FinishDigest();
    if (!digest.ok()) return StoreError(digest.status());
    if (*digest != sha256_) {
      store_.size_bytes_ -= part_->size_bytes();
      part_->Remove();
      return FieldViolationsStatus(
          {{"data", absl::StrCat("has the digest ", *digest, ", want ", sha256_,
                                 "; it was dropped. Did the file change?")}},
          "DIGEST_MISMATCH");
    }
    const std::string path = store_.PathOf(sha256_);
    absl::Status status = MakeFolders(std::filesystem::path(path).parent_path().string());
    const int64_t replaced = SizeOrZero(path);
    if (status.ok()) status = part_->MoveTo(path);
    if (!status.ok()) return StoreError(std::move(status));
    store_.size_bytes_ -= replaced;
    return absl::OkStatus();
  }

 private:
  FolderBlobStore& store_;
  const std::string sha256_;
  const std::unique_ptr<PartFile> part_;
};

absl::StatusOr<std::unique_ptr<FolderBlobStore>> FolderBlobStore::Create(
    const std::string& folder) {
  SASQ_RETURN_IF_ERROR(MakeFolders(folder + "/uploads"));
  std::unique_ptr<FolderBlobStore> store(new FolderBlobStore(folder));
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    const std::string name = entry->path().filename().string();
    if (IsSha256Hex(name) || absl::EndsWith(name, kUploadSuffix)) {
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

std::string FolderBlobStore::UploadPathOf(absl::string_view sha256) const {
  return absl::StrCat(folder_, "/uploads/", sha256, kUploadSuffix);
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
  if (fd < 0 && errno == ENOENT) return BlobNotFoundStatus(sha256);
  if (fd < 0) return StoreError(SystemError(errno, "open", path));
  struct stat info;
  if (::fstat(fd, &info) != 0) {
    const int error_number = errno;
    ::close(fd);
    return StoreError(SystemError(error_number, "stat", path));
  }
  auto reader = std::make_unique<const FileReader>(fd, info.st_size, path);
  const FileStamp stamp = {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino};
  if (info.st_size >= kCheckedOnceBytes) {
    MutexLock lock(&mutex_);
    const auto found = checked_.find(std::string(sha256));
    if (found != checked_.end() && found->second == stamp) return reader;
  }
  SASQ_ASSIGN_OR_RETURN(const std::string digest, DigestOf(*reader));
  if (digest != sha256) {
    return WithReason(absl::DataLossError(
                          absl::StrCat("blob ", sha256,
                                       " is damaged: its bytes on disk have the "
                                       "digest ",
                                       digest, "; restore it from a backup, or run the job again")),
                      "BLOB_DAMAGED");
  }
  if (info.st_size >= kCheckedOnceBytes) {
    MutexLock lock(&mutex_);
    checked_[std::string(sha256)] = stamp;
  }
  return reader;
}

std::optional<int64_t> FolderBlobStore::SizeOf(absl::string_view sha256) {
  struct stat info;
  if (::stat(PathOf(sha256).c_str(), &info) != 0) return std::nullopt;
  return info.st_size;
}

int64_t FolderBlobStore::UploadedBytes(absl::string_view sha256) {
  return SizeOrZero(UploadPathOf(sha256));
}

absl::StatusOr<std::unique_ptr<BlobUpload>> FolderBlobStore::BeginUpload(absl::string_view sha256,
                                                                         int64_t size_bytes) {
  const std::string path = UploadPathOf(sha256);
  const int64_t before = SizeOrZero(path);
  absl::StatusOr<std::unique_ptr<PartFile>> part = PartFile::Open(path, size_bytes);
  if (absl::IsAborted(part.status())) {
    return WithReason(
        absl::UnavailableError(absl::StrCat("another call uploads ", sha256, "; try again")),
        "UPLOAD_IN_PROGRESS");
  }
  if (!part.ok()) return StoreError(part.status());
  size_bytes_ += (*part)->size_bytes() - before;
  return std::make_unique<Upload>(*this, std::string(sha256), *std::move(part));
}

absl::Status FolderBlobStore::RemoveUploads(absl::Time time) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder_ + "/uploads", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string();
    struct stat info;
    if (::stat(path.c_str(), &info) != 0 || absl::TimeFromTimespec(info.st_mtim) >= time) continue;
    // Nobody else writes it while it is open here.
    const absl::StatusOr<std::unique_ptr<PartFile>> part = PartFile::Open(path, info.st_size);
    if (!part.ok()) continue;
    size_bytes_ -= (*part)->size_bytes();
    (*part)->Remove();
    LogInfo("upload_expired", {{"path", path}});
  }
  if (error) return StoreError(SystemError(error.value(), "read folder", folder_));
  return absl::OkStatus();
}

absl::Status FolderBlobStore::Delete(absl::string_view sha256) {
  const std::string path = PathOf(sha256);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) return absl::OkStatus();
  if (::unlink(path.c_str()) != 0) return StoreError(SystemError(errno, "delete", path));
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
  if (error) return StoreError(SystemError(error.value(), "read folder", folder_));
  return keys;
}

}  // namespace sasq
