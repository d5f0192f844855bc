#include "quant/model/quantized_weights.h"

#include <utility>

#include "common/status_macros.h"
#include "kernels/quantize.h"
#include "quant/model/compute_threads.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

absl::StatusOr<QuantizedWeights::Site> QuantizeSite(const SiteLinears& linears,
                                                    kernels::CpuPath path) {
  const int64_t rows = linears.out_features;
  const int64_t cols = linears.in_features;
  std::vector<float> weights(static_cast<size_t>(rows * cols));
  CopySiteWeights(linears, weights.data());
  std::vector<int8_t> codes(weights.size());
  std::vector<float> scales(static_cast<size_t>(rows));
  SASQ_RETURN_IF_ERROR(kernels::QuantizeWeights({path, ComputeParallelFor},
                                                kernels::DenseMatrix(weights.data(), rows, cols),
                                                codes.data(), scales.data()));
  SASQ_ASSIGN_OR_RETURN(kernels::PackedWeights packed,
                        kernels::PackedWeights::Pack(path, codes.data(), rows, cols, scales));
  return QuantizedWeights::Site{std::move(packed), SiteBias(linears)};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const QuantizedWeights>> QuantizedWeights::Create(
    std::shared_ptr<const Model> model, kernels::CpuPath path, std::stop_token stop) {
  std::shared_ptr<QuantizedWeights> weights(new QuantizedWeights(std::move(model), path));
  SASQ_RETURN_IF_ERROR(CatchTorch([&]() -> absl::Status {
    for (const SiteLinears& linears : weights->model().parts().linears) {
      if (stop.stop_requested()) return absl::CancelledError("stopped while weights were packed");
      SASQ_ASSIGN_OR_RETURN(Site site, QuantizeSite(linears, path));
      weights->sites_.push_back(std::move(site));
    }
    return absl::OkStatus();
  }));
  return weights;
}

}  // namespace sasq
