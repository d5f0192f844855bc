#include "common/uid.h"

#include <sys/random.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "common/status_macros.h"

namespace sasq {

std::string NewUid() {
  std::string bytes(16, '\0');
  // getrandom delivers up to 256 bytes whole, once the kernel's pool is ready.
  SASQ_CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return absl::BytesToHexString(bytes);
}

bool IsUid(absl::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace sasq
