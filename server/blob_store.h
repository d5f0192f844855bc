// Where the bytes of artifacts are kept. A blob's key is the SHA-256 of its bytes, so a blob never
// changes, and equal bytes are kept once.
#ifndef SASQ_SERVER_BLOB_STORE_H_
#define SASQ_SERVER_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// A blob whose digest was checked when it was opened. Thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual int64_t size_bytes() const = 0;
  // At most `max_bytes` from `offset` (0..size_bytes); fewer at the end only.
  virtual absl::StatusOr<std::string> Read(int64_t offset, int64_t max_bytes) const = 0;
};

// Thread-safe. Keys are lower-case hexadecimal digits as IsSha256Hex wants them. Errors of every
// verb, with their reason: UNAVAILABLE (STORE_UNAVAILABLE), RESOURCE_EXHAUSTED (STORAGE_FULL).
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // Keeps `content` and returns its key. Durable when it returns.
  virtual absl::StatusOr<std::string> Put(absl::string_view content) = 0;

  // NOT_FOUND (BLOB_NOT_FOUND); DATA_LOSS (BLOB_DAMAGED) if the bytes do not match the key.
  virtual absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256) = 0;

  // Deletes a blob; OK if there is none. Those who have it open read on.
  virtual absl::Status Delete(absl::string_view sha256) = 0;

  // Every key.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;

  // Bytes of all blobs.
  virtual int64_t size_bytes() const = 0;
};

}  // namespace sasq

#endif  // SASQ_SERVER_BLOB_STORE_H_
