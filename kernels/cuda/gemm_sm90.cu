// INT8 products by CUTLASS with the warp-group instructions and bulk copies of sm_90a, and the same
// epilogue, in the same order, as gemm_sm80.cu.
#include <cutlass/cutlass.h>
#include <cutlass/gemm/device/gemm_universal_adapter.h>

#include <cutlass/epilogue/collective/collective_builder.hpp>
#include <cutlass/gemm/collective/collective_builder.hpp>
#include <cutlass/gemm/kernel/gemm_universal.hpp>

#include "kernels/cuda/cutlass_launch.h"
#include "kernels/cuda/products.h"

namespace sasq::kernels::cuda {
namespace {

namespace fusion = cutlass::epilogue::fusion;
using cute::_0;
using cute::_1;
using cute::_128;

constexpr auto kRounding = cutlass::FloatRoundStyle::round_to_nearest;

template <class T>
struct WarpGroupProduct {
  using TileShape = cute::Shape<_128, _128, _128>;
  using ClusterShape = cute::Shape<cute::_2, _1, _1>;
  using YStride = cute::Stride<int64_t, _1, _0>;
  // Elements of 16 bytes: what bulk copies align rows to.
  static constexpr int kYAlignment = 16 / static_cast<int>(sizeof(T));

  using XScale = fusion::Sm90ColBroadcast<0, TileShape, float, float, cute::Stride<_1, _0, _0>>;
  using WScale = fusion::Sm90RowBroadcast<0, TileShape, float, float, cute::Stride<_0, _1, _0>>;
  using Bias = fusion::Sm90RowBroadcast<0, TileShape, float, float, cute::Stride<_0, _1, _0>>;
  using Multiply = fusion::Sm90Compute<cutlass::multiplies, float, float, kRounding>;
  using Plus = fusion::Sm90Compute<cutlass::plus, T, float, kRounding>;
  using Scale = fusion::Sm90EVT<Multiply, XScale, WScale>;
  using Scaled = fusion::Sm90EVT<Multiply, fusion::Sm90AccFetch, Scale>;
  using Sum = fusion::Sm90EVT<Plus, Scaled, Bias>;

  using Epilogue = typename cutlass::epilogue::collective::CollectiveBuilder<
      cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, TileShape, ClusterShape,
      cutlass::epilogue::collective::EpilogueTileAuto, int32_t, float, void, YStride, kYAlignment,
      T, YStride, kYAlignment, cutlass::epilogue::TmaWarpSpecialized, Sum>::CollectiveOp;
  using MainLoop = typename cutlass::gemm::collective::CollectiveBuilder<
      cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, int8_t, cutlass::layout::RowMajor, 16,
      int8_t, cutlass::layout::ColumnMajor, 16, int32_t, TileShape, ClusterShape,
      cutlass::gemm::collective::StageCountAutoCarveout<static_cast<int>(
          sizeof(typename Epilogue::SharedStorage))>,
      cutlass::gemm::KernelTmaWarpSpecializedPingpong>::CollectiveOp;
  using Kernel = cutlass::gemm::kernel::GemmUniversal<cute::Shape<int, int, int, int>, MainLoop,
                                                      Epilogue, cutlass::gemm::PersistentScheduler>;
  using Gemm = cutlass::gemm::device::GemmUniversalAdapter<Kernel>;

  static typename Gemm::Arguments ArgumentsOf(const Product& product) {
    const auto m = static_cast<int>(product.rows);
    const auto n = static_cast<int>(product.out_features);
    const auto k = static_cast<int>(product.in_features);
    const typename Scale::Arguments scale = {
        {product.x_scales, product.x_scale, {}}, {product.w_scales, 0.0f, {}}, {}};
    const typename Sum::Arguments sum = {{{}, scale, {}}, {product.bias, -0.0f, {}}, {}};
    const YStride y_stride = {product.y.row_stride, {}, {}};
    return {cutlass::gemm::GemmUniversalMode::kGemm,
            {m, n, k, 1},
            {product.codes, {int64_t{k}, {}, {}}, product.weights, {int64_t{k}, {}, {}}},
            {sum, nullptr, y_stride, static_cast<T*>(product.y.data), y_stride}};
  }

  static absl::Status Launch(const Product& product, cudaStream_t stream) {
    return LaunchCutlass<Gemm>(ArgumentsOf(product), product, stream);
  }
};

}  // namespace

absl::Status LaunchSm90a(const Product& product, cudaStream_t stream) {
  switch (product.y.type) {
    case DataType::kFloat32:
      return WarpGroupProduct<float>::Launch(product, stream);
    case DataType::kFloat16:
      return WarpGroupProduct<cutlass::half_t>::Launch(product, stream);
    case DataType::kBFloat16:
      return WarpGroupProduct<cutlass::bfloat16_t>::Launch(product, stream);
  }
  return absl::InternalError("Gemm: no such type");
}

}  // namespace sasq::kernels::cuda
