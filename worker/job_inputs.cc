#include "worker/job_inputs.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/methods/recipe.h"
#include "quant/reuse/content_key.h"
#include "quant/text/chat_template.h"
#include "quant/text/json_lines.h"
#include "quant/text/text_source.h"
#include "quant/text/vocabulary.h"
#include "quant/text/windows.h"
#include "worker/capabilities.h"
#include "worker/recipes.h"

namespace sasq {
namespace {

// Reads the files of one job.
class Reader {
 public:
  Reader(JobInputs& inputs, JobSources& sources, const std::stop_token& stop)
      : inputs_(inputs), sources_(sources), stop_(stop) {}

  // A file as one text. `role` is what provenance calls it.
  absl::StatusOr<std::string> ReadText(const std::string& role, const v1::TextSource& source) {
    if (stop_.stop_requested()) return absl::CancelledError("stopped while reading the inputs");
    SASQ_ASSIGN_OR_RETURN(const FetchedSource fetched, sources_.FetchText(source, stop_));
    SASQ_ASSIGN_OR_RETURN(LoadedText loaded,
                          LoadText(fetched.path, LayoutOf(source), source.json_field()));
    inputs_.files.push_back({role, fetched.resolved_uri, std::move(loaded.file_sha256)});
    return std::move(loaded.text);
  }

  absl::StatusOr<std::vector<int32_t>> ReadTokens(const std::string& role,
                                                  const v1::TextSource& source) {
    SASQ_ASSIGN_OR_RETURN(const std::string text, ReadText(role, source));
    return Encode(text);
  }

  absl::StatusOr<std::vector<int32_t>> Encode(const std::string& text) const {
    SASQ_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, inputs_.tokenizer->Encode(text));
    SASQ_RETURN_IF_ERROR(CheckTokens(tokens, inputs_.model->config().vocab_size));
    return tokens;
  }

 private:
  static TextLayout LayoutOf(const v1::TextSource& source) {
    switch (source.layout()) {
      case v1::TEXT_LAYOUT_WIKITEXT_ROWS:
        return TextLayout::kWikitextRows;
      case v1::TEXT_LAYOUT_JSON_LINES:
        return TextLayout::kJsonLines;
      default:
        return TextLayout::kPlain;
    }
  }

  JobInputs& inputs_;
  JobSources& sources_;
  const std::stop_token& stop_;
};

// Windows are computed as the model was trained: with the prefix, none may be longer than what it
// attends to.
absl::Status CheckWindowTokens(int64_t max_tokens, const char* field, int64_t window_tokens) {
  if (window_tokens <= max_tokens) return absl::OkStatus();
  return WithReason(absl::InvalidArgumentError(
                        absl::StrCat("spec.", field, " is ", window_tokens, ", want at most ",
                                     max_tokens, ", the model's context less the longest prefix")),
                    "INVALID_SPEC");
}

absl::Status CheckAllWindowTokens(const Model& model, const v1::JobSpec& spec) {
  int64_t max_tokens = model.max_tokens();
  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    const int64_t left =
        model.max_tokens() - static_cast<int64_t>(PrefixTokens(recipe, model).size());
    SASQ_RETURN_IF_ERROR(
        CheckWindowTokens(left, "training.window_tokens", recipe.training().window_tokens()));
    max_tokens = std::min(max_tokens, left);  // all rows read the same windows
  }
  SASQ_RETURN_IF_ERROR(CheckWindowTokens(max_tokens, "calibration.window_tokens",
                                         spec.calibration().window_tokens()));
  return CheckWindowTokens(max_tokens, "evaluation.window_tokens",
                           spec.evaluation().window_tokens());
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

absl::Status ReadEvaluationText(const std::string& name, const v1::TextSource& source,
                                const v1::EvaluationOptions& options, Reader& reader,
                                JobInputs& inputs) {
  EvaluationText& text = inputs.texts.emplace_back();
  text.name = name;
  const std::string role = name.empty() ? "evaluation_text" : absl::StrCat("other_text ", name);
  SASQ_ASSIGN_OR_RETURN(text.tokens, reader.ReadTokens(role, source));
  const std::string what = name.empty() ? "evaluation" : absl::StrCat("other (", name, ")");
  SASQ_RETURN_IF_ERROR(WindowCount(text.tokens, options.window_tokens(), what.c_str()).status());
  SASQ_ASSIGN_OR_RETURN(
      const std::vector<StridedWindow> windows,
      CutStridedWindows(static_cast<int64_t>(text.tokens.size()), options.window_tokens(),
                        options.stride_tokens(), options.window_count()));
  for (const StridedWindow& window : windows) {
    text.windows.push_back({.tokens = absl::MakeConstSpan(text.tokens)
                                          .subspan(static_cast<size_t>(window.begin),
                                                   static_cast<size_t>(options.window_tokens())),
                            .first_position = window.first_position});
  }
  return absl::OkStatus();
}

absl::Status ReadTasks(const v1::EvaluationOptions& options, Reader& reader, JobInputs& inputs) {
  // A prefix has a few tokens at most; a question leaves room for it.
  constexpr int64_t kPrefixRoom = 16;
  for (const v1::NamedText& named : options.tasks()) {
    SASQ_ASSIGN_OR_RETURN(const std::string text,
                          reader.ReadText(absl::StrCat("task ", named.name()), named.text()));
    SASQ_ASSIGN_OR_RETURN(const std::vector<Question> questions,
                          ParseQuestions(text, absl::StrCat("task ", named.name())));
    NamedTask& task = inputs.tasks.emplace_back();
    task.name = named.name();
    SASQ_ASSIGN_OR_RETURN(
        task.questions,
        TokenizeQuestions(questions, *inputs.tokenizer, inputs.model->max_tokens() - kPrefixRoom));
  }
  return absl::OkStatus();
}

absl::Status ReadPrompts(const std::string& folder, const v1::TextSource& source, Reader& reader,
                         JobInputs& inputs) {
  SASQ_ASSIGN_OR_RETURN(const std::string text, reader.ReadText("prompts", source));
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> prompts, ParsePrompts(text, "prompts"));
  SASQ_ASSIGN_OR_RETURN(const ChatTemplate chat, ChatTemplate::LoadFromFolder(folder));
  if (!chat.note().empty()) inputs.notes.push_back(chat.note());
  for (const std::string& prompt : prompts) {
    SASQ_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, reader.Encode(chat.Render(prompt)));
    inputs.prompts.push_back(std::move(tokens));
  }
  return absl::OkStatus();
}

std::string DigestOf(absl::Span<const InputDigest> files, absl::string_view role) {
  for (const InputDigest& file : files) {
    if (file.role == role) return file.sha256;
  }
  return "";
}

// Of every file but the model's weights and the two texts that have a digest of their own. The
// model's URI stands for the tokenizer and what else lies beside the weights.
std::string OtherFilesDigest(absl::string_view model_uri, absl::Span<const InputDigest> files) {
  Sha256 digest;
  digest.Update(absl::StrCat(model_uri, "\n"));
  for (const InputDigest& file : files) {
    if (file.role == "training_text" || file.role == "evaluation_text") continue;
    digest.Update(absl::StrCat(file.role, " ", file.sha256, "\n"));
  }
  return digest.FinishHex();
}

constexpr int64_t kMaxModelFileBytes = int64_t{256} << 20;

// Files beside the weights that decide how the model computes and how its texts become tokens.
absl::Status AddModelFiles(const std::string& folder, std::vector<ContentInput>& inputs) {
  constexpr const char* kFiles[] = {
      "config.json",           "generation_config.json",  "tokenizer.json",     "tokenizer.model",
      "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};
  for (const char* name : kFiles) {
    const absl::StatusOr<std::string> content =
        ReadFile(absl::StrCat(folder, "/", name), kMaxModelFileBytes);
    if (absl::IsNotFound(content.status())) continue;
    SASQ_RETURN_IF_ERROR(content.status());
    inputs.push_back({absl::StrCat("model/", name), Sha256Hex(*content)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> MakeContentKey(const v1::JobSpec& spec, const std::string& folder,
                                           const JobInputs& inputs) {
  std::vector<ContentInput> content = {{"weights", inputs.digests.base_weight_sha256()}};
  SASQ_RETURN_IF_ERROR(AddModelFiles(folder, content));
  for (const InputDigest& file : inputs.files) content.push_back({file.role, file.sha256});
  return ContentKey(spec, content, Version());
}

}  // namespace

absl::StatusOr<JobInputs> LoadJobInputs(const v1::JobSpec& spec, ComputeDevice device,
                                        const v1::WorkerCapabilities& capabilities,
                                        JobSources& sources, const std::stop_token& stop) {
  JobInputs inputs;
  SASQ_ASSIGN_OR_RETURN(FetchedSource model, sources.FetchModel(spec.model(), stop));
  const std::string& folder = model.path;
  inputs.model_uri = model.resolved_uri;
  inputs.fetched = std::move(model.task);
  SASQ_ASSIGN_OR_RETURN(inputs.model, Model::Load(folder, stop, device));
  SASQ_RETURN_IF_ERROR(CheckAllWindowTokens(*inputs.model, spec));

  SASQ_ASSIGN_OR_RETURN(inputs.tokenizer, Tokenizer::LoadFromFolder(folder));
  SASQ_RETURN_IF_ERROR(CheckVocabulary(*inputs.tokenizer, inputs.model->config().vocab_size));
  Reader reader(inputs, sources, stop);
  SASQ_ASSIGN_OR_RETURN(inputs.training_tokens,
                        reader.ReadTokens("training_text", spec.training_text()));
  SASQ_ASSIGN_OR_RETURN(inputs.calibration_windows,
                        EvenWindows(inputs.training_tokens, spec.calibration().window_count(),
                                    spec.calibration().window_tokens(), "training"));
  const v1::EvaluationOptions& evaluation = spec.evaluation();
  SASQ_RETURN_IF_ERROR(ReadEvaluationText("", spec.evaluation_text(), evaluation, reader, inputs));
  for (const v1::NamedText& other : evaluation.other_texts()) {
    SASQ_RETURN_IF_ERROR(
        ReadEvaluationText(other.name(), other.text(), evaluation, reader, inputs));
  }
  SASQ_RETURN_IF_ERROR(ReadTasks(evaluation, reader, inputs));
  if (evaluation.has_prompts()) {
    SASQ_RETURN_IF_ERROR(ReadPrompts(folder, evaluation.prompts(), reader, inputs));
  }

  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    if (!recipe.has_training()) continue;
    SASQ_RETURN_IF_ERROR(
        WindowCount(inputs.training_tokens, recipe.training().window_tokens(), "training")
            .status());
  }

  inputs.digests.set_spec_sha256(Sha256Hex(spec.SerializeAsString()));
  inputs.digests.set_base_weight_sha256(inputs.model->checkpoint().Digest());
  inputs.digests.set_training_text_sha256(DigestOf(inputs.files, "training_text"));
  inputs.digests.set_evaluation_text_sha256(DigestOf(inputs.files, "evaluation_text"));
  inputs.digests.set_other_files_sha256(OtherFilesDigest(inputs.model_uri, inputs.files));
  inputs.digests.set_code_version(std::string(Version()));
  inputs.digests.set_device(absl::StrCat(DeviceKindName(capabilities), " ",
                                         capabilities.kernel_path(), " threads ",
                                         capabilities.thread_count()));
  SASQ_ASSIGN_OR_RETURN(inputs.content_key, MakeContentKey(spec, folder, inputs));
  return inputs;
}

}  // namespace sasq
