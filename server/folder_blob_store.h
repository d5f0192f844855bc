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
#include "server/blob_store.h"

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
  std::optional<int64_t> SizeOf(absl::string_view sha256) override;
  int64_t UploadedBytes(absl::string_view sha256) override;
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                          int64_t size_bytes) override;
  absl::Status RemoveUploads(absl::Time time) override;
  absl::Status Delete(absl::string_view sha256) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  int64_t size_bytes() const override { return size_bytes_.load(); }

 private:
  class Upload;
  // What tells that a file is the one that was checked.
  struct FileStamp {
    int64_t modified_nanos = 0;
    uint64_t inode = 0;
    bool operator==(const FileStamp&) const = default;
  };

  explicit FolderBlobStore(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(absl::string_view sha256) const;
  std::string UploadPathOf(absl::string_view sha256) const;

  const std::string folder_;
  std::atomic<int64_t> size_bytes_{0};

  Mutex mutex_;
  std::map<std::string, FileStamp> checked_ ABSL_GUARDED_BY(mutex_);  // large blobs, by key
};

}  // namespace sasq

#endif  // SASQ_SERVER_FOLDER_BLOB_STORE_H_
