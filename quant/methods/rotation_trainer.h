// Learns a model's rotations (SpinQuant, arXiv 2405.16406, section 3.2): R1 and each layer's R2
// move on the manifold of orthogonal matrices by Cayley steps (quant/train/stiefel.h) so that the
// next-token cross entropy of the network with quantized activations and float weights falls. For
// the engine alone: whoever includes this includes LibTorch.
//
// The weights are not rotated while R is learned. A site that reads x with the weights W computes
//   x_hat = Q(x R) R^T,   y = x_hat W^T
// with R = R1 for qkv_in and gate_up_in, R2 for each head of o_in, none for down_in, and Q one
// scale per token with the straight-through gradient. Everything between two sites is linear in the
// residual stream or commutes with R1 (RMSNorm without gains), so this is the function that the
// rotated residual stream and the weights W R compute: R and R^T cancel everywhere but around Q.
// Both ways have different Euclidean gradients outside of the manifold and the same one along it,
// which is all that a Cayley step reads. Weights stay as they are, and no gradient of theirs is
// computed.
#ifndef SASQ_QUANT_METHODS_ROTATION_TRAINER_H_
#define SASQ_QUANT_METHODS_ROTATION_TRAINER_H_

#include <cstdint>
#include <memory>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/methods/rotation.h"
#include "quant/model/model.h"

namespace sasq {

struct RotationTrainerOptions {
  int64_t step_count = 30;
  double learning_rate = 1.5;     // peak; falls linearly, to 0 after the last step
  int64_t warmup_step_count = 0;  // linear; 0..step_count
  double momentum = 0;            // of the Cayley steps
  int activation_bits = 8;
  // The first token of a window and its copies keep float activations; what is predicted from the
  // first one is not scored.
  bool leading_tokens_float = false;
};

// The loss of one window and its gradient.
struct RotationGradients {
  double loss = 0;      // nats per token
  at::Tensor residual;  // by R1, float64 [hidden_size, hidden_size]
  at::Tensor values;    // by R2, float64 [layers, head_dim, head_dim]
};

// Outcome of one step.
struct RotationStep {
  double loss = 0;  // before the update, nats per token
  // Forward pass and gradients of activations, those of the rotations, and the Cayley steps; what
  // is computed a second time to save memory is not counted.
  double flop_count = 0;
};

// One thread.
class RotationTrainer {
 public:
  // `model` has norms without gains and may transform the input of down_proj: what RotateModel
  // gives of identities. `start` is orthogonal.
  RotationTrainer(std::shared_ptr<const Model> model, Rotations start,
                  RotationTrainerOptions options);
  ~RotationTrainer();

  // At the present rotations. INVALID_ARGUMENT and CANCELLED as of Forward.
  absl::StatusOr<RotationGradients> ComputeGradients(absl::Span<const int32_t> window,
                                                     std::stop_token stop);

  // One update. FAILED_PRECONDITION with the reason DIVERGED when the loss or a gradient is not
  // finite; rotations stay as they were with any error.
  absl::StatusOr<RotationStep> Step(absl::Span<const int32_t> window, std::stop_token stop);

  const Rotations& rotations() const { return rotations_; }

 private:
  struct State;

  const std::shared_ptr<const Model> model_;
  const RotationTrainerOptions options_;
  Rotations rotations_;
  const std::unique_ptr<State> state_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_ROTATION_TRAINER_H_
