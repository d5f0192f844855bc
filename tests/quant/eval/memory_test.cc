// A long window over a large vocabulary: its logits never exist as a whole.
#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "quant/eval/agreement.h"
#include "quant/eval/decode.h"
#include "quant/eval/perplexity.h"
#include "quant/format/memory_estimate.h"
#include "quant/model/forward.h"
#include "quant/model/model_parts.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr int64_t kTokens = 2048;
constexpr int64_t kVocabSize = 100'003;
constexpr int64_t kHiddenSize = 16;
constexpr int64_t kHeadBytes = kVocabSize * kHiddenSize * 4;
// Activations of this model, hidden states and blocks of rows.
constexpr int64_t kRestBytes = int64_t{16} << 20;
static_assert(kTokens * kVocabSize * 4 > 6 * kLogitsChunkBytes);

// Counts what LibTorch's allocator hands out to this thread, as its profiler does.
class TensorBytes final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    present_ += size;
    peak_ = std::max(peak_, present_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak() const { return peak_; }

 private:
  int64_t present_ = 0;
  int64_t peak_ = 0;
};

// The most bytes that tensors had at a time while `work` ran, above what there was before.
int64_t PeakTensorBytes(const std::function<void()>& work) {
  const auto bytes = std::make_shared<TensorBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, bytes);
  work();
  return bytes->peak();
}

std::shared_ptr<const Model> LargeVocabularyModel(uint64_t seed) {
  TinyModelOptions options;
  options.hidden_size = kHiddenSize;
  options.intermediate_size = 16;
  options.layer_count = 1;
  options.head_count = 2;
  options.kv_head_count = 1;
  options.head_dim = 8;
  options.vocab_size = kVocabSize;
  options.max_position_count = kTokens;
  options.seed = seed;
  return Model::Load(MakeTinyModel(options)).value();
}

class MemoryTest : public ::testing::Test {
 protected:
  MemoryTest()
      : model_(LargeVocabularyModel(1)),
        row_(LargeVocabularyModel(2)),
        executor_(MakeFloatExecutor(row_)) {
    for (int64_t i = 0; i < kTokens; ++i) {
      tokens_.push_back(static_cast<int32_t>((i * 7919 + 13) % kVocabSize));
    }
  }

  std::unique_ptr<const FloatPredictions> Predictions(absl::Span<const int32_t> window) const {
    const std::vector<absl::Span<const int32_t>> windows = {window};
    return FloatPredictions::Create(model_, windows, {}).value();
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Model> row_;
  std::unique_ptr<SiteExecutor> executor_;
  std::vector<int32_t> tokens_;
};

TEST_F(MemoryTest, PerplexityHoldsAChunkOfLogits) {
  const std::vector<EvaluationWindow> windows = {{tokens_}};
  const int64_t bytes = PeakTensorBytes([&] {
    EXPECT_EQ(EvaluatePerplexity(*row_, *executor_, windows, {})->token_count, kTokens - 1);
  });
  EXPECT_LE(bytes, kLogitsChunkBytes + kHeadBytes + kRestBytes);
  EXPECT_GT(bytes, kLogitsChunkBytes / 2);  // else nothing was counted
}

TEST_F(MemoryTest, DecodingHoldsAChunkOfLogits) {
  const std::vector<EvaluationWindow> windows = {{tokens_}};
  const int64_t bytes = PeakTensorBytes([&] {
    EXPECT_EQ(EvaluateDecoding(*row_, *executor_, *executor_, windows, {})->token_count,
              kTokens / 2 - 1);
  });
  EXPECT_LE(bytes, kLogitsChunkBytes + kHeadBytes + kRestBytes);
  EXPECT_GT(bytes, kLogitsChunkBytes / 2);
}

TEST_F(MemoryTest, AgreementHoldsAChunkOfLogitsOfBothModels) {
  const std::unique_ptr<const FloatPredictions> predictions = Predictions(tokens_);
  const int64_t bytes = PeakTensorBytes([&] {
    EXPECT_EQ(MeasureAgreement(*row_, *executor_, *predictions, {})->prediction_count, kTokens - 1);
  });
  EXPECT_LE(bytes, kLogitsChunkBytes + 2 * kHeadBytes + kRestBytes);
  EXPECT_GT(bytes, kLogitsChunkBytes / 2);
}

TEST_F(MemoryTest, ChunksChangeNothing) {
  // 300 tokens take three chunks; here is one.
  const absl::Span<const int32_t> window = absl::MakeConstSpan(tokens_).first(300);
  const auto log_probabilities = [&](const std::shared_ptr<const Model>& model) {
    const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
    const at::Tensor hidden = Forward(*model, window, *executor).value();
    const at::Tensor head = FloatTensor(model->parts().head, at::kCPU);
    return at::log_softmax(at::mm(hidden, head.t()), 1);
  };
  const at::Tensor p = log_probabilities(model_);
  const at::Tensor q = log_probabilities(row_);
  const at::Tensor divergence = p.exp().mul(p.sub(q)).sum(1).to(at::kDouble);
  const Agreement agreement = MeasureAgreement(*row_, *executor_, *Predictions(window), {}).value();
  // Divergences of order 1, sums of 100,003 float32 terms.
  EXPECT_NEAR(agreement.kl_divergence, divergence.narrow(0, 0, 299).mean().item<double>(), 1e-4);
  // The last part has the predictions i with 16 * i >= 15 * 299.
  EXPECT_NEAR(agreement.kl_by_position.back(), divergence.narrow(0, 281, 18).mean().item<double>(),
              1e-4);
}

}  // namespace
}  // namespace sasq::testing
