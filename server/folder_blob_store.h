// Blobs as files of one folder: FOLDER/ab/abcdef..., written to a temporary file, synced and
// renamed, so that a crash leaves a whole blob or none.
#ifndef SASQ_SERVER_FOLDER_BLOB_STORE_H_
#define SASQ_SERVER_FOLDER_BLOB_STORE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/blob_store.h"

namespace sasq {

// One process at a time.
class FolderBlobStore final : public BlobStore {
 public:
  // Makes the folder if it is missing and removes temporary files that a crash left.
  static absl::StatusOr<std::unique_ptr<FolderBlobStore>> Create(const std::string& folder);

  absl::StatusOr<std::string> Put(absl::string_view content) override;
  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256) override;
  absl::Status Delete(absl::string_view sha256) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  int64_t size_bytes() const override { return size_bytes_.load(); }

 private:
  explicit FolderBlobStore(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(absl::string_view sha256) const;

  const std::string folder_;
  std::atomic<int64_t> size_bytes_{0};
};

}  // namespace sasq

#endif  // SASQ_SERVER_FOLDER_BLOB_STORE_H_
