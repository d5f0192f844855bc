#include "quant/format/memory_estimate.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

// SmolLM2-135M, whose peaks build/bin/train_bench measures: 1,018 MB in training on 256 tokens,
// 1,068 MB on 512, 816 MB in evaluation on 2,048. A plan wants the size, not the last tenth.
constexpr char kSmolLm2[] = R"json({"architectures": ["LlamaForCausalLM"], "hidden_size": 576,
  "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
  "num_key_value_heads": 3, "vocab_size": 49152, "max_position_embeddings": 8192,
  "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": true,
  "model_type": "llama"})json";

TEST(MemoryEstimateTest, IsNearWhatWasMeasured) {
  const ModelConfig config = ParseModelConfig(kSmolLm2, "config.json").value();
  EXPECT_NEAR(static_cast<double>(TrainingMemoryBytes(config, 256)), 1018e6, 0.25 * 1018e6);
  EXPECT_NEAR(static_cast<double>(TrainingMemoryBytes(config, 512)), 1068e6, 0.25 * 1068e6);
  EXPECT_NEAR(static_cast<double>(EvaluationMemoryBytes(config, 2048)), 816e6, 0.25 * 816e6);
}

}  // namespace
}  // namespace sasq
