// Names of sites with `*` for any text.
#ifndef SASQ_QUANT_FORMAT_SITE_PATTERN_H_
#define SASQ_QUANT_FORMAT_SITE_PATTERN_H_

#include "absl/strings/string_view.h"

namespace sasq {

// Whether `pattern`, in which `*` stands for any text, is `name`. At most |pattern| * |name| steps.
bool MatchesPattern(absl::string_view pattern, absl::string_view name);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_SITE_PATTERN_H_
