#include "quant/format/site_pattern.h"

#include <cstddef>

namespace sasq {

bool MatchesPattern(absl::string_view pattern, absl::string_view name) {
  size_t in_pattern = 0, in_name = 0;
  // After the latest star, and where the name goes on if that star stands for what is before.
  // Longer texts for earlier stars find nothing that a longer text for the latest one does not.
  size_t after_star = absl::string_view::npos, resume = 0;
  while (in_name < name.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      after_star = ++in_pattern;
      resume = in_name;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == name[in_name]) {
      ++in_pattern;
      ++in_name;
    } else if (after_star != absl::string_view::npos) {
      in_pattern = after_star;
      in_name = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == absl::string_view::npos;
}

}  // namespace sasq
