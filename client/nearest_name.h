// Which known name a mistyped one probably meant.
#ifndef SASQ_CLIENT_NEAREST_NAME_H_
#define SASQ_CLIENT_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sasq {

// The candidate with the fewest edits (insert, delete, change, swap neighbours) to `name`, if they
// are at most a third of its length (at least 1); otherwise an empty string. The first of equals.
std::string NearestName(absl::string_view name, const std::vector<std::string>& candidates);

// `; did you mean X?`, or an empty string where nothing is near.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace sasq

#endif  // SASQ_CLIENT_NEAREST_NAME_H_
