// Faults of INT8 products that hardware, compilers and libraries have had: see the cases.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cpu/elementwise_self_test.h"
#include "kernels/cpu_path.h"
#include "kernels/gemm.h"
#include "kernels/quantize.h"

namespace sasq::kernels {
namespace {

// How the codes of a case are chosen.
enum class Codes { kRandom, kLowest, kLowestTimesHighest, kAlternating };

int8_t CodeAt(Codes codes, bool is_weight, int64_t index, std::mt19937& random) {
  switch (codes) {
    case Codes::kRandom:
      return static_cast<int8_t>(random());
    case Codes::kLowest:  // 2 * 128 * 128 does not fit 16 bits
      return -128;
    case Codes::kLowestTimesHighest:
      return is_weight ? 127 : -128;
    case Codes::kAlternating:  // the sign changes within a pair
      return index % 2 == 0 ? -128 : 127;
  }
  return 0;
}

// 1,000 products of two codes stay below 2^24, so that float32 shows every integer.
absl::Status TestProduct(CpuPath path, Codes codes, int64_t rows, int64_t out_features,
                         int64_t in_features) {
  std::mt19937 random(1);
  std::vector<int8_t> x(static_cast<size_t>(rows * in_features));
  std::vector<int8_t> w(static_cast<size_t>(out_features * in_features));
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = CodeAt(codes, false, static_cast<int64_t>(i), random);
  for (size_t i = 0; i < w.size(); ++i) w[i] = CodeAt(codes, true, static_cast<int64_t>(i), random);
  SASQ_ASSIGN_OR_RETURN(
      const PackedWeights packed,
      PackedWeights::Pack(path, w.data(), out_features, in_features,
                          std::vector<float>(static_cast<size_t>(out_features), 1.0f)));
  std::vector<float> y(static_cast<size_t>(rows * out_features));
  SASQ_RETURN_IF_ERROR(Gemm({path, SerialFor}, x.data(), {.scale = 1.0f}, packed.view(), nullptr,
                            DenseMatrix(y.data(), rows, out_features)));
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < out_features; ++n) {
      int64_t want = 0;
      for (int64_t k = 0; k < in_features; ++k) {
        want += int64_t{x[static_cast<size_t>(m * in_features + k)]} *
                w[static_cast<size_t>(n * in_features + k)];
      }
      const float got = y[static_cast<size_t>(m * out_features + n)];
      if (got == static_cast<float>(want)) continue;
      return absl::InternalError(absl::StrCat(
          "kernel path ", CpuPathName(path), ": a product of shape [", rows, ", ", in_features,
          "] x [", in_features, ", ", out_features, "] gives ", got, " at [", m, ", ", n,
          "], want ", want, ": do not use this path here, set SASQ_KERNEL_PATH to another one"));
    }
  }
  return absl::OkStatus();
}

absl::Status TestQuantize(CpuPath path) {
  // Halves go to the even neighbour; the ends hold; 40 values reach every vector width's remainder.
  std::vector<float> x;
  std::vector<int8_t> want;
  for (int i = 0; i < 40; ++i) {
    x.push_back(static_cast<float>(i) - 19.5f);
    want.push_back(static_cast<int8_t>(i % 2 == 0 ? i - 20 : i - 19));
  }
  x.insert(x.end(), {1e30f, -1e30f});
  want.insert(want.end(), {127, -128});
  std::vector<int8_t> got(x.size());
  SASQ_RETURN_IF_ERROR(QuantizeStatic({path, SerialFor},
                                      DenseMatrix(x.data(), 1, static_cast<int64_t>(x.size())),
                                      1.0f, got.data()));
  for (size_t i = 0; i < x.size(); ++i) {
    if (got[i] == want[i]) continue;
    return absl::InternalError(absl::StrCat(
        "kernel path ", CpuPathName(path), ": ", x[i], " quantizes to ", int{got[i]}, ", want ",
        int{want[i]}, ": do not use this path here, set SASQ_KERNEL_PATH to another one"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SelfTest(CpuPath path) {
  struct Shape {
    int64_t rows, out_features, in_features;
  };
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{1, 33, 1000}, Shape{3, 17, 5}, Shape{13, 31, 67},
                             Shape{25, 70, 1000}}) {
    for (Codes codes :
         {Codes::kRandom, Codes::kLowest, Codes::kLowestTimesHighest, Codes::kAlternating}) {
      SASQ_RETURN_IF_ERROR(
          TestProduct(path, codes, shape.rows, shape.out_features, shape.in_features));
    }
  }
  SASQ_RETURN_IF_ERROR(TestQuantize(path));
  return TestElementwise(path);
}

}  // namespace sasq::kernels
