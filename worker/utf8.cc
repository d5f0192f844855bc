#include "worker/utf8.h"

#include <cstdint>

namespace sasq {
namespace {

// Bytes of the well-formed sequence (RFC 3629) that `text` begins with; 0 if there is none.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Shortest forms only, no surrogates, nothing beyond U+10FFFF.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

}  // namespace

std::string ToUtf8(absl::string_view text, size_t max_bytes) {
  std::string result;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const size_t consumed = length == 0 ? 1 : length;
    if (result.size() + consumed > max_bytes) break;
    if (length == 0) {
      result += '?';
    } else {
      result.append(text.data(), length);
    }
    text.remove_prefix(consumed);
  }
  return result;
}

}  // namespace sasq
