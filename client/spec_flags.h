// The flags of `sasq submit`, `compare` and `plan` that fill a job spec, and the fields that they
// fill.
#ifndef SASQ_CLIENT_SPEC_FLAGS_H_
#define SASQ_CLIENT_SPEC_FLAGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// One flag and the one field that it sets.
struct SpecFlag {
  const char* flag;   // with dashes
  const char* path;   // dotted path in v1.JobSpec
  const char* value;  // what the help calls its value
  const char* help;
};

// In the order of the help.
absl::Span<const SpecFlag> SpecFlags();

// What a command line said about the spec.
struct SpecArguments {
  std::string spec_file;                      // empty: none; `-`: standard input
  std::map<std::string, std::string> values;  // by SpecFlag::flag
  std::vector<std::string> baselines;         // as ParseRecipe reads them
  std::vector<std::string> other_texts;       // as ParseNamedText reads them
  std::vector<std::string> tasks;             // the same
  std::vector<std::string> gates;             // as ParseGate reads them
  bool compare = false;                       // a comparison: the job's kind
  bool no_cache = false;                      // an earlier result is not taken
  bool upload = false;                        // every local model and text is uploaded
};

// The file, if there is one, with the flags laid over it. Lists on the command line replace those
// of the file. INVALID_ARGUMENT names the flags or the lines.
absl::StatusOr<v1::JobSpec> BuildSpec(const SpecArguments& arguments);

// A status of the service whose field violations also name the flag of each field.
absl::Status NameFlags(const absl::Status& status);

}  // namespace sasq

#endif  // SASQ_CLIENT_SPEC_FLAGS_H_
