// Whether two jobs compute the same, so that one result serves both. Made by the worker, which has
// read the inputs, and by the coordinator where a spec names them by their digests.
#ifndef SASQ_QUANT_REUSE_CONTENT_KEY_H_
#define SASQ_QUANT_REUSE_CONTENT_KEY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Bytes that a job reads.
struct ContentInput {
  std::string role;    // such as `training_text` or `model/config.json`
  std::string sha256;  // of the bytes
};

// SHA-256, in hexadecimal digits, of what decides the result: the completed spec without what only
// says how, when and under which name it is run (its URIs, its gates, priority, attempts and so
// on), the inputs in any order, and the version of the program.
std::string ContentKey(const v1::JobSpec& spec, absl::Span<const ContentInput> inputs,
                       absl::string_view code_version);

}  // namespace sasq

#endif  // SASQ_QUANT_REUSE_CONTENT_KEY_H_
