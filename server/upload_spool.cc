#include "server/upload_spool.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/blob_file.h"

namespace sasq {
namespace {

int64_t SizeOrZero(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

}  // namespace

class UploadSpool::Upload final : public BlobUpload {
 public:
  Upload(UploadSpool& spool, std::string sha256, std::unique_ptr<PartFile> part)
      : spool_(spool), sha256_(std::move(sha256)), part_(std::move(part)) {}

  int64_t size_bytes() const override { return part_->size_bytes(); }

  absl::Status Append(absl::string_view bytes) override {
    const int64_t before = part_->size_bytes();
    absl::Status status = part_->Append(bytes);
    spool_.size_bytes_ += part_->size_bytes() - before;
    return status.ok() ? status : BlobStoreError(std::move(status));
  }

  absl::Status Finish() override {
    absl::StatusOr<std::string> digest = part_->FinishDigest();
    if (!digest.ok()) return BlobStoreError(digest.status());
    if (*digest != sha256_) {
      spool_.size_bytes_ -= part_->size_bytes();
      part_->Remove();
      return FieldViolationsStatus(
          {{"data", absl::StrCat("has the digest ", *digest, ", want ", sha256_,
                                 "; it was dropped. Did the file change?")}},
          "DIGEST_MISMATCH");
    }
    absl::Status status = spool_.publish_(sha256_, spool_.PathOf(sha256_), *part_);
    if (!status.ok()) return BlobStoreError(std::move(status));
    spool_.size_bytes_ -= part_->size_bytes();
    return absl::OkStatus();
  }

 private:
  UploadSpool& spool_;
  const std::string sha256_;
  const std::unique_ptr<PartFile> part_;
};

absl::StatusOr<std::unique_ptr<UploadSpool>> UploadSpool::Create(const std::string& folder,
                                                                 Publish publish) {
  SASQ_RETURN_IF_ERROR(MakeFolders(folder));
  std::unique_ptr<UploadSpool> spool(new UploadSpool(folder, std::move(publish)));
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    spool->size_bytes_ += static_cast<int64_t>(entry->file_size(error));
  }
  if (error) return SystemError(error.value(), "read folder", folder);
  return spool;
}

std::string UploadSpool::PathOf(absl::string_view sha256) const {
  return absl::StrCat(folder_, "/", sha256, ".part");
}

int64_t UploadSpool::UploadedBytes(absl::string_view sha256) const {
  return SizeOrZero(PathOf(sha256));
}

absl::StatusOr<std::unique_ptr<BlobUpload>> UploadSpool::BeginUpload(absl::string_view sha256,
                                                                     int64_t size_bytes) {
  const std::string path = PathOf(sha256);
  const int64_t before = SizeOrZero(path);
  absl::StatusOr<std::unique_ptr<PartFile>> part = PartFile::Open(path, size_bytes);
  if (absl::IsAborted(part.status())) {
    return WithReason(
        absl::UnavailableError(absl::StrCat("another call uploads ", sha256, "; try again")),
        "UPLOAD_IN_PROGRESS");
  }
  if (!part.ok()) return BlobStoreError(part.status());
  size_bytes_ += (*part)->size_bytes() - before;
  return std::make_unique<Upload>(*this, std::string(sha256), *std::move(part));
}

absl::Status UploadSpool::RemoveUploads(absl::Time time) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder_, error);
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
  if (error) return BlobStoreError(SystemError(error.value(), "read folder", folder_));
  return absl::OkStatus();
}

}  // namespace sasq
