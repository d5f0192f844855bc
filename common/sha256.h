// SHA-256 (FIPS 180-4), by OpenSSL.
#ifndef SASQ_COMMON_SHA256_H_
#define SASQ_COMMON_SHA256_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// Digest of a sequence of pieces. Thread-compatible.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view bytes);
  // 64 lower-case hexadecimal digits. Call once, last.
  std::string FinishHex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Digest of `bytes`: 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view bytes);

// Whether `text` has the form of a digest.
bool IsSha256Hex(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_COMMON_SHA256_H_
