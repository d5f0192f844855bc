// What a task reads before it computes.
#ifndef SASQ_WORKER_JOB_INPUTS_H_
#define SASQ_WORKER_JOB_INPUTS_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "quant/artifact/provenance.h"
#include "quant/eval/perplexity.h"
#include "quant/model/model.h"
#include "quant/text/question.h"
#include "quant/text/tokenizer.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/v1/quantization_service.pb.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/job_sources.h"

namespace sasq {

using TokenWindow = absl::Span<const int32_t>;

// A text that is scored. Windows point into the tokens: move-only.
struct EvaluationText {
  std::string name;  // empty for the evaluation text itself
  std::vector<int32_t> tokens;
  std::vector<EvaluationWindow> windows;

  EvaluationText() = default;
  EvaluationText(EvaluationText&&) = default;
  EvaluationText& operator=(EvaluationText&&) = default;
};

// Questions with the name that the spec gives them.
struct NamedTask {
  std::string name;
  std::vector<TokenizedQuestion> questions;
};

// A model and its texts in tokens.
struct JobInputs {
  std::shared_ptr<const Model> model;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::vector<int32_t> training_tokens;
  std::vector<TokenWindow> calibration_windows;
  std::vector<EvaluationText> texts;  // the evaluation text, then the others in the spec's order
  std::vector<NamedTask> tasks;
  std::vector<std::vector<int32_t>> prompts;  // in tokens, as the chat template writes them
  std::vector<std::string> notes;             // for people: how the prompts were written
  std::vector<InputDigest> files;             // every text that was read
  std::string content_key;                    // what the task computes (content_key.h)
  std::string model_uri;                      // with the commit in the place of a hub's revision
  std::shared_ptr<const TaskFolder> fetched;  // keeps the files of the model
  // Everything that the result depends on.
  worker::v1::TaskInputs digests;

  JobInputs() = default;
  JobInputs(JobInputs&&) = default;
  JobInputs& operator=(JobInputs&&) = default;
};

// Fetches, reads and checks what `spec`, with its defaults written out, names, for `device`, which
// has `capabilities`.
// Errors carry the reason INVALID_MODEL, UNSUPPORTED_MODEL, INVALID_TEXT or INVALID_SPEC, or one of
// JobSources; CANCELLED when `stop` is asked for.
absl::StatusOr<JobInputs> LoadJobInputs(const v1::JobSpec& spec, ComputeDevice device,
                                        const v1::WorkerCapabilities& capabilities,
                                        JobSources& sources, const std::stop_token& stop);

}  // namespace sasq

#endif  // SASQ_WORKER_JOB_INPUTS_H_
