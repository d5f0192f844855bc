// Identifiers and fencing tokens.
#ifndef SASQ_COMMON_UID_H_
#define SASQ_COMMON_UID_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// 128 random bits from the kernel as 32 lower-case hexadecimal digits. Thread-safe.
std::string NewUid();

// Whether `text` has the form of NewUid's results.
bool IsUid(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_COMMON_UID_H_
