// Internal: how a product of CUTLASS is launched.
#ifndef SASQ_KERNELS_CUDA_CUTLASS_LAUNCH_H_
#define SASQ_KERNELS_CUDA_CUTLASS_LAUNCH_H_

#include <cutlass/cutlass.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/products.h"

namespace sasq::kernels::cuda {

// `Gemm` is one of cutlass::gemm::device's adapters; `arguments` are those of `product`.
template <class Gemm>
absl::Status LaunchCutlass(const typename Gemm::Arguments& arguments, const Product& product,
                           cudaStream_t stream) {
  Gemm gemm;
  cutlass::Status status = Gemm::can_implement(arguments);
  if (status == cutlass::Status::kSuccess) status = gemm(arguments, nullptr, stream);
  if (status == cutlass::Status::kSuccess) return absl::OkStatus();
  if (const absl::Status cuda = LaunchStatus("Gemm"); !cuda.ok()) return cuda;
  return absl::InternalError(
      absl::StrCat("Gemm: CUTLASS: ", cutlass::cutlassGetStatusString(status), " for M ",
                   product.rows, ", N ", product.out_features, ", K ", product.in_features));
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_CUTLASS_LAUNCH_H_
