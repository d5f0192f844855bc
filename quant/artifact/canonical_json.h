// One spelling for one JSON value, so that equal specs have equal bytes and digests.
#ifndef SASQ_QUANT_ARTIFACT_CANONICAL_JSON_H_
#define SASQ_QUANT_ARTIFACT_CANONICAL_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Rewrites a JSON object: keys sorted by their bytes, no blanks, numbers in their shortest form
// that reads back the same, UTF-8 unescaped. INVALID_ARGUMENT, naming `what`, if `json` is not one
// JSON object in UTF-8, nests deeper than 64 levels or is longer than 1 MiB.
absl::StatusOr<std::string> CanonicalJson(absl::string_view json, absl::string_view what);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_CANONICAL_JSON_H_
