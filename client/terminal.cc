#include "client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

absl::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The character set of the locale, by the order of precedence of POSIX.
bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = absl::AsciiStrToLower(Environment(name));
    if (!value.empty())
      return absl::StrContains(value, "utf-8") || absl::StrContains(value, "utf8");
  }
  return false;
}

const char* EscapeOf(TextColor color) {
  switch (color) {
    case TextColor::kPlain:
      return "";
    case TextColor::kBold:
      return "\x1b[1m";
    case TextColor::kDim:
      return "\x1b[2m";
    case TextColor::kRed:
      return "\x1b[31m";
    case TextColor::kGreen:
      return "\x1b[32m";
    case TextColor::kYellow:
      return "\x1b[33m";
    case TextColor::kCyan:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

std::string TextStyle::Paint(TextColor color_of_text, absl::string_view text) const {
  if (!color || color_of_text == TextColor::kPlain || text.empty()) return std::string(text);
  return absl::StrCat(EscapeOf(color_of_text), text, "\x1b[0m");
}

OutputStream::OutputStream(int fd, ColorMode color_mode) : fd_(fd) {
  is_terminal_ = ::isatty(fd) == 1;
  const absl::string_view kind = Environment("TERM");
  is_live_ = is_terminal_ && !kind.empty() && kind != "dumb";
  style_.utf8 = is_terminal_ && LocaleIsUtf8();
  style_.color = color_mode == ColorMode::kAlways ||
                 (color_mode == ColorMode::kAuto && is_live_ && Environment("NO_COLOR").empty());
}

int OutputStream::Width() const {
  winsize size{};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<int>(size.ws_col, 20);
}

int OutputStream::Height() const {
  winsize size{};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
  return std::max<int>(size.ws_row, 5);
}

bool OutputStream::Write(absl::string_view text) {
  while (error_number_ == 0 && !text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      error_number_ = errno;
    } else {
      text.remove_prefix(static_cast<size_t>(written));
    }
  }
  return error_number_ == 0;
}

bool OutputStream::WriteLine(absl::string_view text) { return Write(absl::StrCat(text, "\n")); }

}  // namespace sasq
