// Where output goes: standard output for results, standard error for progress and errors; and what
// each of the two can show.
#ifndef SASQ_CLIENT_TERMINAL_H_
#define SASQ_CLIENT_TERMINAL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

enum class ColorMode { kAuto, kAlways, kNever };

enum class TextColor { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan };

// What a stream can show.
struct TextStyle {
  bool utf8 = false;   // box-drawing and block characters
  bool color = false;  // ANSI escapes

  // `text` in a color, or as it is where there are none.
  std::string Paint(TextColor color_of_text, absl::string_view text) const;
};

// One of the two output streams. Thread-compatible.
class OutputStream {
 public:
  // `fd`: 1 or 2. Reads the environment (LANG and its kin, NO_COLOR, TERM) once.
  OutputStream(int fd, ColorMode color_mode);

  const TextStyle& style() const { return style_; }
  bool is_terminal() const { return is_terminal_; }
  // A terminal that understands cursor movements.
  bool is_live() const { return is_live_; }
  // Columns now: 80 where unknown, at least 20.
  int Width() const;
  // Lines now: 24 where unknown, at least 5.
  int Height() const;
  // Writes all of `text`. False once the reader has gone (a closed pipe) or the disk is full; what
  // follows is then dropped.
  bool Write(absl::string_view text);
  bool WriteLine(absl::string_view text);
  // The error of the first write that failed (errno), 0 if there was none.
  int error_number() const { return error_number_; }

 private:
  const int fd_;
  bool is_terminal_ = false;
  bool is_live_ = false;
  TextStyle style_;
  int error_number_ = 0;
};

// The two streams of the program and whether notes are wanted.
struct Console {
  OutputStream out;
  OutputStream err;
  bool quiet = false;

  // A line on standard error unless quiet.
  void Note(absl::string_view line) {
    if (!quiet) err.WriteLine(line);
  }
};

}  // namespace sasq

#endif  // SASQ_CLIENT_TERMINAL_H_
