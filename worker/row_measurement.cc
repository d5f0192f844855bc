#include "worker/row_measurement.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "quant/artifact/confidence.h"
#include "quant/eval/decode.h"
#include "quant/eval/generation.h"
#include "quant/eval/perplexity.h"
#include "quant/eval/task.h"

namespace sasq {
namespace {

std::vector<double> MeanLosses(const PerplexityResult& result) {
  std::vector<double> losses;
  for (const WindowLoss& window : result.windows) losses.push_back(window.mean_nats);
  return losses;
}

// `Figures`: ReportRow or TextPerplexity.
template <typename Figures>
void SetPerplexity(const PerplexityResult& result, absl::Span<const double> losses,
                   Figures& figures) {
  figures.set_perplexity(result.perplexity);
  figures.set_token_count(result.token_count);
  const std::optional<Interval> interval = PerplexityInterval(losses);
  if (!interval.has_value()) return;
  figures.set_perplexity_low(interval->low);
  figures.set_perplexity_high(interval->high);
}

// Counts windows over several measurements.
PerplexityOptions Counting(PerplexityOptions options, int64_t done_before) {
  const auto on_window = options.on_window;
  options.on_window = [on_window, done_before](int64_t done) { on_window(done_before + done); };
  return options;
}

}  // namespace

int64_t RowMeter::window_count() const {
  int64_t count = 0;
  for (const EvaluationText& text : inputs_.texts) {
    count += static_cast<int64_t>(text.windows.size());
  }
  return count +
         static_cast<int64_t>(FirstWindows(spec_.evaluation().decode_window_count()).size() +
                              FirstWindows(spec_.evaluation().agreement_window_count()).size());
}

absl::Span<const EvaluationWindow> RowMeter::FirstWindows(int64_t count) const {
  const std::vector<EvaluationWindow>& windows = inputs_.texts.front().windows;
  return absl::MakeConstSpan(windows).first(
      std::min(windows.size(), static_cast<size_t>(std::max<int64_t>(count, 0))));
}

absl::Status RowMeter::Measure(const v1::Recipe& recipe, const PreparedRecipe& prepared,
                               const std::stop_token& stop,
                               const std::function<void(int64_t)>& on_window,
                               worker::v1::MeasuredRow& measured) {
  PerplexityOptions options;
  options.skip_first_prediction = SkipsFirstPrediction(recipe);
  options.prefix = prepared.prefix.get();
  options.stop = stop;
  options.on_window = on_window;
  SASQ_RETURN_IF_ERROR(MeasureTexts(prepared, options, measured));
  int64_t done = 0;
  for (const EvaluationText& text : inputs_.texts) {
    done += static_cast<int64_t>(text.windows.size());
  }
  SASQ_RETURN_IF_ERROR(MeasureDecoding(prepared, Counting(options, done), *measured.mutable_row()));
  done += static_cast<int64_t>(FirstWindows(spec_.evaluation().decode_window_count()).size());
  SASQ_RETURN_IF_ERROR(MeasureAgreementWithFloat(prepared, Counting(options, done), measured));
  SASQ_RETURN_IF_ERROR(MeasureTasks(prepared, stop, *measured.mutable_row()));
  return MeasureAnswers(prepared, stop, *measured.mutable_row());
}

absl::Status RowMeter::MeasureTexts(const PreparedRecipe& prepared,
                                    const PerplexityOptions& options,
                                    worker::v1::MeasuredRow& measured) const {
  v1::ReportRow& row = *measured.mutable_row();
  int64_t done = 0;
  for (const EvaluationText& text : inputs_.texts) {
    SASQ_ASSIGN_OR_RETURN(const PerplexityResult result,
                          EvaluatePerplexity(*prepared.model, *prepared.executor, text.windows,
                                             Counting(options, done)));
    done += static_cast<int64_t>(text.windows.size());
    const std::vector<double> losses = MeanLosses(result);
    if (text.name.empty()) {
      SetPerplexity(result, losses, row);
      row.set_window_count(static_cast<int64_t>(losses.size()));
      measured.mutable_window_mean_losses()->Assign(losses.begin(), losses.end());
    } else {
      v1::TextPerplexity& other = *row.add_other_texts();
      other.set_name(text.name);
      SetPerplexity(result, losses, other);
      measured.add_other_texts()->mutable_mean_losses()->Assign(losses.begin(), losses.end());
    }
  }
  return absl::OkStatus();
}

absl::Status RowMeter::MeasureDecoding(const PreparedRecipe& prepared,
                                       const PerplexityOptions& options, v1::ReportRow& row) const {
  const absl::Span<const EvaluationWindow> windows =
      FirstWindows(spec_.evaluation().decode_window_count());
  if (windows.empty()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const PerplexityResult result,
                        EvaluateDecoding(*prepared.model, *prepared.executor,
                                         *prepared.decode_executor, windows, options));
  row.set_decode_perplexity(result.perplexity);
  return absl::OkStatus();
}

absl::StatusOr<RowMeter::FloatSide*> RowMeter::FloatSideFor(const PreparedRecipe& prepared,
                                                            const std::stop_token& stop) {
  FloatSide& side = float_sides_[prepared.prefix_tokens];
  if (prepared.prefix_tokens.empty() || side.prefix != nullptr) return &side;
  SASQ_ASSIGN_OR_RETURN(side.prefix, ComputePrefix(inputs_.model, prepared.prefix_tokens, stop));
  return &side;
}

absl::Status RowMeter::MeasureAgreementWithFloat(const PreparedRecipe& prepared,
                                                 const PerplexityOptions& options,
                                                 worker::v1::MeasuredRow& measured) {
  const absl::Span<const EvaluationWindow> windows =
      FirstWindows(spec_.evaluation().agreement_window_count());
  if (windows.empty() || prepared.weights == nullptr) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(FloatSide * side, FloatSideFor(prepared, options.stop));
  if (side->predictions == nullptr) {
    std::vector<TokenWindow> tokens;
    for (const EvaluationWindow& window : windows) tokens.push_back(window.tokens);
    PerplexityOptions float_options;
    float_options.prefix = side->prefix.get();
    float_options.stop = options.stop;
    SASQ_ASSIGN_OR_RETURN(side->predictions,
                          FloatPredictions::Create(inputs_.model, tokens, float_options));
  }
  SASQ_ASSIGN_OR_RETURN(
      const Agreement agreement,
      MeasureAgreement(*prepared.model, *prepared.executor, *side->predictions, options));
  measured.mutable_row()->set_kl_divergence(agreement.kl_divergence);
  measured.mutable_row()->set_top1_agreement(agreement.top1_agreement);
  measured.mutable_kl_by_position()->Assign(agreement.kl_by_position.begin(),
                                            agreement.kl_by_position.end());
  measured.mutable_top1_by_position()->Assign(agreement.top1_by_position.begin(),
                                              agreement.top1_by_position.end());
  return absl::OkStatus();
}

absl::Status RowMeter::MeasureTasks(const PreparedRecipe& prepared, const std::stop_token& stop,
                                    v1::ReportRow& row) const {
  for (const NamedTask& task : inputs_.tasks) {
    TaskOptions options;
    options.prefix = prepared.prefix.get();
    options.stop = stop;
    SASQ_ASSIGN_OR_RETURN(
        const TaskAnswers answers,
        EvaluateTask(*prepared.model, *prepared.executor, task.questions, options));
    v1::TaskScore& score = *row.add_tasks();
    score.set_name(task.name);
    score.set_question_count(static_cast<int64_t>(task.questions.size()));
    score.set_accuracy(answers.accuracy);
    score.set_normalized_accuracy(answers.normalized_accuracy);
  }
  return absl::OkStatus();
}

absl::Status RowMeter::MeasureAnswers(const PreparedRecipe& prepared, const std::stop_token& stop,
                                      v1::ReportRow& row) {
  if (inputs_.prompts.empty()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(FloatSide * side, FloatSideFor(prepared, stop));
  GenerationOptions options;
  options.max_tokens = spec_.evaluation().generated_tokens();
  options.eos_token_ids = inputs_.model->config().eos_token_ids;
  options.stop = stop;
  if (side->answers.empty()) {
    options.prefix = side->prefix.get();
    const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(inputs_.model);
    SASQ_ASSIGN_OR_RETURN(side->answers, GenerateGreedy(*inputs_.model, *executor, *executor,
                                                        inputs_.prompts, options));
  }
  std::vector<std::vector<int32_t>> answers = side->answers;
  if (prepared.weights != nullptr) {
    options.prefix = prepared.prefix.get();
    SASQ_ASSIGN_OR_RETURN(
        answers, GenerateGreedy(*prepared.model, *prepared.executor, *prepared.decode_executor,
                                inputs_.prompts, options));
  }
  const AnswerComparison comparison = CompareAnswers(side->answers, answers);
  v1::GenerationScore& score = *row.mutable_generation();
  score.set_prompt_count(comparison.prompt_count);
  score.set_tokens_until_divergence(comparison.tokens_until_divergence);
  score.set_agreement(comparison.agreement);
  score.set_repetition(comparison.repetition);
  return absl::OkStatus();
}

}  // namespace sasq
