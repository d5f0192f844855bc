#include "client/text.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sasq {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct CodePoint {
  uint32_t value = 0;
  size_t size_bytes = 0;  // 0: not UTF-8
};

// Length that a UTF-8 lead byte announces, 0 if it is none.
size_t AnnouncedSize(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Decodes the first character by RFC 3629: no overlong forms, surrogates or values above U+10FFFF.
CodePoint DecodeUtf8(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t size = AnnouncedSize(lead);
  if (size == 1) return {lead, 1};
  if (size == 0 || text.size() < size) return {};
  uint32_t value = lead & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return {};
    value = (value << 6) | (next & 0x3F);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size};
}

bool IsUnsafe(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200E || c == 0x200F || c == 0x061C ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

std::string Clean(absl::string_view text, bool keep_lines) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = DecodeUtf8(text);
    if (c.size_bytes > 0 && (c.value == '\n' || c.value == '\t')) {
      clean += keep_lines ? static_cast<char>(c.value) : ' ';
    } else if (c.size_bytes == 0 || IsUnsafe(c.value)) {
      absl::StrAppend(&clean, kReplacement);
    } else {
      absl::StrAppend(&clean, text.substr(0, c.size_bytes));
    }
    text.remove_prefix(std::max<size_t>(c.size_bytes, 1));
  }
  return clean;
}

struct Range {
  uint32_t first, last;
};

template <size_t kCount>
bool In(const Range (&ranges)[kCount], uint32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](Range range) { return c >= range.first && c <= range.last; });
}

// The ranges that matter of Unicode's EastAsianWidth.txt and of the general category Mn.
int CodePointWidth(uint32_t c) {
  constexpr Range kZero[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},   {0x610, 0x61A},
                             {0x64B, 0x65F},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
                             {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
  constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                             {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                             {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                             {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};
  if (In(kZero, c)) return 0;
  return In(kWide, c) ? 2 : 1;
}

// Bytes of the escape sequence (ESC [ ... letter) that `text` begins with, or 0.
size_t EscapeSize(absl::string_view text) {
  if (text.size() < 2 || text[0] != '\x1b' || text[1] != '[') return 0;
  for (size_t i = 2; i < text.size(); ++i) {
    if (text[i] >= 0x40 && text[i] <= 0x7E) return i + 1;
  }
  return 0;
}

}  // namespace

std::string CleanLine(absl::string_view text) { return Clean(text, /*keep_lines=*/false); }

std::string CleanLines(absl::string_view text) { return Clean(text, /*keep_lines=*/true); }

size_t IncompleteUtf8Suffix(absl::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return AnnouncedSize(byte) > back ? back : 0;
  }
  return 0;
}

int DisplayWidth(absl::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    if (const size_t escape = EscapeSize(text); escape > 0) {
      text.remove_prefix(escape);
      continue;
    }
    const CodePoint c = DecodeUtf8(text);
    columns += c.size_bytes == 0 ? 1 : CodePointWidth(c.value);
    text.remove_prefix(std::max<size_t>(c.size_bytes, 1));
  }
  return columns;
}

std::string TruncateToWidth(absl::string_view text, int columns) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  if (columns <= 0) return "";
  std::string cut;
  int used = 0;
  while (!text.empty()) {
    const CodePoint c = DecodeUtf8(text);
    const size_t size = std::max<size_t>(c.size_bytes, 1);
    used += c.size_bytes == 0 ? 1 : CodePointWidth(c.value);
    if (used > columns - 1) break;
    absl::StrAppend(&cut, text.substr(0, size));
    text.remove_prefix(size);
  }
  return cut + "~";
}

std::string PadRight(absl::string_view text, int columns) {
  return absl::StrCat(text, std::string(std::max(0, columns - DisplayWidth(text)), ' '));
}

std::string PadLeft(absl::string_view text, int columns) {
  return absl::StrCat(std::string(std::max(0, columns - DisplayWidth(text)), ' '), text);
}

std::string DurationText(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "forever";
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(duration));
  if (seconds < 9.95) return absl::StrFormat("%.1fs", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return absl::StrFormat("%ds", whole);
  if (whole < 3600) return absl::StrFormat("%dm%02ds", whole / 60, whole % 60);
  if (whole < 86400) return absl::StrFormat("%dh%02dm", whole / 3600, whole % 3600 / 60);
  return absl::StrFormat("%dd%02dh", whole / 86400, whole % 86400 / 3600);
}

std::string BytesText(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1024; value >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string CountText(double count) {
  constexpr const char* kUnits[] = {"k", "M", "G", "T", "P", "E", "Z"};
  if (!(std::abs(count) >= 1000)) return absl::StrFormat("%.0f", count);
  size_t unit = 0;
  for (count /= 1000; std::abs(count) >= 999.5 && unit + 1 < std::size(kUnits); ++unit) {
    count /= 1000;
  }
  const int decimals = std::abs(count) < 9.995 ? 2 : std::abs(count) < 99.95 ? 1 : 0;
  return absl::StrFormat("%.*f %s", decimals, count, kUnits[unit]);
}

std::string PerplexityText(double perplexity) {
  if (std::isinf(perplexity)) return "inf";
  return perplexity < 99999.5 ? absl::StrFormat("%.3f", perplexity)
                              : absl::StrFormat("%.2e", perplexity);
}

bool ReadDuration(absl::string_view text, absl::Duration* duration) {
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds) && std::isfinite(seconds)) {
    *duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, duration)) {
    return false;
  }
  return *duration >= absl::ZeroDuration() && *duration < absl::InfiniteDuration();
}

}  // namespace sasq
