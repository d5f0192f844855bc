// Weights that stay on a CUDA device. For the engine alone: whoever includes this includes
// LibTorch.
#ifndef SASQ_QUANT_MODEL_DEVICE_WEIGHTS_H_
#define SASQ_QUANT_MODEL_DEVICE_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "quant/model/model_parts.h"

namespace sasq {

// The sites' weights as they are stored, copied to the device when a site is used first and kept
// there: a forward pass in floating point then reads no weight over the bus. Thread-safe.
class DeviceWeights {
 public:
  // Copies are kept while they are at most `max_bytes` together; what is beyond is copied each
  // time.
  DeviceWeights(at::Device device, int64_t max_bytes) : device_(device), max_bytes_(max_bytes) {}

  // The stacked weights of the site of this index, float32 [out_features, in_features] on the
  // device. The same linears each time.
  at::Tensor Get(size_t site_index, const SiteLinears& linears);

  int64_t kept_bytes() const;

 private:
  const at::Device device_;
  const int64_t max_bytes_;

  mutable Mutex mutex_;
  std::vector<std::vector<at::Tensor>> kept_ ABSL_GUARDED_BY(mutex_);  // by site, then by linear
  int64_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_DEVICE_WEIGHTS_H_
