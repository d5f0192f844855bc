// SHA-1 (FIPS 180-4), by OpenSSL: how git names files. It guards against damage, not against
// forgers.
#ifndef SASQ_COMMON_SHA1_H_
#define SASQ_COMMON_SHA1_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// The name that git gives a file: SHA-1 of `blob SIZE`, NUL and the bytes. Thread-compatible.
class GitBlobSha1 {
 public:
  // `size_bytes`: of all pieces together.
  explicit GitBlobSha1(int64_t size_bytes);
  ~GitBlobSha1();
  GitBlobSha1(const GitBlobSha1&) = delete;
  GitBlobSha1& operator=(const GitBlobSha1&) = delete;

  void Update(absl::string_view bytes);
  // 40 lower-case hexadecimal digits. Call once, last.
  std::string FinishHex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_SHA1_H_
