#include "quant/model/next_token_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/status_macros.h"
#include "quant/format/memory_estimate.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

constexpr int64_t kCachedBytes = 512 << 10;

// On the CPU few rows at a time, so that they stay in a cache from one operation to the next.
int64_t BlockRows(const at::Tensor& logits) {
  if (!logits.is_cpu()) return logits.size(0);
  return std::max<int64_t>(1,
                           kCachedBytes / (logits.size(1) * static_cast<int64_t>(sizeof(float))));
}

// The loss of one chunk of rows, whose targets are `targets` [rows, 1]. Turns `logits` [rows,
// vocab_size] into e = exp(logits - max of the row) and gives the rows' sums of e: softmax = e /
// sum.
struct ChunkLoss {
  double sum_nats = 0;
  at::Tensor exp_sums;  // [rows, 1]
};

ChunkLoss ComputeChunkLoss(const at::Tensor& logits, const at::Tensor& targets) {
  const int64_t row_count = logits.size(0);
  const int64_t block_rows = BlockRows(logits);
  std::vector<at::Tensor> block_logits, block_sums;
  for (int64_t row = 0; row < row_count; row += block_rows) {
    const int64_t rows = std::min(block_rows, row_count - row);
    at::Tensor block = logits.narrow(0, row, rows);
    block.sub_(at::amax(block, /*dim=*/1, /*keepdim=*/true));
    block_logits.push_back(block.gather(1, targets.narrow(0, row, rows)));
    block.exp_();
    block_sums.push_back(at::sum(block, /*dim=*/1, /*keepdim=*/true));
  }
  ChunkLoss loss;
  loss.exp_sums = at::cat(block_sums);
  const at::Tensor exp_sums = loss.exp_sums.cpu();
  const at::Tensor target_logits = at::cat(block_logits).cpu();
  const float* const logit = target_logits.const_data_ptr<float>();
  const float* const sum = exp_sums.const_data_ptr<float>();
  for (int64_t row = 0; row < targets.size(0); ++row) {
    loss.sum_nats += std::log(static_cast<double>(sum[row])) - static_cast<double>(logit[row]);
  }
  return loss;
}

// d (loss / count) / d hidden = (softmax - onehot) * head / count, of `exps` as ComputeChunkLoss
// leaves them.
void ChunkGradient(at::Tensor& exps, const ChunkLoss& loss, const at::Tensor& targets,
                   const at::Tensor& head, int64_t count, at::Tensor grad_rows) {
  exps.scatter_add_(1, targets, -loss.exp_sums);
  at::mm_out(grad_rows, exps, head);
  grad_rows.div_(loss.exp_sums).mul_(1.0 / static_cast<double>(count));
}

// The sum of KL(p || q) over the rows of a chunk, p = softmax(teacher), q = softmax(student).
// Leaves q - p in `student`; overwrites `teacher`. With t and s the logits less the maximum of
// their row,
//   KL = sum_v p_v (t_v - s_v) - ln sum_v exp(t_v) + ln sum_v exp(s_v).
double ComputeChunkDivergence(const at::Tensor& student, const at::Tensor& teacher) {
  const int64_t row_count = student.size(0);
  const int64_t block_rows = BlockRows(student);
  std::vector<at::Tensor> block_divergences;
  for (int64_t row = 0; row < row_count; row += block_rows) {
    const int64_t rows = std::min(block_rows, row_count - row);
    at::Tensor s = student.narrow(0, row, rows);
    at::Tensor t = teacher.narrow(0, row, rows);
    s.sub_(at::amax(s, /*dim=*/1, /*keepdim=*/true));
    t.sub_(at::amax(t, /*dim=*/1, /*keepdim=*/true));
    at::Tensor difference = t - s;
    const at::Tensor s_sums = at::sum(s.exp_(), /*dim=*/1, /*keepdim=*/true);
    const at::Tensor t_sums = at::sum(t.exp_(), /*dim=*/1, /*keepdim=*/true);
    t.div_(t_sums);
    s.div_(s_sums).sub_(t);
    const at::Tensor mean_difference = at::sum(difference.mul_(t), /*dim=*/1, /*keepdim=*/true);
    block_divergences.push_back(mean_difference.to(at::kDouble) - t_sums.to(at::kDouble).log() +
                                s_sums.to(at::kDouble).log());
  }
  return at::cat(block_divergences).sum().item<double>();
}

int64_t LogitsRowBytes(const Model& model) {
  return model.config().vocab_size * static_cast<int64_t>(sizeof(float));
}

at::Tensor TargetColumn(absl::Span<const int32_t> tokens, at::Device device) {
  const at::Tensor column = at::empty({static_cast<int64_t>(tokens.size()), 1}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), column.mutable_data_ptr<int64_t>());
  return column.to(device);
}

}  // namespace

struct NextTokenLoss::Tensors {
  at::Tensor head;    // [vocab_size, hidden_size]
  at::Tensor logits;  // [most rows so far, vocab_size]
};

NextTokenLoss::NextTokenLoss(const Model& model)
    : model_(model), tensors_(std::make_unique<Tensors>()) {}
NextTokenLoss::~NextTokenLoss() = default;

void NextTokenLoss::Prepare(const at::Tensor& hidden, int64_t row_count) {
  auto& [head, buffer] = *tensors_;
  if (!head.defined()) head = FloatTensor(model_.parts().head, hidden.device());
  if (!buffer.defined() || buffer.size(0) < row_count) {
    buffer = at::empty({row_count, head.size(0)}, hidden.options());
  }
}

absl::StatusOr<SequenceLoss> NextTokenLoss::Compute(const at::Tensor& hidden,
                                                    absl::Span<const int32_t> tokens,
                                                    int64_t first_position, std::stop_token stop,
                                                    at::Tensor* grad_hidden) {
  return CatchTorchOr([&]() -> absl::StatusOr<SequenceLoss> {
    const at::NoGradGuard no_grad;
    const int64_t end = static_cast<int64_t>(tokens.size()) - 1;
    SASQ_CHECK(hidden.size(0) == end + 1 && first_position >= 0);
    if (first_position >= end) {
      return absl::InvalidArgumentError("the sequence is too short to predict a token of it");
    }
    const at::Tensor targets = TargetColumn(tokens, hidden.device());
    if (grad_hidden != nullptr) *grad_hidden = at::zeros(hidden.sizes(), hidden.options());

    SequenceLoss loss;
    loss.count = end - first_position;
    const int64_t chunk_rows =
        std::clamp<int64_t>(kLogitsChunkBytes / LogitsRowBytes(model_), 1, loss.count);
    Prepare(hidden, chunk_rows);
    const auto& [head, buffer] = *tensors_;
    for (int64_t row = first_position; row < end; row += chunk_rows) {
      if (stop.stop_requested()) return absl::CancelledError("stopped in the loss");
      const int64_t rows = std::min(chunk_rows, end - row);
      at::Tensor logits = buffer.narrow(0, 0, rows);
      at::mm_out(logits, hidden.narrow(0, row, rows), head.t());
      const at::Tensor chunk_targets = targets.narrow(0, row + 1, rows);
      const ChunkLoss chunk = ComputeChunkLoss(logits, chunk_targets);
      loss.sum_nats += chunk.sum_nats;
      if (grad_hidden != nullptr) {
        ChunkGradient(logits, chunk, chunk_targets, head, loss.count,
                      grad_hidden->narrow(0, row, rows));
      }
    }
    return loss;
  });
}

absl::StatusOr<SequenceLoss> NextTokenLoss::ComputeDistillation(const at::Tensor& hidden,
                                                                const at::Tensor& teacher_hidden,
                                                                int64_t first_position,
                                                                std::stop_token stop,
                                                                at::Tensor* grad_hidden) {
  return CatchTorchOr([&]() -> absl::StatusOr<SequenceLoss> {
    const at::NoGradGuard no_grad;
    const int64_t end = hidden.size(0);
    SASQ_CHECK(hidden.sizes() == teacher_hidden.sizes() && first_position >= 0);
    if (first_position >= end) {
      return absl::InvalidArgumentError("the sequence is too short to predict a token after it");
    }
    if (grad_hidden != nullptr) *grad_hidden = at::zeros(hidden.sizes(), hidden.options());
    SequenceLoss loss;
    loss.count = end - first_position;
    // A chunk has logits of the student and of the teacher, and on CUDA their difference.
    const int64_t chunk_rows =
        std::clamp<int64_t>(kLogitsChunkBytes / (3 * LogitsRowBytes(model_)), 1, loss.count);
    Prepare(hidden, 2 * chunk_rows);
    const auto& [head, buffer] = *tensors_;
    for (int64_t row = first_position; row < end; row += chunk_rows) {
      if (stop.stop_requested()) return absl::CancelledError("stopped in the loss");
      const int64_t rows = std::min(chunk_rows, end - row);
      at::Tensor student = buffer.narrow(0, 0, rows);
      at::Tensor teacher = buffer.narrow(0, rows, rows);
      at::mm_out(student, hidden.narrow(0, row, rows), head.t());
      at::mm_out(teacher, teacher_hidden.narrow(0, row, rows), head.t());
      loss.sum_nats += ComputeChunkDivergence(student, teacher);
      if (grad_hidden != nullptr) {
        // d (sum KL) / d logits = q - p.
        at::Tensor grad_rows = grad_hidden->narrow(0, row, rows);
        at::mm_out(grad_rows, student, head);
        grad_rows.mul_(1.0 / static_cast<double>(loss.count));
      }
    }
    return loss;
  });
}

}  // namespace sasq
