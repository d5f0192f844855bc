// How far a quantized model's predictions are from the float model's, position by position.
#ifndef SASQ_QUANT_EVAL_AGREEMENT_H_
#define SASQ_QUANT_EVAL_AGREEMENT_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/eval/perplexity.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

// The float model's side, computed once for all rows that read the same windows after the same
// prefix: hidden states, 4 * hidden_size bytes a token. Immutable.
class FloatPredictions {
 public:
  // The windows' tokens must outlive it. `options.prefix` is computed by `model`. INVALID_ARGUMENT
  // if there is no window or one is empty; CANCELLED when asked to stop.
  static absl::StatusOr<std::unique_ptr<const FloatPredictions>> Create(
      std::shared_ptr<const Model> model, absl::Span<const absl::Span<const int32_t>> windows,
      const PerplexityOptions& options);
  ~FloatPredictions();

  struct Window;
  const Model& model() const { return *model_; }
  const std::vector<Window>& windows() const { return windows_; }

 private:
  explicit FloatPredictions(std::shared_ptr<const Model> model);

  const std::shared_ptr<const Model> model_;
  std::vector<Window> windows_;  // constant after Create
};

inline constexpr int kAgreementPartCount = 16;

// Means over the predictions that perplexity scores: those of all tokens of a window but its first.
struct Agreement {
  double kl_divergence = 0;   // KL(float || row) in nats; infinite where the row collapsed
  double top1_agreement = 0;  // share of predictions with the same likeliest token, 0..1
  // The same in equal parts of a window, from its begin to its end: 16, or as many as the shortest
  // window has predictions.
  std::vector<double> kl_by_position;
  std::vector<double> top1_by_position;
  int64_t prediction_count = 0;
};

// Compares `row`, as `executor` computes it, with the float model on its windows. `options.prefix`
// is computed by `row`, from the tokens of the float model's prefix. `row` may be another model
// (rotated, trained) of the same vocabulary: each is read with its own output layer, which is held
// in float32. Logits are computed in chunks of at most 128 MiB, both models' together.
// INVALID_ARGUMENT if a window is too short to predict a token of it; CANCELLED when asked to stop.
absl::StatusOr<Agreement> MeasureAgreement(const Model& row, SiteExecutor& executor,
                                           const FloatPredictions& float_predictions,
                                           const PerplexityOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EVAL_AGREEMENT_H_
