// Measures a prepared recipe: perplexity on every text, decoding, agreement with the float model,
// tasks and answers, as the spec asks for.
#ifndef SASQ_WORKER_ROW_MEASUREMENT_H_
#define SASQ_WORKER_ROW_MEASUREMENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quant/eval/agreement.h"
#include "quant/methods/recipe.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/job_inputs.h"

namespace sasq {

// Keeps what the float model gave, which serves every row. One thread.
class RowMeter {
 public:
  // Both must outlive the meter.
  RowMeter(const v1::JobSpec& spec, const JobInputs& inputs) : spec_(spec), inputs_(inputs) {}

  // Windows that one row is measured on, in all.
  int64_t window_count() const;

  // Fills in the figures of `measured`. `on_window` is called with the number of windows done.
  // CANCELLED when `stop` is asked for.
  absl::Status Measure(const v1::Recipe& recipe, const PreparedRecipe& prepared,
                       const std::stop_token& stop,
                       const std::function<void(int64_t windows_done)>& on_window,
                       worker::v1::MeasuredRow& measured);

 private:
  // The float model after a prefix.
  struct FloatSide {
    std::shared_ptr<const KvCache> prefix;
    std::unique_ptr<const FloatPredictions> predictions;  // null if no row asked for it
    std::vector<std::vector<int32_t>> answers;            // none if no row asked for them
  };

  absl::Status MeasureTexts(const PreparedRecipe& prepared, const PerplexityOptions& options,
                            worker::v1::MeasuredRow& measured) const;
  absl::Status MeasureDecoding(const PreparedRecipe& prepared, const PerplexityOptions& options,
                               v1::ReportRow& row) const;
  absl::Status MeasureAgreementWithFloat(const PreparedRecipe& prepared,
                                         const PerplexityOptions& options,
                                         worker::v1::MeasuredRow& measured);
  absl::Status MeasureTasks(const PreparedRecipe& prepared, const std::stop_token& stop,
                            v1::ReportRow& row) const;
  absl::Status MeasureAnswers(const PreparedRecipe& prepared, const std::stop_token& stop,
                              v1::ReportRow& row);

  absl::StatusOr<FloatSide*> FloatSideFor(const PreparedRecipe& prepared,
                                          const std::stop_token& stop);
  // The first windows of the evaluation text, at most `count`.
  absl::Span<const EvaluationWindow> FirstWindows(int64_t count) const;

  const v1::JobSpec& spec_;
  const JobInputs& inputs_;
  std::map<std::vector<int32_t>, FloatSide> float_sides_;  // by the prefix's tokens
};

}  // namespace sasq

#endif  // SASQ_WORKER_ROW_MEASUREMENT_H_
