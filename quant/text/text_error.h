// Errors about texts, with the reason that travels to the user.
#ifndef SASQ_QUANT_TEXT_TEXT_ERROR_H_
#define SASQ_QUANT_TEXT_TEXT_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sasq {

// INVALID_ARGUMENT, reason INVALID_TEXT.
absl::Status InvalidText(absl::string_view message);

// InvalidText for the byte at `offset`, which is not UTF-8.
absl::Status NotUtf8(absl::string_view what, absl::string_view text, size_t offset);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_TEXT_ERROR_H_
