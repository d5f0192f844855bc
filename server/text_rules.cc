#include "server/text_rules.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"

namespace sasq {
namespace {

constexpr size_t kMaxFileNameBytes = 128;

// Reads one code point off the front. False: not UTF-8.
bool ConsumeCodePoint(absl::string_view& text, uint32_t& code) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : 4;
  if (length == 4 && lead >> 3 != 30) return false;
  if (text.size() < length) return false;
  code = length == 1 ? lead : lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return false;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLowest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  text.remove_prefix(length);
  return true;
}

}  // namespace

bool IsPlainText(absl::string_view text) {
  while (!text.empty()) {
    uint32_t code = 0;
    if (!ConsumeCodePoint(text, code)) return false;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  return true;
}

bool IsFileName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxFileNameBytes && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

bool IsRowName(absl::string_view text, size_t max_bytes) {
  if (text.empty() || text.size() > max_bytes) return false;
  const auto is_word = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  for (const char c : text) {
    if (!is_word(c) && c != '_' && c != '-' && c != '.') return false;
  }
  return is_word(text[0]);
}

}  // namespace sasq
