// SASQ: static activation scales trained end to end through fake quantization (arXiv 2512.14481).
//
// Weights are frozen INT8. The scale of site i is s_i = s0_i * exp(theta_i); theta starts at 0 and
// is moved by Adam on the loss of one window a step: the next-token cross entropy, or the
// divergence from the unquantized model. The forward pass is the real INT8 one, so training,
// evaluation and serving see the same numbers; the backward pass goes through the rounding by LSQ's
// straight-through rule (kernels/fake_quantize.h), with d loss / d theta = s * d loss / d s.
#ifndef SASQ_QUANT_TRAIN_SCALE_TRAINER_H_
#define SASQ_QUANT_TRAIN_SCALE_TRAINER_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "quant/format/site_rule.h"
#include "quant/model/quantized_weights.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

// What training minimizes.
enum class ScaleLoss {
  kCrossEntropy,  // of the next token
  kDivergence,    // Kullback-Leibler, from the predictions of the unquantized model
};

struct ScaleTrainerOptions {
  int64_t step_count = 60;        // 1..100000
  double learning_rate = 0.08;    // peak, (0, 1]
  int64_t warmup_step_count = 5;  // linear; 0..step_count
  double beta1 = 0.9;             // Adam's, [0, 1)
  double beta2 = 0.95;
  double epsilon = 1e-8;
  ScaleLoss loss = ScaleLoss::kCrossEntropy;
  // Keys and values of a prefix that every window follows. Null: none.
  std::shared_ptr<const KvCache> prefix;
  // Names what the run depends on (model, text, spec, code); a checkpoint only fits a trainer with
  // the same one.
  std::string fingerprint;
};

// One step's outcome.
struct TrainingStep {
  int64_t step = 0;          // 1 for the first
  double loss = 0;           // nats per token, before the step's update
  double learning_rate = 0;  // of this step
  double gradient_norm = 0;  // of d loss / d theta, before Adam
  int64_t token_count = 0;   // tokens of the window
};

// One thread. The same inputs on the same kind of CPU with the same number of threads give the same
// bits, also across Checkpoint and Restore.
class ScaleTrainer {
 public:
  // `rules` hold the scales to start from; sites without a scale keep their rule. Where the leading
  // tokens stay in float, what is predicted from the first one is not scored. INVALID_ARGUMENT
  // names the option or the scale that is out of range.
  static absl::StatusOr<std::unique_ptr<ScaleTrainer>> Create(
      std::shared_ptr<const QuantizedWeights> weights, QuantizationRules rules,
      ScaleTrainerOptions options);
  virtual ~ScaleTrainer() = default;

  // One forward, backward and update on `window`. FAILED_PRECONDITION with the reason DIVERGED when
  // the loss or a gradient is not finite: the update before, which led there, is taken back, so
  // that rules() are the last good ones. Nothing changes with other errors: CANCELLED when `stop`
  // is asked for, FAILED_PRECONDITION when all steps are done.
  virtual absl::StatusOr<TrainingStep> Step(absl::Span<const int32_t> window,
                                            std::stop_token stop) = 0;

  // Steps done, 0..step_count.
  virtual int64_t step() const = 0;
  // The rules with the present scales.
  virtual QuantizationRules rules() const = 0;
  // Share of each site in the squared gradient of all steps so far, 0..1.
  virtual std::vector<double> gradient_shares() const = 0;
  // What each step so far gave.
  virtual absl::Span<const TrainingStep> history() const = 0;

  // The state between two steps, some KiB. A trainer with the same inputs goes on from it exactly.
  virtual std::string Checkpoint() const = 0;
  // FAILED_PRECONDITION if the checkpoint has another fingerprint (both are named) or another form
  // version; INVALID_ARGUMENT if it is damaged. Nothing changes then.
  virtual absl::Status Restore(absl::string_view checkpoint) = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_SCALE_TRAINER_H_
