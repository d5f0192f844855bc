#include "kernels/gemm.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/products.h"
#include "kernels/matrix_checks.h"

namespace sasq::kernels {
namespace {

using cuda::Product;
using cuda::Tile;

constexpr absl::string_view kOperation = "Gemm";

// What a kernel of tensor cores takes: 32-bit sizes, and rows of y, scales and bias that can be
// accessed four values at a time.
constexpr int64_t kAccessValues = 4;
constexpr int64_t kMaxSize = std::numeric_limits<int32_t>::max() - 255;  // room for the last tile
constexpr int64_t kMaxOutFeatures = cuda::kMaxGridY * 64;                // blocks of the least tile

absl::Status CheckSizes(const CudaWeightsView& weights, const Matrix& y) {
  const auto invalid = [](absl::string_view name, int64_t value, absl::string_view want) {
    return absl::InvalidArgumentError(
        absl::StrCat(kOperation, ": ", name, " is ", value, ", want ", want));
  };
  if (weights.out_features < 1) {
    return invalid("weights.out_features", weights.out_features, "at least 1");
  }
  if (weights.in_features < 1 || weights.in_features > kMaxInFeatures ||
      weights.in_features % 16 != 0) {
    return invalid("weights.in_features", weights.in_features,
                   absl::StrCat("a multiple of 16 from 16 to ", kMaxInFeatures / 16 * 16,
                                " on CUDA; pad codes and weights with zeros"));
  }
  if (weights.out_features > (int64_t{1} << 60) / weights.in_features) {
    return invalid("weights.out_features", weights.out_features, "fewer than 2^60 codes in all");
  }
  if (y.cols == weights.out_features) return absl::OkStatus();
  return invalid("y.cols", y.cols, absl::StrCat("weights.out_features, ", weights.out_features));
}

absl::Status CheckArguments(const int8_t* codes, const ActivationScales& x_scales,
                            const CudaWeightsView& weights, const float* bias, const Matrix& y) {
  SASQ_RETURN_IF_ERROR(CheckMatrix(kOperation, "y", y));
  SASQ_RETURN_IF_ERROR(CheckSizes(weights, y));
  if (y.rows > (int64_t{1} << 60) / weights.in_features) {
    return absl::InvalidArgumentError(
        absl::StrCat(kOperation, ": y has ", y.rows, " rows, want fewer than 2^60 codes in all"));
  }
  if (x_scales.per_row == nullptr) SASQ_RETURN_IF_ERROR(CheckScale(kOperation, x_scales.scale));
  const Extent inputs[] = {
      BufferExtent("codes", codes, y.rows * weights.in_features, 1),
      BufferExtent("weights.codes", weights.codes, weights.out_features * weights.in_features, 1),
      BufferExtent("weights.scales", weights.scales, weights.out_features, sizeof(float)),
      BufferExtent("bias", bias, bias == nullptr ? 0 : weights.out_features, sizeof(float)),
      BufferExtent("x_scales.per_row", x_scales.per_row, x_scales.per_row == nullptr ? 0 : y.rows,
                   sizeof(float))};
  const int64_t alignments[] = {16, 16, alignof(float), alignof(float), alignof(float)};
  for (size_t i = 0; i < std::size(inputs); ++i) {
    SASQ_RETURN_IF_ERROR(CheckBuffer(kOperation, inputs[i], alignments[i]));
  }
  return CheckSeparate(kOperation, {MatrixExtent("y", y)}, inputs);
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
