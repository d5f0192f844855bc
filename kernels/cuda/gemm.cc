#include "kernels/gemm.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/products.h"

namespace sasq::kernels {
namespace {

using cuda::Product;
using cuda::Tile;

constexpr absl::string_view kOperation = "Gemm";

// Rows of codes are read in vectors of this many.
constexpr int64_t kCodesAlignment = 16;

// What a kernel of tensor cores takes: 32-bit sizes, and rows of y, scales and bias that can be
// accessed four values at a time.
constexpr int64_t kAccessValues = 4;
constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max() - 255;  // room for the last tile
constexpr int64_t kMaxOutFeatures = cuda::kMaxGridY * 64;                // blocks of the least tile

absl::Status CheckSizes(const CudaWeightsView& weights, const Matrix& y) {
  constexpr int64_t kMostCodes = int64_t{1} << 59;
  if (weights.out_features < 1) {
    return InvalidSize(kOperation, "weights.out_features", weights.out_features, "at least 1");
  }
  if (weights.in_features < 1 || weights.in_features > kMaxInFeatures ||
      weights.in_features % kCodesAlignment != 0) {
    return InvalidSize(kOperation, "weights.in_features", weights.in_features,
                       absl::StrCat("a multiple of 16 from 16 to ", kMaxInFeatures / 16 * 16,
                                    " on CUDA; pad codes and weights with zeros"));
  }
  if (y.cols != weights.out_features) {
    return InvalidSize(kOperation, "y.cols", y.cols,
                       absl::StrCat("weights.out_features, ", weights.out_features));
  }
  if (std::max(y.rows, y.cols) > kMostCodes / weights.in_features) {
    return InvalidSize(kOperation, "the larger side of y", std::max(y.rows, y.cols),
                       "at most 2^59 codes in all");
  }
  return absl::OkStatus();
}

absl::Status CheckArguments(const int8_t* codes, const ActivationScales& x_scales,
                            const CudaWeightsView& weights, const float* bias, const Matrix& y) {
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "y", y));
  SASQ_RETURN_IF_ERROR(CheckSizes(weights, y));
  const bool per_row = x_scales.per_row != nullptr;
  if (!per_row)
    SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "x_scales.scale", {&x_scales.scale, 1}));
  const int64_t row_vectors = weights.in_features / kCodesAlignment;
  constexpr int64_t kFloat = sizeof(float);
  return CheckBuffers(
      kOperation,
      {DenseBuffer("codes", codes, kCodesAlignment, y.rows * row_vectors),
       DenseBuffer("weights.codes", weights.codes, kCodesAlignment, y.cols * row_vectors),
       DenseBuffer("weights.scales", weights.scales, kFloat, y.cols),
       DenseBuffer("bias", bias, kFloat, bias == nullptr ? 0 : y.cols),
       DenseBuffer("x_scales.per_row", x_scales.per_row, kFloat, per_row ? y.rows : 0)},
      {MatrixBuffer("y", y)});
}

// Whether the kernels of tensor cores can compute the product; GemvKernel always can.
bool FitsTensorCores(const Product& product) {
  const int64_t y_bytes = kAccessValues * DataTypeBytes(product.y.type);
  return product.out_features % kAccessValues == 0 && product.y.row_stride % kAccessValues == 0 &&
         cuda::IsAligned(product.y.data, y_bytes) && cuda::IsAligned(product.w_scales, 16) &&
         cuda::IsAligned(product.bias, 16) && product.rows <= kMaxSize &&
         product.out_features <= kMaxOutFeatures;
}

// The largest tile that still gives every multiprocessor a block: larger ones read less memory for
// each product.
Tile ChooseTile(const Product& product, int multiprocessors) {
  const auto blocks = [&](int64_t tile_rows, int64_t tile_channels) {
    return ((product.rows - 1) / tile_rows + 1) * ((product.out_features - 1) / tile_channels + 1);
  };
  if (product.rows > 64 && blocks(128, 128) >= multiprocessors) return Tile::k128x128x64;
  if (product.rows > 32 && blocks(64, 128) >= multiprocessors) return Tile::k64x128x64;
  return Tile::k32x64x128;
}

absl::StatusOr<int> DeviceAttribute(cudaDeviceAttr attribute, int device) {
  int value = 0;
  SASQ_RETURN_IF_ERROR(
      cuda::CudaStatus(kOperation, cudaDeviceGetAttribute(&value, attribute, device)));
  return value;
}

#ifdef SASQ_CUDA_SM90A
// Whether the kernel of sm_90a can compute the product and has enough of it: bulk copies demand
// rows of y that are aligned to 16 bytes.
absl::StatusOr<bool> TakesSm90a(const Product& product, Tile tile, int device) {
  SASQ_ASSIGN_OR_RETURN(const int major,
                        DeviceAttribute(cudaDevAttrComputeCapabilityMajor, device));
  return major == 9 && tile == Tile::k128x128x64 && cuda::IsAligned(product.y.data, 16) &&
         product.y.row_stride % cuda::StepElements(product.y.type) == 0;
}
#endif

absl::Status LaunchTensorCores(const Product& product, const CudaContext& context) {
  SASQ_ASSIGN_OR_RETURN(const int multiprocessors,
                        DeviceAttribute(cudaDevAttrMultiProcessorCount, context.device));
  const Tile tile = ChooseTile(product, multiprocessors);
#ifdef SASQ_CUDA_SM90A
  SASQ_ASSIGN_OR_RETURN(const bool takes_sm90a, TakesSm90a(product, tile, context.device));
  if (takes_sm90a) return cuda::LaunchSm90a(product, cuda::StreamOf(context));
#endif
  return cuda::LaunchSm80(product, tile, cuda::StreamOf(context));
}

}  // namespace

absl::Status Gemm(const CudaContext& context, const int8_t* codes, const ActivationScales& x_scales,
                  const CudaWeightsView& weights, const float* bias, const Matrix& y) {
  SASQ_RETURN_IF_ERROR(CheckArguments(codes, x_scales, weights, bias, y));
  if (y.rows == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  const Product product = {.codes = codes,
                           .weights = weights.codes,
                           .x_scale = x_scales.scale,
                           .x_scales = x_scales.per_row,
                           .w_scales = weights.scales,
                           .bias = bias,
                           .y = y,
                           .rows = y.rows,
                           .out_features = weights.out_features,
                           .in_features = weights.in_features};
  if (product.rows <= cuda::kMaxGemvRows || !FitsTensorCores(product)) {
    return cuda::LaunchGemv(product, cuda::StreamOf(context));
  }
  return LaunchTensorCores(product, context);
}

}  // namespace sasq::kernels
