#include "quant/eval/agreement.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "quant/format/memory_estimate.h"
#include "quant/model/forward.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {

struct FloatPredictions::Window {
  absl::Span<const int32_t> tokens;
  at::Tensor hidden;  // [tokens, hidden_size]
};

namespace {

// Tensors of a chunk's size that exist at once: log probabilities of both models, and the logits
// that one is made of.
constexpr int64_t kChunkTensors = 3;

// Output layers, float32 [vocab_size, hidden_size]: one tensor if they are the same.
struct Heads {
  at::Tensor of_float;
  at::Tensor of_row;
};

Heads LoadHeads(const Model& float_model, const Model& row, at::Device device) {
  const TensorView& float_head = float_model.parts().head;
  const TensorView& row_head = row.parts().head;
  Heads heads;
  heads.of_float = FloatTensor(float_head, device);
  const bool same = float_head.bytes.data() == row_head.bytes.data();
  heads.of_row = same ? heads.of_float : FloatTensor(row_head, device);
  return heads;
}

// What two models predict at some positions: [positions] on the CPU.
struct ChunkAgreement {
  at::Tensor divergence;  // float32, nats
  at::Tensor same_top;    // bool
};

ChunkAgreement Compare(const at::Tensor& float_hidden, const at::Tensor& row_hidden,
                       const Heads& heads) {
  const auto log_probabilities = [](const at::Tensor& hidden, const at::Tensor& head) {
    return at::log_softmax(at::mm(hidden, head.t()), /*dim=*/1);
  };
  at::Tensor p = log_probabilities(float_hidden, heads.of_float);
  at::Tensor q = log_probabilities(row_hidden, heads.of_row);
  ChunkAgreement chunk;
  chunk.same_top = at::eq(at::argmax(p, /*dim=*/1), at::argmax(q, /*dim=*/1)).cpu();
  // Sum of p * (log p - log q), in place.
  q.sub_(p).mul_(p.exp_());
  chunk.divergence = at::sum(q, /*dim=*/1).neg_().cpu();
  return chunk;
}

// Sums over predictions, in equal parts of a window.
class Sums {
 public:
  explicit Sums(int64_t part_count)
      : divergence_(static_cast<size_t>(part_count)),
        same_top_(divergence_.size()),
        count_(divergence_.size()) {}

  // The prediction number `index` of the `count` of a window.
  void Add(int64_t index, int64_t count, double divergence, bool same_top) {
    const auto part = static_cast<size_t>(index) * count_.size() / static_cast<size_t>(count);
    divergence_[part] += divergence;
    same_top_[part] += same_top ? 1 : 0;
    ++count_[part];
  }

  Agreement Means() const {
    Agreement means;
    double divergence = 0;
    double same_top = 0;
    for (size_t part = 0; part < count_.size(); ++part) {
      const auto count = static_cast<double>(count_[part]);
      means.kl_by_position.push_back(OrInfinity(divergence_[part] / count));
      means.top1_by_position.push_back(same_top_[part] / count);
      divergence += divergence_[part];
      same_top += same_top_[part];
      means.prediction_count += count_[part];
    }
    means.kl_divergence = OrInfinity(divergence / static_cast<double>(means.prediction_count));
    means.top1_agreement = same_top / static_cast<double>(means.prediction_count);
    return means;
  }

 private:
  static double OrInfinity(double value) {
    return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
  }

  std::vector<double> divergence_;
  std::vector<double> same_top_;
  std::vector<int64_t> count_;
};

int64_t FirstPosition(const PerplexityOptions& options) {
  return options.skip_first_prediction ? 1 : 0;
}

// Adds the window's predictions from `first` on, in chunks.
absl::Status AddWindow(const FloatPredictions::Window& window, const at::Tensor& row_hidden,
                       const Heads& heads, int64_t first, const std::stop_token& stop, Sums& sums) {
  const int64_t count = static_cast<int64_t>(window.tokens.size()) - 1 - first;
  const int64_t row_bytes = heads.of_row.size(0) * static_cast<int64_t>(sizeof(float));
  const int64_t chunk_rows = std::max<int64_t>(1, kLogitsChunkBytes / (kChunkTensors * row_bytes));
  for (int64_t begin = 0; begin < count; begin += chunk_rows) {
    if (stop.stop_requested()) return absl::CancelledError("stopped in the comparison");
    const int64_t rows = std::min(chunk_rows, count - begin);
    const ChunkAgreement chunk = Compare(window.hidden.narrow(0, first + begin, rows),
                                         row_hidden.narrow(0, first + begin, rows), heads);
    const float* const divergence = chunk.divergence.const_data_ptr<float>();
    const bool* const same_top = chunk.same_top.const_data_ptr<bool>();
    for (int64_t row = 0; row < rows; ++row) {
      sums.Add(begin + row, count, divergence[row], same_top[row]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

FloatPredictions::FloatPredictions(std::shared_ptr<const Model> model) : model_(std::move(model)) {}
FloatPredictions::~FloatPredictions() = default;

absl::StatusOr<std::unique_ptr<const FloatPredictions>> FloatPredictions::Create(
    std::shared_ptr<const Model> model, absl::Span<const absl::Span<const int32_t>> windows,
    const PerplexityOptions& options) {
  if (windows.empty()) return absl::InvalidArgumentError("there are no windows to compare on");
  std::unique_ptr<FloatPredictions> predictions(new FloatPredictions(std::move(model)));
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(predictions->model_);
  for (const absl::Span<const int32_t> tokens : windows) {
    SASQ_ASSIGN_OR_RETURN(at::Tensor hidden,
                          Forward(*predictions->model_, tokens, *executor,
                                  {.past = options.prefix, .stop = options.stop}));
    predictions->windows_.push_back({tokens, std::move(hidden)});
    if (options.on_window) options.on_window(static_cast<int64_t>(predictions->windows_.size()));
  }
  return predictions;
}

absl::StatusOr<Agreement> MeasureAgreement(const Model& row, SiteExecutor& executor,
                                           const FloatPredictions& float_predictions,
                                           const PerplexityOptions& options) {
  SASQ_CHECK(row.config().vocab_size == float_predictions.model().config().vocab_size);
  return CatchTorchOr([&]() -> absl::StatusOr<Agreement> {
    const at::NoGradGuard no_grad;
    const int64_t first = FirstPosition(options);
    int64_t part_count = kAgreementPartCount;
    for (const FloatPredictions::Window& window : float_predictions.windows()) {
      const int64_t count = static_cast<int64_t>(window.tokens.size()) - 1 - first;
      if (count < 1) {
        return absl::InvalidArgumentError("the window is too short to predict a token of it");
      }
      part_count = std::min(part_count, count);
    }
    const Heads heads = LoadHeads(float_predictions.model(), row, row.parts().device);
    Sums sums(part_count);
    int64_t windows_done = 0;
    for (const FloatPredictions::Window& window : float_predictions.windows()) {
      SASQ_ASSIGN_OR_RETURN(
          const at::Tensor hidden,
          Forward(row, window.tokens, executor, {.past = options.prefix, .stop = options.stop}));
      SASQ_RETURN_IF_ERROR(AddWindow(window, hidden, heads, first, options.stop, sums));
      if (options.on_window) options.on_window(++windows_done);
    }
    return sums.Means();
  });
}

}  // namespace sasq
