#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/gemv.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/products.h"

namespace sasq::kernels::cuda {
namespace {

template <class T, int kRows>
void Launch(const Product& product, cudaStream_t stream) {
  const GemvInput<T> input = {product.codes,
                              product.weights,
                              product.x_scale,
                              product.x_scales,
                              product.w_scales,
                              product.bias,
                              static_cast<T*>(product.y.data),
                              product.y.row_stride,
                              product.rows,
                              product.out_features,
                              product.in_features};
  const int64_t row_groups = (product.rows - 1) / kRows + 1;
  const dim3 grid = ElementGrid(row_groups, product.out_features, kGemvBlockChannels);
  GemvKernel<T, kRows><<<grid, kThreads, 0, stream>>>(input);
}

}  // namespace

absl::Status LaunchGemv(const Product& product, cudaStream_t stream) {
  WithElement(product.y.type, [&](auto element) {
    using T = decltype(element);
    if (product.rows == 1) return Launch<T, 1>(product, stream);
    if (product.rows == 2) return Launch<T, 2>(product, stream);
    if (product.rows <= 4) return Launch<T, 4>(product, stream);
    return Launch<T, kMaxGemvRows>(product, stream);
  });
  return LaunchStatus("Gemm");
}

}  // namespace sasq::kernels::cuda
