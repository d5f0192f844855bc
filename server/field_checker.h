// Collects violations of a message's fields and fills in defaults, one field at a time.
#ifndef SASQ_SERVER_FIELD_CHECKER_H_
#define SASQ_SERVER_FIELD_CHECKER_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"
#include "quant/source/source_uri.h"

namespace sasq {

class FieldChecker {
 public:
  const std::vector<FieldViolation>& violations() const { return violations_; }

  void Add(absl::string_view field, absl::string_view description) {
    violations_.push_back({std::string(field), std::string(description)});
  }

  // `value`, or `preset` where it is 0, which means: not said.
  template <typename Int>
  Int Number(absl::string_view field, Int value, Int low, Int high, Int preset) {
    return value == 0 ? preset : Range(field, value, low, high);
  }

  template <typename Int>
  Int Range(absl::string_view field, Int value, Int low, Int high) {
    if (!(value >= low && value <= high)) {  // a NaN is no number in range either
      Add(field, absl::StrCat("is ", value, ", want ", low, "..", high));
    }
    return value;
  }

  // `value`, or `preset` where it is unspecified.
  template <typename Enum>
  Enum Choice(absl::string_view field, Enum value, Enum preset, bool known) {
    if (!known) Add(field, absl::StrCat("is ", static_cast<int>(value), ", which is not known"));
    return static_cast<int>(value) == 0 ? preset : value;
  }

  // At most `max_bytes` of UTF-8 without control characters.
  void Text(absl::string_view field, absl::string_view text, size_t max_bytes);

  // A source in one of the forms of ParseSourceUri.
  void Uri(absl::string_view field, absl::string_view uri, SourceKind kind);

 private:
  std::vector<FieldViolation> violations_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_FIELD_CHECKER_H_
