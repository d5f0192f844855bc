// A course of figures as a word of block characters.
#ifndef SASQ_CLIENT_SPARKLINE_H_
#define SASQ_CLIENT_SPARKLINE_H_

#include <string>

#include "absl/types/span.h"
#include "client/terminal.h"

namespace sasq {

// The last `columns` values between their least and greatest, one column each; `!` for one that is
// not finite. Empty for fewer than two values. In plain ASCII where the style has no UTF-8.
std::string RenderSparkline(absl::Span<const double> values, int columns, const TextStyle& style);

}  // namespace sasq

#endif  // SASQ_CLIENT_SPARKLINE_H_
