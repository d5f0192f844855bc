// Uploads that grow in files of a folder, FOLDER/abcdef....part, until they are whole, and can be
// gone on with after a break.
#ifndef SASQ_SERVER_UPLOAD_SPOOL_H_
#define SASQ_SERVER_UPLOAD_SPOOL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/part_file.h"
#include "server/blob_store.h"

namespace sasq {

// Thread-safe. Errors as of BlobStore. One process at a time.
class UploadSpool {
 public:
  // Makes a blob of a whole upload whose digest is right: moves the part away, or copies `path` and
  // removes it. What is left after an error can be finished again.
  using Publish =
      std::function<absl::Status(const std::string& sha256, const std::string& path, PartFile&)>;

  // Makes the folder if it is missing.
  static absl::StatusOr<std::unique_ptr<UploadSpool>> Create(const std::string& folder,
                                                             Publish publish);

  // As of BlobStore.
  int64_t UploadedBytes(absl::string_view sha256) const;
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                          int64_t size_bytes);
  absl::Status RemoveUploads(absl::Time time);

  // Of all that is here.
  int64_t size_bytes() const { return size_bytes_.load(); }

 private:
  class Upload;

  UploadSpool(std::string folder, Publish publish)
      : folder_(std::move(folder)), publish_(std::move(publish)) {}
  std::string PathOf(absl::string_view sha256) const;

  const std::string folder_;
  const Publish publish_;
  std::atomic<int64_t> size_bytes_{0};
};

}  // namespace sasq

#endif  // SASQ_SERVER_UPLOAD_SPOOL_H_
