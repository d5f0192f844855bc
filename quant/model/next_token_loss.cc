#include "quant/model/next_token_loss.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "common/status_macros.h"
#include "quant/model/float_weights.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

constexpr int64_t kLogitsChunkBytes = 64 << 20;

// The loss of one chunk of rows, whose targets are `targets`. Turns `logits` [rows, vocab_size]
// into d (sum of losses) / d logits = softmax - onehot if `want_gradient`.
double ChunkLoss(at::Tensor& logits, absl::Span<const int32_t> targets, bool want_gradient) {
  const at::Tensor log_sums = at::logsumexp(logits, /*dim=*/1, /*keepdim=*/true);
  const float* log_sum = log_sums.const_data_ptr<float>();
  const int64_t vocab_size = logits.size(1);
  float* logit = logits.mutable_data_ptr<float>();
  double sum = 0;
  for (size_t row = 0; row < targets.size(); ++row) {
    sum += static_cast<double>(log_sum[row]) -
           static_cast<double>(logit[static_cast<int64_t>(row) * vocab_size + targets[row]]);
  }
  if (!want_gradient) return sum;
  logits.sub_(log_sums).exp_();
  for (size_t row = 0; row < targets.size(); ++row) {
    logit[static_cast<int64_t>(row) * vocab_size + targets[row]] -= 1;
  }
  return sum;
}

}  // namespace

absl::StatusOr<SequenceLoss> NextTokenLoss(const Model& model, const at::Tensor& hidden,
                                           absl::Span<const int32_t> tokens, int64_t first_position,
                                           std::stop_token stop, at::Tensor* grad_hidden) {
  return CatchTorchOr([&]() -> absl::StatusOr<SequenceLoss> {
    const at::NoGradGuard no_grad;
    const int64_t end = static_cast<int64_t>(tokens.size()) - 1;
    SASQ_CHECK(hidden.size(0) == end + 1 && first_position >= 0);
    if (first_position >= end) {
      return absl::InvalidArgumentError("the sequence is too short to predict a token of it");
    }
    const TensorView& view = model.parts().head;
    at::Tensor head = at::empty(view.shape, at::kFloat);
    CopyAsFloat(view, 0, view.element_count(), head.mutable_data_ptr<float>());
    if (grad_hidden != nullptr) *grad_hidden = at::zeros(hidden.sizes(), hidden.options());

    SequenceLoss loss;
    loss.count = end - first_position;
    const int64_t row_bytes = view.shape[0] * static_cast<int64_t>(sizeof(float));
    const int64_t chunk_rows = std::clamp<int64_t>(kLogitsChunkBytes / row_bytes, 1, loss.count);
    at::Tensor buffer = at::empty({chunk_rows, view.shape[0]}, at::kFloat);
    for (int64_t row = first_position; row < end; row += chunk_rows) {
      if (stop.stop_requested()) return absl::CancelledError("stopped in the loss");
      const int64_t rows = std::min(chunk_rows, end - row);
      at::Tensor logits = buffer.narrow(0, 0, rows);
      at::mm_out(logits, hidden.narrow(0, row, rows), head.t());
      loss.sum_nats += ChunkLoss(logits, tokens.subspan(row + 1, rows), grad_hidden != nullptr);
      if (grad_hidden == nullptr) continue;
      at::Tensor grad_rows = grad_hidden->narrow(0, row, rows);
      at::mm_out(grad_rows, logits, head);
      grad_rows.mul_(1.0 / static_cast<double>(loss.count));
    }
    return loss;
  });
}

}  // namespace sasq
