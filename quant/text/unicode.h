// UTF-8, and the character properties that tokenizers split by (Unicode 15.0, by utf8proc).
#ifndef SASQ_QUANT_TEXT_UNICODE_H_
#define SASQ_QUANT_TEXT_UNICODE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// Offset of the first byte that does not belong to a well-formed UTF-8 sequence (RFC 3629: shortest
// form, no surrogates, at most U+10FFFF). Nothing if `text` is valid.
std::optional<size_t> FindInvalidUtf8(absl::string_view text);

// Decodes the character at `*offset`, which is less than text.size(), and moves `*offset` behind
// it. `text` is valid UTF-8.
char32_t DecodeUtf8(absl::string_view text, size_t* offset);

// Appends `character`, a Unicode scalar value.
void AppendUtf8(char32_t character, std::string* text);

// Length of the whitespace at the start and at the end of `text`, in bytes. `text` is valid UTF-8.
size_t LeadingWhitespaceBytes(absl::string_view text);
size_t TrailingWhitespaceBytes(absl::string_view text);

// Whether the valid UTF-8 `text` starts or ends with a character that belongs to words (the \w of
// UTS #18: alphabetic, marks, decimal digits, connectors, joiners).
bool StartsWithWordCharacter(absl::string_view text);
bool EndsWithWordCharacter(absl::string_view text);

// General categories Nd, Nl and No.
bool IsNumeric(char32_t character);

// Normalization Form C (UAX #15) of valid UTF-8. Takes O(n log n) whatever the text.
std::string NormalizeNfc(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_UNICODE_H_
