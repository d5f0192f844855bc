// Blobs as files of one folder: FOLDER/ab/abcdef..., written to a temporary file, synced and
// renamed, so that a crash leaves a whole blob or none. Uploads grow in
// FOLDER/uploads/abcdef....part.
#ifndef SASQ_SERVER_FOLDER_BLOB_STORE_H_
#define SASQ_SERVER_FOLDER_BLOB_STORE_H_

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "server/blob_file.h"
#include "server/blob_store.h"
#include "server/upload_spool.h"

namespace sasq {

// One process at a time.
class FolderBlobStore final : public BlobStore {
 public:
  // Makes the folder if it is missing and removes temporary files that a crash left.
  static absl::StatusOr<std::unique_ptr<FolderBlobStore>> Create(const std::string& folder);

  absl::StatusOr<std::string> Put(absl::string_view content) override;
  // Checks a blob of 64 MiB and more when it is first opened, and again after its file changed:
  // each check of a model's weights reads gigabytes.
  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::optional<int64_t>> SizeOf(absl::string_view sha256) override;
  int64_t UploadedBytes(absl::string_view sha256) override {
    return uploads_->UploadedBytes(sha256);
  }
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                          int64_t size_bytes) override {
    return uploads_->BeginUpload(sha256, size_bytes);
  }
  absl::Status RemoveUploads(absl::Time time) override { return uploads_->RemoveUploads(time); }
  absl::Status Delete(absl::string_view sha256) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  int64_t size_bytes() const override { return size_bytes_.load() + uploads_->size_bytes(); }

 private:
  explicit FolderBlobStore(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(absl::string_view sha256) const;
  absl::Status Publish(const std::string& sha256, PartFile& part);

  const std::string folder_;
  std::unique_ptr<UploadSpool> uploads_;  // set by Create
  std::atomic<int64_t> size_bytes_{0};

  Mutex mutex_;
  // Large blobs, by key.
  std::map<std::string, FileBlobReader::Stamp> checked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_FOLDER_BLOB_STORE_H_
