// What config.json of a Hugging Face folder says about a LLaMA-family decoder. Cheap to read: the
// coordinator uses it to refuse a model before a worker sees it.
#ifndef SASQ_QUANT_FORMAT_MODEL_CONFIG_H_
#define SASQ_QUANT_FORMAT_MODEL_CONFIG_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

enum class Architecture { kLlama, kMistral, kQwen2, kQwen3 };

// "LlamaForCausalLM", as in config.json.
absl::string_view ArchitectureName(Architecture architecture);

// The names that ParseModelConfig knows.
std::vector<absl::string_view> KnownArchitectures();

// How rotary frequencies are stretched for contexts longer than those of the first training.
enum class RopeScalingKind {
  kNone,
  kLinear,  // every frequency divided by factor
  kLlama3,  // LLaMA 3.1: long wavelengths divided by factor, a smooth passage, short ones kept
};

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  // kLlama3 only. With the wavelength w = 2 pi / frequency: frequencies with
  // w > original_max_position_count / low_freq_factor are divided by factor, those with
  // w < original_max_position_count / high_freq_factor are kept, those between are blended.
  double low_freq_factor = 1;
  double high_freq_factor = 1;
  int64_t original_max_position_count = 0;
};

// Shapes and switches of a model. Every value is in range once ParseModelConfig returned it.
struct ModelConfig {
  Architecture architecture = Architecture::kLlama;

  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t layer_count = 0;
  int64_t head_count = 0;
  int64_t kv_head_count = 0;  // divides head_count
  int64_t head_dim = 0;       // even; head_count * head_dim need not be hidden_size
  int64_t vocab_size = 0;
  int64_t max_position_count = 0;  // longest sequence, in tokens

  double rms_norm_epsilon = 0;
  double rope_theta = 0;
  RopeScaling rope_scaling;

  bool tie_word_embeddings = false;  // lm_head is the embedding matrix
  bool qkv_bias = false;             // on q_proj, k_proj and v_proj
  bool o_bias = false;               // on o_proj
  bool mlp_bias = false;             // on gate_proj, up_proj and down_proj
  bool qk_norm = false;              // RMS norm of each head of q and k before the rotation

  // A token attends to at most this many tokens, itself included. Within a sequence that is no
  // longer, attention is plain causal attention. Nothing: no limit.
  std::optional<int64_t> sliding_window;

  // The longest sequence that is computed as the model was trained: its context, or its sliding
  // attention window if that is shorter.
  int64_t max_tokens() const {
    return std::min(max_position_count, sliding_window.value_or(max_position_count));
  }

  std::optional<int64_t> bos_token_id;
  // Each of them ends an answer. None: answers end when they are long enough.
  std::vector<int64_t> eos_token_ids;

  // Weights of the linears inside one layer, biases left out:
  //   q: head_count * head_dim * hidden_size, o: the same,
  //   k and v: kv_head_count * head_dim * hidden_size each,
  //   gate, up and down: intermediate_size * hidden_size each.
  int64_t LinearParameterCountPerLayer() const;

  // Those of all layers: the weights that are quantized.
  int64_t LinearParameterCount() const;

  // Every weight: LinearParameterCount, biases, norms (two of hidden_size a layer and a last one,
  // with qk_norm two of head_dim a layer), embeddings (vocab_size * hidden_size) and as many again
  // for lm_head unless it is tied.
  int64_t ParameterCount() const;
};

// Parses the text of a config.json. `what` names it in errors. Absent values get the defaults of
// transformers; null counts as absent. Errors: INVALID_ARGUMENT with the reason INVALID_MODEL if a
// value is missing, of the wrong type or out of range, or UNSUPPORTED_MODEL if the architecture or
// a feature is not known.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json,
                                             absl::string_view what = "config.json");

// The ids that a config.json or generation_config.json gives as eos_token_id, one or a list of
// them; nothing if it gives none. INVALID_MODEL if one is not an integer of 0 or more.
absl::StatusOr<std::optional<std::vector<int64_t>>> ParseEosTokenIds(absl::string_view json,
                                                                     absl::string_view what);

// Reads `folder`/config.json and, where it is there, generation_config.json, whose eos_token_id
// goes before (as in transformers). Errors as above; INVALID_MODEL too if config.json is missing.
absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_MODEL_CONFIG_H_
