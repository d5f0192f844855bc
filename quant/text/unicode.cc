#include "quant/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/status_macros.h"

namespace sasq {
namespace {

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

// Bytes of the well-formed sequence at the start of `text`, 0 if there is none. Unicode 15.0,
// table 3-7.
size_t SequenceBytes(absl::string_view text) {
  const auto byte_at = [&text](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned first = byte_at(0);
  if (first < 0x80) return 1;
  size_t length = 0;
  unsigned second_low = 0x80;
  unsigned second_high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) second_low = 0xa0;   // shorter forms exist
    if (first == 0xed) second_high = 0x9f;  // surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) second_low = 0x90;   // shorter forms exist
    if (first == 0xf4) second_high = 0x8f;  // beyond U+10FFFF
  } else {
    return 0;
  }
  if (text.size() < length || byte_at(1) < second_low || byte_at(1) > second_high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  return length;
}

char32_t LastCharacter(absl::string_view text) {
  size_t offset = text.size() - 1;
  while (IsContinuation(text[offset])) --offset;
  return DecodeUtf8(text, &offset);
}

utf8proc_category_t Category(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

// The property White_Space.
bool IsWhitespace(char32_t character) {
  if (character < 0x80) return character == ' ' || (character >= '\t' && character <= '\r');
  if (character == 0x85) return true;
  switch (Category(character)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return false;
  }
}

bool IsWordCharacter(char32_t character) {
  switch (Category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      // Alphabetic symbols (circled and squared letters), and the two joiners.
      return (character >= 0x24b6 && character <= 0x24e9) ||
             (character >= 0x1f130 && character <= 0x1f149) ||
             (character >= 0x1f150 && character <= 0x1f169) ||
             (character >= 0x1f170 && character <= 0x1f189) || character == 0x200c ||
             character == 0x200d;
  }
}

int CombiningClass(utf8proc_int32_t character) {
  return utf8proc_get_property(character)->combining_class;
}

// Canonical decomposition with marks in canonical order. The sort is our own, because utf8proc's
// takes quadratic time for a long run of marks.
std::vector<utf8proc_int32_t> Decompose(absl::string_view text) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  std::vector<utf8proc_int32_t> decomposed;
  decomposed.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const auto character = static_cast<utf8proc_int32_t>(DecodeUtf8(text, &offset));
    // The longest canonical decomposition has four characters.
    std::array<utf8proc_int32_t, 16> parts;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(character, parts.data(), parts.size(), kOptions, nullptr);
    SASQ_CHECK(count >= 0 && static_cast<size_t>(count) <= parts.size());
    decomposed.insert(decomposed.end(), parts.begin(), parts.begin() + count);
  }
  const auto is_mark = [](utf8proc_int32_t c) { return CombiningClass(c) != 0; };
  for (auto run = decomposed.begin(); run != decomposed.end();) {
    run = std::find_if(run, decomposed.end(), is_mark);
    const auto run_end = std::find_if_not(run, decomposed.end(), is_mark);
    std::stable_sort(run, run_end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return CombiningClass(a) < CombiningClass(b);
    });
    run = run_end;
  }
  return decomposed;
}

}  // namespace

std::optional<size_t> FindInvalidUtf8(absl::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const size_t length = SequenceBytes(text.substr(offset));
    if (length == 0) return offset;
    offset += length;
  }
  return std::nullopt;
}

char32_t DecodeUtf8(absl::string_view text, size_t* offset) {
  const auto byte = [&] { return static_cast<unsigned char>(text[(*offset)++]); };
  const char32_t first = byte();
  if (first < 0x80) return first;
  const int rest = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  char32_t character = first & (0x3fu >> rest);
  for (int i = 0; i < rest; ++i) character = character << 6 | (byte() & 0x3fu);
  return character;
}

void AppendUtf8(char32_t character, std::string* text) {
  std::array<utf8proc_uint8_t, 4> bytes;
  const utf8proc_ssize_t count =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes.data());
  text->append(bytes.begin(), bytes.begin() + count);
}

size_t LeadingWhitespaceBytes(absl::string_view text) {
  size_t length = 0;
  for (size_t offset = 0; offset < text.size() && IsWhitespace(DecodeUtf8(text, &offset));) {
    length = offset;
  }
  return length;
}

size_t TrailingWhitespaceBytes(absl::string_view text) {
  absl::string_view rest = text;
  while (!rest.empty() && IsWhitespace(LastCharacter(rest))) {
    while (IsContinuation(rest.back())) rest.remove_suffix(1);
    rest.remove_suffix(1);
  }
  return text.size() - rest.size();
}

bool StartsWithWordCharacter(absl::string_view text) {
  size_t offset = 0;
  return !text.empty() && IsWordCharacter(DecodeUtf8(text, &offset));
}

bool EndsWithWordCharacter(absl::string_view text) {
  return !text.empty() && IsWordCharacter(LastCharacter(text));
}

bool IsNumeric(char32_t character) {
  if (character < 0x80) return character >= '0' && character <= '9';
  switch (Category(character)) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::string NormalizeNfc(absl::string_view text) {
  if (IsAscii(text)) return std::string(text);
  std::vector<utf8proc_int32_t> characters = Decompose(text);
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(
      characters.data(), static_cast<utf8proc_ssize_t>(characters.size()), kOptions);
  SASQ_CHECK(count >= 0);
  std::string normalized;
  normalized.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    AppendUtf8(static_cast<char32_t>(characters[static_cast<size_t>(i)]), &normalized);
  }
  return normalized;
}

}  // namespace sasq
