// A file that grows in pieces until it is whole: it can be gone on with after a break, has one
// writer at a time on a host, and is put in its place complete or not at all.
#ifndef SASQ_COMMON_PART_FILE_H_
#define SASQ_COMMON_PART_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/descriptor.h"
#include "common/sha256.h"

namespace sasq {

// Errors as in common/file.h. Thread-compatible.
class PartFile {
 public:
  // Opens `path`, or makes it, and locks it until this object goes. What is longer than `max_bytes`
  // is thrown away. ABORTED if another writer has it; a symbolic link is refused.
  static absl::StatusOr<std::unique_ptr<PartFile>> Open(const std::string& path, int64_t max_bytes);

  int64_t size_bytes() const { return size_bytes_; }

  absl::Status Append(absl::string_view bytes);
  // Throws away what is there.
  absl::Status Restart();
  // SHA-256 of all bytes, as 64 hexadecimal digits; reads what an earlier writer left. After it,
  // only Restart, MoveTo and Remove.
  absl::StatusOr<std::string> FinishDigest();
  // GitBlobSha1 of all bytes.
  absl::StatusOr<std::string> GitBlobSha1Hex() const;
  // Syncs the file and renames it.
  absl::Status MoveTo(const std::string& target);
  void Remove();

 private:
  PartFile(std::string path, int fd);
  absl::Status ReadFrom(int64_t offset, absl::FunctionRef<void(absl::string_view)> take) const;

  const std::string path_;
  const Descriptor file_;
  int64_t size_bytes_ = 0;
  int64_t digested_bytes_ = 0;  // of the begin of the file
  std::unique_ptr<Sha256> sha_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_PART_FILE_H_
