// A config.json: of a model that is accepted, everything that plans are made of can be counted.
#include "quant/format/model_config.h"

#include "common/status_macros.h"
#include "quant/format/flop_count.h"
#include "quant/format/memory_estimate.h"
#include "quant/format/site.h"
#include "quant/format/site_linears.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

constexpr int64_t kWindowTokens = 2048;

void Run(absl::string_view json) {
  (void)ParseEosTokenIds(json, "generation_config.json");
  const absl::StatusOr<ModelConfig> config = ParseModelConfig(json);
  if (!config.ok()) return;
  SASQ_CHECK(config->ParameterCount() > config->LinearParameterCount());
  SASQ_CHECK(EvaluationMemoryBytes(*config, kWindowTokens) > 0);
  SASQ_CHECK(TrainingMemoryBytes(*config, kWindowTokens) > 0);
  SASQ_CHECK(ForwardFlopCount(*config, kWindowTokens) > 0);
  for (int kind = 0; kind < kSiteKindCount; ++kind) {
    int64_t weights = 0;
    for (const LinearShape& linear : LinearsOf(*config, {0, static_cast<SiteKind>(kind)})) {
      weights += linear.out_features * linear.in_features;
    }
    SASQ_CHECK(weights > 0 && weights <= config->LinearParameterCountPerLayer());
  }
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
