// Next-token cross entropy, and the divergence from another forward pass's predictions.
#ifndef SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_
#define SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_

#include <cstdint>
#include <memory>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"

namespace at {
class Tensor;
}  // namespace at

namespace sasq {

// The loss of one sequence.
struct SequenceLoss {
  double sum_nats = 0;  // sum over the scored predictions
  int64_t count = 0;    // scored predictions
};

// The output layer of a model and the loss of what it predicts. Holds the layer's weights in
// float32 and room for a chunk of logits, at most 128 MiB. One thread.
class NextTokenLoss {
 public:
  // `model` must outlive this.
  explicit NextTokenLoss(const Model& model);
  ~NextTokenLoss();
  NextTokenLoss(const NextTokenLoss&) = delete;
  NextTokenLoss& operator=(const NextTokenLoss&) = delete;

  // Loss of predicting token t + 1 from hidden[t] for t in first_position..tokens-2. If
  // `grad_hidden` is not null it receives d (mean loss) / d hidden, [tokens, hidden_size], in
  // closed form.
  absl::StatusOr<SequenceLoss> Compute(const at::Tensor& hidden, absl::Span<const int32_t> tokens,
                                       int64_t first_position, std::stop_token stop = {},
                                       at::Tensor* grad_hidden = nullptr);

  // KL(teacher || student) = sum over the vocabulary of p (ln p - ln q), where p and q are what the
  // output layer predicts from teacher_hidden[t] and hidden[t], both [tokens, hidden_size], for t
  // in first_position..tokens-1. (The cross entropy against p is larger by p's own entropy and has
  // the same gradient.) `grad_hidden` receives d (mean KL) / d hidden in closed form. A float32 sum
  // over the vocabulary: about 1e-6 nats of each KL are rounding.
  absl::StatusOr<SequenceLoss> ComputeDistillation(const at::Tensor& hidden,
                                                   const at::Tensor& teacher_hidden,
                                                   int64_t first_position,
                                                   std::stop_token stop = {},
                                                   at::Tensor* grad_hidden = nullptr);

 private:
  struct Tensors;

  // Fills the output layer's weights, and room for `row_count` rows of logits.
  void Prepare(const at::Tensor& hidden, int64_t row_count);

  const Model& model_;
  const std::unique_ptr<Tensors> tensors_;  // filled when they are first needed
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_
