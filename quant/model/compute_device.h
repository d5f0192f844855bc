// Where the engine computes.
#ifndef SASQ_QUANT_MODEL_COMPUTE_DEVICE_H_
#define SASQ_QUANT_MODEL_COMPUTE_DEVICE_H_

#include <cstdint>

namespace sasq {

// The processor, or a CUDA device by its number. A CUDA device needs a LibTorch with CUDA in the
// process.
struct ComputeDevice {
  bool is_cuda = false;
  int ordinal = 0;
  // Of a CUDA device: how much of each model's weights may stay in its memory.
  int64_t kept_weight_bytes = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_COMPUTE_DEVICE_H_
