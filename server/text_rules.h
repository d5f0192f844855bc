// What strings of callers may hold.
#ifndef SASQ_SERVER_TEXT_RULES_H_
#define SASQ_SERVER_TEXT_RULES_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sasq {

// Whether `text` is well-formed UTF-8 (RFC 3629) without control characters, so that it can be
// printed on a terminal.
bool IsPlainText(absl::string_view text);

// Whether `text` is 1..128 bytes of [A-Za-z0-9._-] and no `.` or `..`.
bool IsFileName(absl::string_view text);

// Whether `text` is 1..`max_bytes` bytes of [a-z0-9_.-], the first one a letter or digit.
bool IsRowName(absl::string_view text, size_t max_bytes);

}  // namespace sasq

#endif  // SASQ_SERVER_TEXT_RULES_H_
