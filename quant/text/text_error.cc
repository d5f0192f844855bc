#include "quant/text/text_error.h"

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"

namespace sasq {

absl::Status InvalidText(absl::string_view message) {
  return WithReason(absl::InvalidArgumentError(message), "INVALID_TEXT");
}

absl::Status NotUtf8(absl::string_view what, absl::string_view text, size_t offset) {
  return InvalidText(
      absl::StrCat(what, " is not UTF-8: byte ", offset, " (0x",
                   absl::Hex(static_cast<unsigned char>(text[offset]), absl::kZeroPad2),
                   ") does not belong to a well-formed sequence; convert the file to UTF-8"));
}

}  // namespace sasq
