#include "worker/job_inputs.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/text/text_source.h"
#include "quant/text/tokenizer.h"
#include "quant/text/vocabulary.h"
#include "quant/text/windows.h"
#include "worker/capabilities.h"
#include "worker/recipes.h"

namespace sasq {
namespace {

// A text in tokens, and the digest of its file.
struct TokenizedText {
  std::vector<int32_t> tokens;
  std::string sha256;
};

absl::StatusOr<TokenizedText> ReadTokens(const v1::TextSource& source, const Tokenizer& tokenizer,
                                         int64_t vocab_size) {
  const TextLayout layout = source.layout() == v1::TEXT_LAYOUT_WIKITEXT_ROWS
                                ? TextLayout::kWikitextRows
                                : TextLayout::kPlain;
  SASQ_ASSIGN_OR_RETURN(const std::string path, PathOfUri(source.uri()));
  SASQ_ASSIGN_OR_RETURN(LoadedText loaded, LoadText(path, layout));
  TokenizedText result;
  result.sha256 = std::move(loaded.file_sha256);
  SASQ_ASSIGN_OR_RETURN(result.tokens, tokenizer.Encode(loaded.text));
  SASQ_RETURN_IF_ERROR(CheckTokens(result.tokens, vocab_size));
  return result;
}

// Windows are computed as the model was trained: none may be longer than what it attends to.
absl::Status CheckWindowTokens(const Model& model, const char* field, int64_t window_tokens) {
  if (window_tokens <= model.max_tokens()) return absl::OkStatus();
  return WithReason(
      absl::InvalidArgumentError(absl::StrCat("spec.", field, " is ", window_tokens,
                                              ", want at most the model's ", model.max_tokens())),
      "INVALID_SPEC");
}

absl::Status CheckAllWindowTokens(const Model& model, const v1::JobSpec& spec) {
  SASQ_RETURN_IF_ERROR(
      CheckWindowTokens(model, "calibration.window_tokens", spec.calibration().window_tokens()));
  SASQ_RETURN_IF_ERROR(
      CheckWindowTokens(model, "evaluation.window_tokens", spec.evaluation().window_tokens()));
  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    SASQ_RETURN_IF_ERROR(
        CheckWindowTokens(model, "training.window_tokens", recipe.training().window_tokens()));
  }
  return absl::OkStatus();
}

// How many windows a text has. `what` names the text in the error.
absl::StatusOr<int64_t> WindowCount(TokenWindow tokens, int64_t window_tokens, const char* what) {
  absl::StatusOr<int64_t> count = CountWindows(static_cast<int64_t>(tokens.size()), window_tokens);
  if (count.ok()) return count;
  return WithReason(
      absl::InvalidArgumentError(absl::StrCat("the ", what, " text: ", count.status().message())),
      ReasonOf(count.status()));
}

absl::StatusOr<std::vector<TokenWindow>> EvenWindows(TokenWindow tokens, int64_t wanted,
                                                     int64_t window_tokens, const char* what) {
  SASQ_ASSIGN_OR_RETURN(const int64_t available, WindowCount(tokens, window_tokens, what));
  std::vector<TokenWindow> windows;
  for (const int64_t window : EvenlySpacedWindows(available, wanted)) {
    windows.push_back(WindowAt(tokens, window, window_tokens));
  }
  return windows;
}

absl::Status StopRequested(const std::stop_token& stop) {
  return stop.stop_requested() ? absl::CancelledError("stopped while reading the inputs")
                               : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> PathOfUri(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, "file:") || uri.empty() || uri[0] != '/') {
    return WithReason(absl::InvalidArgumentError(
                          absl::StrCat("\"", uri, "\" is not `file:` and an absolute path")),
                      "INVALID_SPEC");
  }
  return std::string(uri);
}

absl::StatusOr<JobInputs> LoadJobInputs(const v1::JobSpec& spec, ComputeDevice device,
                                        const v1::WorkerCapabilities& capabilities,
                                        const std::stop_token& stop) {
  JobInputs inputs;
  SASQ_ASSIGN_OR_RETURN(const std::string folder, PathOfUri(spec.model().uri()));
  SASQ_ASSIGN_OR_RETURN(inputs.model, Model::Load(folder, stop, device));
  SASQ_RETURN_IF_ERROR(CheckAllWindowTokens(*inputs.model, spec));

  const int64_t vocab_size = inputs.model->config().vocab_size;
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> tokenizer,
                        Tokenizer::LoadFromFolder(folder));
  SASQ_RETURN_IF_ERROR(CheckVocabulary(*tokenizer, vocab_size));
  SASQ_RETURN_IF_ERROR(StopRequested(stop));
  SASQ_ASSIGN_OR_RETURN(TokenizedText training,
                        ReadTokens(spec.training_text(), *tokenizer, vocab_size));
  SASQ_RETURN_IF_ERROR(StopRequested(stop));
  SASQ_ASSIGN_OR_RETURN(TokenizedText evaluation,
                        ReadTokens(spec.evaluation_text(), *tokenizer, vocab_size));
  SASQ_RETURN_IF_ERROR(StopRequested(stop));
  inputs.training_tokens = std::move(training.tokens);
  inputs.evaluation_tokens = std::move(evaluation.tokens);
  SASQ_ASSIGN_OR_RETURN(inputs.calibration_windows,
                        EvenWindows(inputs.training_tokens, spec.calibration().window_count(),
                                    spec.calibration().window_tokens(), "training"));
  SASQ_ASSIGN_OR_RETURN(inputs.evaluation_windows,
                        EvenWindows(inputs.evaluation_tokens, spec.evaluation().window_count(),
                                    spec.evaluation().window_tokens(), "evaluation"));

  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    if (recipe.method() != v1::METHOD_SASQ) continue;
    SASQ_RETURN_IF_ERROR(
        WindowCount(inputs.training_tokens, recipe.training().window_tokens(), "training")
            .status());
  }

  inputs.digests.set_spec_sha256(Sha256Hex(spec.SerializeAsString()));
  inputs.digests.set_base_weight_sha256(inputs.model->checkpoint().Digest());
  inputs.digests.set_training_text_sha256(training.sha256);
  inputs.digests.set_evaluation_text_sha256(evaluation.sha256);
  inputs.digests.set_code_version(std::string(Version()));
  inputs.digests.set_device(absl::StrCat(DeviceKindName(capabilities), " ",
                                         capabilities.kernel_path(), " threads ",
                                         capabilities.thread_count()));
  return inputs;
}

std::string FirstDifference(const worker::v1::TaskInputs& a, const worker::v1::TaskInputs& b) {
  const google::protobuf::Descriptor* descriptor = a.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = descriptor->field(i);
    if (a.GetReflection()->GetString(a, field) != b.GetReflection()->GetString(b, field)) {
      return field->name();
    }
  }
  return "";
}

}  // namespace sasq
