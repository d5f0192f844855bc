#include "kernels/cpu/elementwise_self_test.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/fake_quantize.h"
#include "kernels/hadamard.h"
#include "kernels/numerics.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"

namespace sasq::kernels {
namespace {

// Reaches every vector width's remainder and a second round of RMSNorm's lanes.
constexpr int64_t kCols = kNormLanes + 76;
constexpr float kScale = 0.0371f;
constexpr float kEpsilon = 1e-5f;

// A 16-bit row as the definition reads it; bfloat16 is the upper half of a float32.
struct Row {
  std::vector<uint16_t> bits;
  std::vector<float> values;

  explicit Row(uint32_t seed) {
    std::mt19937 random(seed);
    for (int64_t i = 0; i < kCols; ++i) {
      // Signs and fractions of all kinds, sizes from 2^-4 to 2^3.
      const auto word = static_cast<uint32_t>(random());
      const uint32_t value = (word & 0x80000000u) | ((123u + word % 8) << 23) | (word & 0x7F0000u);
      bits.push_back(static_cast<uint16_t>(value >> 16));
      values.push_back(FloatOfBits(value));
    }
  }
  ConstMatrix matrix() const { return {bits.data(), DataType::kBFloat16, 1, kCols, kCols}; }
};

std::vector<int8_t> Codes(const std::vector<float>& values, float scale) {
  std::vector<int8_t> codes;
  codes.reserve(values.size());
  for (float value : values) codes.push_back(QuantizedCode(value, scale));
  return codes;
}

float ScaleOf(const std::vector<float>& values) {
  float magnitude = 0;
  for (float value : values) magnitude = std::fmax(magnitude, std::fabs(value));
  return RowScale(magnitude);
}

std::vector<float> Normed(const std::vector<float>& h, const std::vector<float>& gain) {
  std::vector<float> lanes(kNormLanes);
  for (size_t c = 0; c < h.size(); ++c) lanes[c % kNormLanes] += h[c] * h[c];
  for (size_t width = kNormLanes / 2; width > 0; width /= 2) {
    for (size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  const float factor = RmsFactor(lanes[0], kCols, kEpsilon);
  std::vector<float> normed;
  for (size_t c = 0; c < h.size(); ++c) normed.push_back((h[c] * factor) * gain[c]);
  return normed;
}

template <class T>
absl::Status Compare(CpuPath path, absl::string_view operation, const std::vector<T>& got,
                     const std::vector<T>& want) {
  for (size_t i = 0; i < want.size(); ++i) {
    // Bits are meant. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    if (std::memcmp(&got[i], &want[i], sizeof(T)) == 0) continue;
    return absl::InternalError(absl::StrCat(
        "kernel path ", CpuPathName(path), ": ", operation, " gives ", got[i], " at ", i, ", want ",
        want[i], ": do not use this path here, set SASQ_KERNEL_PATH to another one"));
  }
  return absl::OkStatus();
}

// Every half there is, to float and back.
absl::Status TestConversions(CpuPath path) {
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  std::vector<uint16_t> bits(0x10000);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const auto count = static_cast<int64_t>(bits.size());
  for (DataType type : {DataType::kFloat16, DataType::kBFloat16}) {
    std::vector<float> values(bits.size());
    kernels->load(type, bits.data(), count, values.data());
    std::vector<uint16_t> back(bits.size());
    kernels->store(type, values.data(), count, back.data());
    std::vector<uint16_t> want = bits;
    // Signalling NaNs, which lack the first bit of the fraction, come back as quiet ones.
    const uint16_t quiet = type == DataType::kFloat16 ? 0x200 : 0x40;
    for (size_t i = 0; i < want.size(); ++i) {
      if (std::isnan(values[i])) want[i] = back[i] = static_cast<uint16_t>(want[i] | quiet);
    }
    SASQ_RETURN_IF_ERROR(Compare(path, "a 16-bit value and back", back, want));
    if (values[0x3C00] != (type == DataType::kFloat16 ? 1.0f : 0.0078125f)) {
      return absl::InternalError("a 16-bit value is wrong as a float32");
    }
  }
  return absl::OkStatus();
}

absl::Status TestTokens(const CpuContext& context, const Row& x, const Row& y) {
  const CpuPath path = context.path;
  std::vector<int8_t> codes(kCols);
  std::vector<float> scale(1);
  SASQ_RETURN_IF_ERROR(QuantizePerToken(context, x.matrix(), codes.data(), scale.data()));
  const float x_scale = ScaleOf(x.values);
  SASQ_RETURN_IF_ERROR(Compare(path, "the scale of a token", scale, {x_scale}));
  SASQ_RETURN_IF_ERROR(Compare(path, "QuantizePerToken", codes, Codes(x.values, x_scale)));

  const RmsNormInput input = {x.matrix(), y.bits.data(), kEpsilon, {}};
  SASQ_RETURN_IF_ERROR(RmsNormQuantizeStatic(context, input, kScale, codes.data()));
  const std::vector<float> normed = Normed(x.values, y.values);
  SASQ_RETURN_IF_ERROR(Compare(path, "RmsNormQuantizeStatic", codes, Codes(normed, kScale)));
  SASQ_RETURN_IF_ERROR(RmsNormQuantizePerToken(context, input, codes.data(), scale.data()));
  SASQ_RETURN_IF_ERROR(
      Compare(path, "RmsNormQuantizePerToken", codes, Codes(normed, ScaleOf(normed))));

  std::vector<float> product;
  for (size_t c = 0; c < x.values.size(); ++c) product.push_back(Silu(x.values[c]) * y.values[c]);
  SASQ_RETURN_IF_ERROR(
      SiluMulQuantizeStatic(context, x.matrix(), y.matrix(), kScale, codes.data()));
  SASQ_RETURN_IF_ERROR(Compare(path, "SiluMulQuantizeStatic", codes, Codes(product, kScale)));
  SASQ_RETURN_IF_ERROR(
      SiluMulQuantizePerToken(context, x.matrix(), y.matrix(), codes.data(), scale.data()));
  return Compare(path, "SiluMulQuantizePerToken", codes, Codes(product, ScaleOf(product)));
}

absl::Status TestTraining(const CpuContext& context, const Row& x, const Row& grad) {
  const CpuPath path = context.path;
  std::vector<float> got(kCols), want, want_grad;
  double sum = 0, want_sum = 0;
  for (size_t c = 0; c < x.values.size(); ++c) {
    const float v = x.values[c] / kScale;
    want.push_back(FakeQuantized(x.values[c], kScale));
    want_grad.push_back(InsideCodes(v) ? grad.values[c] : 0.0f);
    want_sum += static_cast<double>(grad.values[c]) * static_cast<double>(ScaleSlope(v));
  }
  const ConstMatrix input = DenseMatrix(x.values.data(), 1, kCols);
  const Matrix output = DenseMatrix(got.data(), 1, kCols);
  SASQ_RETURN_IF_ERROR(FakeQuantize(context, input, kScale, output));
  SASQ_RETURN_IF_ERROR(Compare(path, "FakeQuantize", got, want));
  SASQ_RETURN_IF_ERROR(FakeQuantizeBackward(
      context, input, DenseMatrix(grad.values.data(), 1, kCols), kScale, output, &sum));
  SASQ_RETURN_IF_ERROR(Compare(path, "FakeQuantizeBackward", got, want_grad));
  // Other orders of 1,100 terms below 2^10 differ by less.
  if (std::fabs(sum - want_sum) < 1e-6) return absl::OkStatus();
  return Compare<double>(path, "the gradient of a scale", {sum}, {want_sum});
}

absl::Status TestHadamard(const CpuContext& context, const Row& x) {
  constexpr size_t kBlock = kNormLanes;
  std::vector<float> want(x.values.begin(), x.values.begin() + kBlock);
  std::vector<float> got = want;
  for (size_t distance = 1; distance < kBlock; distance *= 2) {
    for (size_t i = 0; i < kBlock; ++i) {
      if ((i & distance) != 0) continue;
      const float a = want[i], b = want[i + distance];
      want[i] = a + b;
      want[i + distance] = a - b;
    }
  }
  for (float& value : want) value *= HadamardFactor(kBlock);
  const Matrix in_place = DenseMatrix(got.data(), 1, kBlock);
  SASQ_RETURN_IF_ERROR(HadamardTransform(context, in_place, kBlock, in_place));
  return Compare(context.path, "HadamardTransform", got, want);
}

}  // namespace

absl::Status TestElementwise(CpuPath path) {
  const CpuContext context = {path, SerialFor};
  const Row x(1), y(2);
  SASQ_RETURN_IF_ERROR(TestConversions(path));
  SASQ_RETURN_IF_ERROR(TestTokens(context, x, y));
  SASQ_RETURN_IF_ERROR(TestTraining(context, x, y));
  return TestHadamard(context, x);
}

}  // namespace sasq::kernels
