// Spec files: a v1.JobSpec written as YAML or JSON, with the field names of the proto and enums in
// their short or full form. docs/cli.md shows one.
#ifndef SASQ_CLIENT_SPEC_FILE_H_
#define SASQ_CLIENT_SPEC_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

inline constexpr int64_t kMaxSpecFileBytes = 1 << 20;

// Reads YAML or JSON. INVALID_ARGUMENT lists every unknown field and malformed value with its line
// (field violations, `file_name:line: field`). Ranges are left to the service, paths stay as they
// are.
absl::StatusOr<v1::JobSpec> ParseSpec(absl::string_view text, absl::string_view file_name);

// ParseSpec of a file; its relative paths start at its folder. `-` is standard input, whose
// relative paths start at the working folder. INVALID_ARGUMENT also when it cannot be read.
absl::StatusOr<v1::JobSpec> ReadSpecFile(const std::string& path);

}  // namespace sasq

#endif  // SASQ_CLIENT_SPEC_FILE_H_
