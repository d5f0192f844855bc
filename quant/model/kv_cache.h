// Keys and values of tokens that a sequence has passed. For the engine alone: whoever includes this
// includes LibTorch.
#ifndef SASQ_QUANT_MODEL_KV_CACHE_H_
#define SASQ_QUANT_MODEL_KV_CACHE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace sasq {

struct KvCache {
  // Float32 [sequences, tokens, kv_head_count, head_dim] each; keys with their rotary positions.
  struct Layer {
    at::Tensor keys;
    at::Tensor values;
  };
  std::vector<Layer> layers;
  int64_t token_count = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_KV_CACHE_H_
