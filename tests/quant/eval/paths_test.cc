// The perplexity of INT8 models does not depend on the kernels' path, not by one bit.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/cpu_path.h"
#include "quant/eval/perplexity.h"
#include "quant/model/quantized_weights.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

class PathsTest : public ::testing::Test {
 protected:
  PathsTest() {
    for (int32_t i = 0; i < 200; ++i) tokens_.push_back((i * 37 + 11) % 256);
  }

  // Static and dynamic perplexity on one path.
  std::vector<double> Perplexities(kernels::CpuPath path) const {
    const std::shared_ptr<const QuantizedWeights> weights =
        QuantizedWeights::Create(model_, path).value();
    const std::vector<absl::Span<const int32_t>> windows = {
        absl::MakeConstSpan(tokens_).first(77), absl::MakeConstSpan(tokens_).subspan(77)};
    std::vector<double> perplexities;
    for (const bool first_token_float : {false, true}) {
      const std::unique_ptr<SiteExecutor> dynamic = MakeDynamicExecutor(weights, first_token_float);
      const std::unique_ptr<SiteExecutor> fixed =
          MakeStaticExecutor(weights, std::vector<float>(model_->sites().size(), 0.03f),
                             first_token_float)
              .value();
      for (SiteExecutor* executor : {dynamic.get(), fixed.get()}) {
        perplexities.push_back(
            EvaluatePerplexity(*model_, *executor, windows, {}).value().perplexity);
      }
    }
    return perplexities;
  }

  const std::shared_ptr<const Model> model_ = Model::Load(MakeTinyModel()).value();
  std::vector<int32_t> tokens_;
};

TEST_F(PathsTest, PerplexityIsTheSameOnEveryPath) {
  const std::vector<double> want = Perplexities(kernels::CpuPath::kPortable);
  for (const kernels::CpuPath path : kernels::AvailableCpuPaths()) {
    EXPECT_EQ(Perplexities(path), want) << kernels::CpuPathName(path);
  }
  // What SASQ_KERNEL_PATH forces, or the fastest.
  EXPECT_EQ(Perplexities(kernels::SelectCpuPath().value()), want);
}

}  // namespace
}  // namespace sasq::testing
