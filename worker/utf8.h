// Text that may go into a proto string, whatever bytes it was made of.
#ifndef SASQ_WORKER_UTF8_H_
#define SASQ_WORKER_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// `text` with a question mark for every byte that is not part of a UTF-8 sequence, cut before the
// first character that ends beyond `max_bytes`.
std::string ToUtf8(absl::string_view text, size_t max_bytes);

}  // namespace sasq

#endif  // SASQ_WORKER_UTF8_H_
