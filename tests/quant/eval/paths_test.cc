// The perplexity of INT8 models does not depend on the kernels' path, not by one bit.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu_path.h"
#include "quant/eval/perplexity.h"
#include "quant/model/quantized_weights.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr size_t kPerplexityCount = 4;

// Static and dynamic perplexity, each with and without the first token in float.
std::vector<double> Perplexities() {
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel()).value();
  const std::shared_ptr<const QuantizedWeights> weights = QuantizedWeights::Create(model).value();
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 200; ++i) tokens.push_back((i * 37 + 11) % 256);
  const std::vector<EvaluationWindow> windows = {{absl::MakeConstSpan(tokens).first(77)},
                                                 {absl::MakeConstSpan(tokens).subspan(77)}};
  std::vector<double> perplexities;
  for (const bool first_token_float : {false, true}) {
    for (const SitePrecision precision : {SitePrecision::kDynamic, SitePrecision::kStatic}) {
      QuantizationRules rules;
      rules.sites.assign(model->sites().size(), {precision, 0.03f});
      rules.leading_tokens_float = first_token_float;
      const std::unique_ptr<SiteExecutor> executor = MakeQuantizedExecutor(weights, rules).value();
      perplexities.push_back(EvaluatePerplexity(*model, *executor, windows, {}).value().perplexity);
    }
  }
  return perplexities;
}

// Perplexities of a process of its own: a process computes on one path.
std::vector<double> PerplexitiesOn(kernels::CpuPath path) {
  int results[2];
  EXPECT_EQ(pipe(results), 0);
  const pid_t child = fork();
  if (child == 0) {
    setenv("SASQ_KERNEL_PATH", std::string(kernels::CpuPathName(path)).c_str(), 1);
    const std::vector<double> values = Perplexities();
    const size_t bytes = values.size() * sizeof(double);
    _exit(write(results[1], values.data(), bytes) == static_cast<ssize_t>(bytes) ? 0 : 1);
  }
  close(results[1]);
  std::vector<double> values(kPerplexityCount);
  EXPECT_EQ(read(results[0], values.data(), kPerplexityCount * sizeof(double)),
            static_cast<ssize_t>(kPerplexityCount * sizeof(double)))
      << kernels::CpuPathName(path);
  close(results[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << kernels::CpuPathName(path);
  return values;
}

TEST(PathsTest, PerplexityIsTheSameOnEveryPath) {
  const std::vector<double> want = PerplexitiesOn(kernels::CpuPath::kPortable);
  for (const kernels::CpuPath path : kernels::AvailableCpuPaths()) {
    EXPECT_EQ(PerplexitiesOn(path), want) << kernels::CpuPathName(path);
  }
}

}  // namespace
}  // namespace sasq::testing
