#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "quant/format/model_error.h"
#include "quant/text/regex.h"

namespace sasq {
namespace {

// The property White_Space, to stand inside a class. PCRE2's own \s takes U+180E as well.
constexpr char kWhitespace[] = R"(\t-\r\x{20}\x{85}\p{Z})";

// Reads a pattern from left to right and writes its translation.
class Translator {
 public:
  explicit Translator(absl::string_view pattern) : pattern_(pattern), rest_(pattern) {}

  absl::StatusOr<std::string> Run() {
    while (status_.ok() && !rest_.empty()) {
      if (absl::ConsumePrefix(&rest_, "\\")) {
        Escape();
      } else if (in_class_) {
        ClassCharacter();
      } else {
        Character();
      }
    }
    if (!status_.ok()) return status_;
    return output_;
  }

 private:
  void Refuse(absl::string_view construct) {
    if (status_.ok()) {
      status_ = UnsupportedModel(absl::StrCat("the pattern ", pattern_, " uses ", construct,
                                              ", which this version does not know"));
    }
  }

  // Copies `count` characters as they are.
  void Copy(size_t count) {
    absl::StrAppend(&output_, rest_.substr(0, count));
    rest_.remove_prefix(count);
  }

  // What follows a backslash.
  void Escape() {
    const char letter = rest_.empty() ? '\0' : rest_[0];
    if (letter == 's' && in_class_) {
      absl::StrAppend(&output_, kWhitespace);
      rest_.remove_prefix(1);
    } else if ((letter == 's' || letter == 'S') && !in_class_) {
      absl::StrAppend(&output_, letter == 's' ? "[" : "[^", kWhitespace, "]");
      rest_.remove_prefix(1);
    } else if (letter == 'd' || letter == 'D') {
      absl::StrAppend(&output_, letter == 'd' ? "\\p{Nd}" : "\\P{Nd}");
      rest_.remove_prefix(1);
    } else if (letter == 'p' || letter == 'P') {
      Category();
    } else if (letter == 'n' || letter == 'r' || letter == 't' || absl::ascii_ispunct(letter)) {
      absl::StrAppend(&output_, "\\");
      Copy(1);
    } else {
      Refuse(absl::StrCat("\\", rest_.substr(0, 1)));
    }
  }

  // p{L} or P{Lu}: general categories, of one or two letters.
  void Category() {
    const size_t close = rest_.find('}');
    const bool is_category = (close == 3 || close == 4) && rest_[1] == '{' &&
                             absl::ascii_isupper(rest_[2]) &&
                             (close == 3 || absl::ascii_islower(rest_[3]));
    if (!is_category) return Refuse(absl::StrCat("\\", rest_.substr(0, close).substr(0, 32)));
    absl::StrAppend(&output_, "\\");
    Copy(close + 1);
  }

  void ClassCharacter() {
    if (rest_[0] == '[') return Refuse("a class inside a class");
    if (absl::StartsWith(rest_, "&&")) return Refuse("an intersection of classes");
    if (rest_[0] == ']') in_class_ = false;
    Copy(1);
  }

  void Character() {
    if (rest_[0] == '[') {
      in_class_ = true;
      Copy(absl::StartsWith(rest_, "[^") ? 2 : 1);
      if (absl::StartsWith(rest_, "]")) Refuse("an empty class");
    } else if (absl::StartsWith(rest_, "(?")) {
      OpenGroup();
    } else if (absl::StartsWith(rest_, "(*")) {
      Refuse("(*");  // verbs of PCRE2, such as (*ACCEPT)
    } else if (rest_[0] == '{') {
      Interval();
    } else {
      Copy(1);
    }
  }

  void OpenGroup() {
    for (const absl::string_view opening : {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (absl::StartsWith(rest_, opening)) return Copy(opening.size());
    }
    Refuse(rest_.substr(0, 4));
  }

  // {2}, {2,} or {2,5}, not followed by a plus sign: Ruby repeats there, PCRE2 turns possessive.
  void Interval() {
    const size_t close = rest_.find('}');
    if (close == absl::string_view::npos) return Refuse("{ without }");
    const absl::string_view inside = rest_.substr(1, close - 1);
    const bool is_interval =
        !inside.empty() && absl::ascii_isdigit(inside[0]) &&
        std::all_of(inside.begin(), inside.end(),
                    [](char c) { return absl::ascii_isdigit(c) || c == ','; }) &&
        std::count(inside.begin(), inside.end(), ',') <= 1;
    if (!is_interval) return Refuse(rest_.substr(0, std::min<size_t>(close + 1, 32)));
    if (absl::StartsWith(rest_.substr(close + 1), "+")) return Refuse("}+");
    Copy(close + 1);
  }

  const absl::string_view pattern_;
  absl::string_view rest_;
  std::string output_;
  bool in_class_ = false;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::string> TranslatePattern(absl::string_view pattern) {
  return Translator(pattern).Run();
}

}  // namespace sasq
