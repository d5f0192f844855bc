// INT8 products by CUTLASS with the tensor core instructions of sm_80 and a fused epilogue.
//
//   y = round(float(sum) * (s_x * s_w) + bias)
//
// as a tree of visitors, each of which rounds once:
//
//   Store( Plus( Multiply( sum, Multiply( s_x, s_w ) ), bias ) )
//
// s_x without a pointer is the scalar; a bias without a pointer is -0, which added changes nothing.
#include <cutlass/gemm/device/gemm_universal_adapter.h>
#include <cutlass/gemm/kernel/default_gemm_universal_with_visitor.h>

#include <cutlass/epilogue/threadblock/fusion/visitors.hpp>

#include "kernels/cuda/cutlass_launch.h"
#include "kernels/cuda/products.h"

namespace sasq::kernels::cuda {
namespace {

namespace visitor = cutlass::epilogue::threadblock;

constexpr auto kRounding = cutlass::FloatRoundStyle::round_to_nearest;
using One = cute::Int<1>;
using Zero = cute::Int<0>;

template <class T, class TileShape, class WarpShape, int kStages>
struct TensorCoreProduct {
  // Elements of one access of the epilogue; FitsTensorCores demands that they divide a row of y.
  static constexpr int kAccess = 4;
  using Threads = visitor::OutputTileThreadLayout<TileShape, WarpShape, float, kAccess, 1>;
  using XScale = visitor::VisitorColBroadcast<Threads, float, cute::Stride<One, Zero, Zero>>;
  using WScale = visitor::VisitorRowBroadcast<Threads, float, cute::Stride<Zero, One, Zero>>;
  using Bias = visitor::VisitorRowBroadcast<Threads, float, cute::Stride<Zero, One, Zero>>;
  using Multiply = visitor::VisitorCompute<cutlass::multiplies, float, float, kRounding>;
  using Plus = visitor::VisitorCompute<cutlass::plus, float, float, kRounding>;
  using Scale = visitor::Sm80EVT<Multiply, XScale, WScale>;
  using Scaled = visitor::Sm80EVT<Multiply, visitor::VisitorAccFetch, Scale>;
  using Sum = visitor::Sm80EVT<Plus, Scaled, Bias>;
  using Store = visitor::VisitorAuxStore<Threads, T, kRounding, cute::Stride<int64_t, One, Zero>>;
  using Epilogue = visitor::Sm80EVT<Store, Sum>;

  using Kernel = typename cutlass::gemm::kernel::DefaultGemmWithVisitor<
      int8_t, cutlass::layout::RowMajor, cutlass::ComplexTransform::kNone, 16,     // codes
      int8_t, cutlass::layout::ColumnMajor, cutlass::ComplexTransform::kNone, 16,  // weights
      float, cutlass::layout::RowMajor, kAccess, int32_t, float, cutlass::arch::OpClassTensorOp,
      cutlass::arch::Sm80, TileShape, WarpShape, cutlass::gemm::GemmShape<16, 8, 32>, Epilogue,
      cutlass::gemm::threadblock::GemmIdentityThreadblockSwizzle<8>, kStages,
      cutlass::arch::OpMultiplyAddSaturate>::GemmKernel;
  using Gemm = cutlass::gemm::device::GemmUniversalAdapter<Kernel>;

  static typename Gemm::Arguments ArgumentsOf(const Product& product) {
    const auto m = static_cast<int>(product.rows);
    const auto n = static_cast<int>(product.out_features);
    const auto k = static_cast<int>(product.in_features);
    const typename Scale::Arguments scale = {
        {product.x_scales, product.x_scale, {}}, {product.w_scales, 0.0f, {}}, {}};
    const typename Epilogue::Arguments epilogue = {
        {{{}, scale, {}}, {product.bias, -0.0f, {}}, {}},
        {static_cast<T*>(product.y.data), {product.y.row_stride, One{}, Zero{}}}};
    return {cutlass::gemm::GemmUniversalMode::kGemm,
            {m, n, k},
            1,  // one product, K is not split
            epilogue,
            product.codes,
            product.weights,
            nullptr,  // C and D: the epilogue writes y
            nullptr,
            0,
            0,
            0,
            0,
            k,
            k,
            0,
            0};
  }

  static absl::Status Launch(const Product& product, cudaStream_t stream) {
    return LaunchCutlass<Gemm>(ArgumentsOf(product), product, stream);
  }
};

// Stages keep the shared memory of every tile below the 99 KiB that a block may have on compute
// capability 8.6, 8.9 and 12.0.
template <class T>
absl::Status LaunchTile(const Product& product, Tile tile, cudaStream_t stream) {
  using cutlass::gemm::GemmShape;
  using Small = TensorCoreProduct<T, GemmShape<32, 64, 128>, GemmShape<32, 32, 128>, 4>;
  using Medium = TensorCoreProduct<T, GemmShape<64, 128, 64>, GemmShape<32, 64, 64>, 5>;
  using Large = TensorCoreProduct<T, GemmShape<128, 128, 64>, GemmShape<64, 64, 64>, 5>;
  constexpr size_t kMaxSharedBytes = 99 * 1024;
  static_assert(sizeof(typename Small::Kernel::SharedStorage) <= kMaxSharedBytes &&
                sizeof(typename Medium::Kernel::SharedStorage) <= kMaxSharedBytes &&
                sizeof(typename Large::Kernel::SharedStorage) <= kMaxSharedBytes);
  switch (tile) {
    case Tile::k32x64x128:
      return Small::Launch(product, stream);
    case Tile::k64x128x64:
      return Medium::Launch(product, stream);
    case Tile::k128x128x64:
      return Large::Launch(product, stream);
  }
  return absl::InternalError("Gemm: no such tile");
}

}  // namespace

absl::Status LaunchSm80(const Product& product, Tile tile, cudaStream_t stream) {
  switch (product.y.type) {
    case DataType::kFloat32:
      return LaunchTile<float>(product, tile, stream);
    case DataType::kFloat16:
      return LaunchTile<cutlass::half_t>(product, tile, stream);
    case DataType::kBFloat16:
      return LaunchTile<cutlass::bfloat16_t>(product, tile, stream);
  }
  return absl::InternalError("Gemm: no such type");
}

}  // namespace sasq::kernels::cuda
