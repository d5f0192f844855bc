#include "quant/model/device_weights.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "common/status_macros.h"

namespace sasq {
namespace {

at::ScalarType ScalarTypeOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return at::kFloat;
    case Dtype::kF16:
      return at::kHalf;
    case Dtype::kBF16:
      return at::kBFloat16;
    default:
      SASQ_CHECK(false);  // the loader lets no other type in (IsWeightDtype)
  }
}

// Through memory of our own: a mapped file need not align its tensors.
at::Tensor CopyToDevice(const TensorView& view, at::Device device) {
  const at::Tensor stored = at::empty(view.shape, ScalarTypeOf(view.dtype));
  std::memcpy(stored.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return stored.to(device);
}

}  // namespace

at::Tensor DeviceWeights::Get(size_t site_index, const SiteLinears& linears) {
  std::vector<at::Tensor> stored;
  {
    const MutexLock lock(&mutex_);
    if (site_index < kept_.size()) stored = kept_[site_index];
  }
  if (stored.empty()) {
    int64_t bytes = 0;
    for (const TensorView& view : linears.weights) {
      stored.push_back(CopyToDevice(view, device_));
      bytes += static_cast<int64_t>(view.bytes.size());
    }
    const MutexLock lock(&mutex_);
    if (kept_.size() <= site_index) kept_.resize(site_index + 1);
    if (kept_[site_index].empty() && kept_bytes_ + bytes <= max_bytes_) {
      kept_[site_index] = stored;
      kept_bytes_ += bytes;
    }
  }
  return at::cat(stored).to(at::kFloat);  // exact
}

int64_t DeviceWeights::kept_bytes() const {
  const MutexLock lock(&mutex_);
  return kept_bytes_;
}

}  // namespace sasq
