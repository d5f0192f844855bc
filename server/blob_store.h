// Where the bytes of artifacts and of uploads are kept. A blob's key is the SHA-256 of its bytes,
// so a blob never changes, and equal bytes are kept once.
#ifndef SASQ_SERVER_BLOB_STORE_H_
#define SASQ_SERVER_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sasq {

// Most bytes of an uploaded blob.
inline constexpr int64_t kMaxUploadBytes = int64_t{1} << 36;

// A blob whose digest was checked when it was opened. Thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual int64_t size_bytes() const = 0;
  // At most `max_bytes` from `offset` (0..size_bytes); fewer at the end only.
  virtual absl::StatusOr<std::string> Read(int64_t offset, int64_t max_bytes) const = 0;
};

// A blob that is being uploaded, by one writer at a time. What was appended stays for the next one.
// One thread at a time.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  // Bytes that are there.
  virtual int64_t size_bytes() const = 0;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Checks the digest and makes it a blob, durable when it returns. INVALID_ARGUMENT
  // (DIGEST_MISMATCH): the bytes are dropped.
  virtual absl::Status Finish() = 0;
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

  // Length of a blob, damaged or not; nullopt if there is none.
  virtual absl::StatusOr<std::optional<int64_t>> SizeOf(absl::string_view sha256) = 0;

  // Bytes of a blob that uploads through this process have left so far.
  virtual int64_t UploadedBytes(absl::string_view sha256) = 0;

  // Begins to upload a blob, or goes on with it. UNAVAILABLE (UPLOAD_IN_PROGRESS) if another writer
  // has it.
  virtual absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                                  int64_t size_bytes) = 0;

  // Removes what uploads left and nobody has gone on with since `time`.
  virtual absl::Status RemoveUploads(absl::Time time) = 0;

  // Deletes a blob, or gives up within five minutes (JobStore::kBlobRemovalTimeout is longer); OK
  // if there is none. Those who have it open read on.
  virtual absl::Status Delete(absl::string_view sha256) = 0;

  // Every key.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;

  // Bytes of all blobs, and of what uploads have left.
  virtual int64_t size_bytes() const = 0;
};

}  // namespace sasq

#endif  // SASQ_SERVER_BLOB_STORE_H_
