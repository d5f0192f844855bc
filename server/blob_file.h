// Blobs in local files: reading them, and the errors of stores that keep them.
#ifndef SASQ_SERVER_BLOB_FILE_H_
#define SASQ_SERVER_BLOB_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/descriptor.h"
#include "server/blob_store.h"

namespace sasq {

// `status` as the contract of BlobStore promises it, with its reason: RESOURCE_EXHAUSTED
// (STORAGE_FULL) stays, anything else is UNAVAILABLE (STORE_UNAVAILABLE).
absl::Status BlobStoreError(absl::Status status);

// DATA_LOSS (BLOB_DAMAGED) of bytes that have the digest `found`.
absl::Status BlobDamaged(absl::string_view sha256, absl::string_view found);

// An open file. It reads on when the file was deleted.
class FileBlobReader final : public BlobReader {
 public:
  // What tells that a file is the one that was seen before.
  struct Stamp {
    int64_t modified_nanos = 0;
    uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };

  // Null if there is no such file.
  static absl::StatusOr<std::unique_ptr<const FileBlobReader>> Open(const std::string& path);

  int64_t size_bytes() const override { return size_bytes_; }
  absl::StatusOr<std::string> Read(int64_t offset, int64_t max_bytes) const override;

  // SHA-256 of all bytes, as 64 hexadecimal digits.
  absl::StatusOr<std::string> Digest() const;
  Stamp stamp() const { return stamp_; }

 private:
  FileBlobReader(int fd, std::string path) : file_(fd), path_(std::move(path)) {}

  const Descriptor file_;
  const std::string path_;
  int64_t size_bytes_ = 0;
  Stamp stamp_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_BLOB_FILE_H_
