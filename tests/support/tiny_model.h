// A small random model as a Hugging Face folder, for tests that need a whole one: config.json,
// model.safetensors and a byte-level tokenizer.json (one token a byte).
#ifndef SASQ_TESTS_SUPPORT_TINY_MODEL_H_
#define SASQ_TESTS_SUPPORT_TINY_MODEL_H_

#include <cstdint>
#include <string>

#include "quant/format/dtype.h"

namespace sasq::testing {

struct TinyModelOptions {
  std::string architecture = "LlamaForCausalLM";
  int64_t hidden_size = 64;
  int64_t intermediate_size = 96;
  int64_t layer_count = 2;
  int64_t head_count = 4;
  int64_t kv_head_count = 2;
  int64_t head_dim = 16;
  int64_t vocab_size = 300;  // the tokenizer uses 0..255
  int64_t max_position_count = 512;
  bool tie_word_embeddings = true;
  bool attention_bias = false;  // Qwen2ForCausalLM has biases on q, k and v in any case
  bool mlp_bias = false;
  bool qk_norm = false;         // what Qwen3ForCausalLM has
  float head_deviation = 0.5f;  // of the weights of an lm_head that is not tied
  std::string rope_scaling;     // JSON; empty: null
  Dtype dtype = Dtype::kBF16;   // F32, F16 or BF16
  uint64_t seed = 1;
  std::string without_tensor;  // left out of the file, if not empty
  std::string nan_tensor;      // its last element is a NaN, if not empty
};

// Writes the folder, which is made if need be. Ends the test program if that fails.
void WriteTinyModel(const std::string& folder, const TinyModelOptions& options = {});

// WriteTinyModel into MakeTemporaryFolder(); returns its path.
std::string MakeTinyModel(const TinyModelOptions& options = {});

// A new, empty folder, removed when the program ends.
std::string MakeTemporaryFolder();

// `byte_count` bytes of text (words, spaces, lines) from a seed.
std::string MakeText(int64_t byte_count, uint64_t seed = 1);

}  // namespace sasq::testing

#endif  // SASQ_TESTS_SUPPORT_TINY_MODEL_H_
