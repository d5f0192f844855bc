#include "quant/methods/self_generation.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/types/span.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model_parts.h"
#include "quant/model/site_executor.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

constexpr int64_t kMaxBatchSize = 32;
// Most bytes of keys and values, unless one sequence alone has more.
constexpr int64_t kMaxCacheBytes = int64_t{512} << 20;
constexpr int64_t kMinGreedyTokens = 3;
constexpr uint64_t kGreedyTokenChoices = 3;

// A sequence that is being written. Its random numbers are its own, the same in every standard
// library.
class Writer {
 public:
  Writer(uint64_t seed, uint64_t index, int64_t vocab_size) {
    std::seed_seq mixed = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                           static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32)};
    random_.seed(mixed);
    tokens_.push_back(static_cast<int32_t>(Uniform() * static_cast<double>(vocab_size)));
    greedy_token_count_ = kMinGreedyTokens + static_cast<int64_t>(random_() % kGreedyTokenChoices);
  }

  // The next token by these logits.
  absl::Status Append(absl::Span<const float> logits) {
    const auto largest = std::max_element(logits.begin(), logits.end());
    std::vector<double> sums;  // of exp(logit - largest), up to each token
    double sum = 0;
    for (const float logit : logits) {
      sum += std::exp(static_cast<double>(logit) - static_cast<double>(*largest));
      sums.push_back(sum);
    }
    if (!std::isfinite(sum)) {
      return WithReason(absl::FailedPreconditionError(
                            "the model gives logits that are not finite: it cannot write text"),
                        "DIVERGED");
    }
    const bool greedy = static_cast<int64_t>(tokens_.size()) <= greedy_token_count_;
    const int64_t token =
        greedy ? largest - logits.begin()
               : std::upper_bound(sums.begin(), sums.end(), Uniform() * sum) - sums.begin();
    // A product that rounds up to the sum itself lies behind the last token.
    tokens_.push_back(
        static_cast<int32_t>(std::min(token, static_cast<int64_t>(logits.size()) - 1)));
    return absl::OkStatus();
  }

  std::vector<int32_t>& tokens() { return tokens_; }

 private:
  // In [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  std::mt19937_64 random_;
  int64_t greedy_token_count_ = 0;
  std::vector<int32_t> tokens_;
};

int64_t BatchSize(const ModelConfig& config, int64_t token_count) {
  const int64_t sequence_bytes = 2 * token_count * config.layer_count * config.kv_head_count *
                                 config.head_dim * static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(kMaxCacheBytes / sequence_bytes, 1, kMaxBatchSize);
}

// Writes sequences first..first+count-1 side by side, one token each at a time.
absl::Status WriteBatch(const Model& model, const SelfGenerationOptions& options,
                        const at::Tensor& head, SiteExecutor& executor, int64_t first,
                        int64_t count, std::vector<std::vector<int32_t>>& sequences) {
  const int64_t vocab_size = head.size(0);
  std::vector<Writer> writers;
  for (int64_t i = first; i < first + count; ++i) {
    writers.emplace_back(options.seed, static_cast<uint64_t>(i), vocab_size);
  }
  KvCache cache;
  while (static_cast<int64_t>(writers[0].tokens().size()) < options.token_count) {
    std::vector<int32_t> last;
    for (Writer& writer : writers) last.push_back(writer.tokens().back());
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden,
                          ForwardBatch(model, last, count, executor,
                                       {.past = &cache, .kept = &cache, .stop = options.stop}));
    const at::Tensor logits = at::matmul(hidden, head.t()).cpu();
    for (int64_t i = 0; i < count; ++i) {
      SASQ_RETURN_IF_ERROR(writers[static_cast<size_t>(i)].Append(absl::MakeConstSpan(
          logits.const_data_ptr<float>() + i * vocab_size, static_cast<size_t>(vocab_size))));
    }
  }
  for (Writer& writer : writers) sequences.push_back(std::move(writer.tokens()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::vector<int32_t>>> GenerateTrainingText(
    const std::shared_ptr<const Model>& model, const SelfGenerationOptions& options) {
  SASQ_CHECK(options.sequence_count > 0 && options.token_count > 0);
  return CatchTorchOr([&]() -> absl::StatusOr<std::vector<std::vector<int32_t>>> {
    const at::NoGradGuard no_grad;
    const at::Tensor head = FloatTensor(model->parts().head, model->parts().device);
    const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
    std::vector<std::vector<int32_t>> sequences;
    const int64_t batch_size = BatchSize(model->config(), options.token_count);
    for (int64_t first = 0; first < options.sequence_count; first += batch_size) {
      const int64_t count = std::min(batch_size, options.sequence_count - first);
      SASQ_RETURN_IF_ERROR(WriteBatch(*model, options, head, *executor, first, count, sequences));
    }
    return sequences;
  });
}

}  // namespace sasq
