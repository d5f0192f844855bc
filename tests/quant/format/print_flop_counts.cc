// Prints what flop_count.h counts, for flop_count_test.py:
//   print_flop_counts HIDDEN INTERMEDIATE LAYERS HEADS KV_HEADS HEAD_DIM VOCABULARY TOKENS
#include <cstdio>
#include <cstdlib>

#include "quant/format/flop_count.h"

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  const auto number = [&](int i) { return std::strtoll(argv[i], nullptr, 10); };
  sasq::ModelConfig config;
  config.hidden_size = number(1);
  config.intermediate_size = number(2);
  config.layer_count = number(3);
  config.head_count = number(4);
  config.kv_head_count = number(5);
  config.head_dim = number(6);
  config.vocab_size = number(7);
  const int64_t token_count = number(8);
  std::printf(
      "{\"parameters\": %lld, \"forward\": %.0f, \"scale_step\": %.0f, \"weight_step\": %.0f}\n",
      static_cast<long long>(config.LinearParameterCount()),
      sasq::ForwardFlopCount(config, token_count), sasq::TrainingStepFlopCount(config, token_count),
      sasq::WeightTrainingStepFlopCount(config, token_count));
  return 0;
}
