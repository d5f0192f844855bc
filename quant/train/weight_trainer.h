// Quantization-aware training of the linears' weights by distillation (LLM-QAT, arXiv 2305.17888,
// sections 2.2 and 2.3). For the engine alone: whoever includes this includes LibTorch.
//
// The student is the teacher with fake-quantized linears: weights rounded symmetrically per output
// channel, activations per token, each with its absmax as the clip (the paper's MinMax), so
// that the straight-through gradient of both is 1. The loss is the divergence of the student's next
// token from the teacher's whole softmax: the paper's cross entropy of logits less the
// teacher's entropy, which has no gradient. AdamW without weight decay (arXiv 1711.05101), cosine.
// Norms, biases, embeddings and the output layer are frozen; the paper trains them too.
//
// Memory: 12 bytes for each weight of the linears (the weights and both of Adam's moments in
// float32), the output layer in float32, the graphs of some layers, and for a moment the weights
// and the gradient of one site. Gradients of all weights never exist together: each site is updated
// as soon as its gradient is there, when nothing before it in the backward pass reads it any more.
#ifndef SASQ_QUANT_TRAIN_WEIGHT_TRAINER_H_
#define SASQ_QUANT_TRAIN_WEIGHT_TRAINER_H_

#include <cstdint>
#include <memory>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"

namespace sasq {

struct WeightTrainerOptions {
  int64_t step_count = 30;
  double learning_rate = 2e-5;    // peak
  int64_t warmup_step_count = 0;  // linear; 0..step_count
  double beta1 = 0.9;             // Adam's
  double beta2 = 0.999;
  double epsilon = 1e-8;
  int weight_bits = 8;
  int activation_bits = 8;
  // The first token of a window and its copies keep float activations; what is predicted from the
  // first one is not scored.
  bool leading_tokens_float = false;
};

// One thread.
class WeightTrainer {
 public:
  // Copies the linears' weights of `teacher`.
  static absl::StatusOr<std::unique_ptr<WeightTrainer>> Create(std::shared_ptr<const Model> teacher,
                                                               WeightTrainerOptions options);
  virtual ~WeightTrainer() = default;

  // Teacher's and student's forward pass on `window`, the student's backward pass and update.
  // Returns the divergence before the update, in nats per token. FAILED_PRECONDITION with the
  // reason DIVERGED when it or a gradient is not finite. After an error, CANCELLED included, the
  // weights may be updated in part.
  virtual absl::StatusOr<double> Step(absl::Span<const int32_t> window, std::stop_token stop) = 0;

  // The teacher with the trained weights, unquantized. The trainer is empty afterwards.
  virtual absl::StatusOr<std::shared_ptr<const Model>> Finish() = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_WEIGHT_TRAINER_H_
