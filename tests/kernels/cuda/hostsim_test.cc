// The kernels' own source, compiled for the CPU (hostsim/), against references.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kernels/cuda/fake_quantize.cuh"
#include "kernels/cuda/gemv.cuh"
#include "kernels/cuda/hadamard.cuh"
#include "kernels/cuda/quantize.cuh"
#include "kernels/cuda/rms_norm.cuh"
#include "kernels/cuda/silu_mul.cuh"
#include "tests/kernels/cuda/reference_values.h"

namespace sasq::kernels::cuda {
namespace {

using hostsim::Launch;
using hostsim::Run;

constexpr float kScale = 0.0371f;

// A matrix of an operation: row_stride >= cols, aligned for vectors or an element off.
struct Shape {
  int64_t rows;
  int64_t cols;
  int64_t row_stride;
  int64_t offset = 0;
};

template <class T>
bool TakesVectors(const Shape& shape) {
  return shape.cols % kStep<T> == 0 && shape.row_stride % kStep<T> == 0 && shape.offset == 0;
}

std::vector<Shape> ElementwiseShapes() {
  return {{1, 1, 1},       {3, 7, 7},          {2, 8, 8},       {5, 24, 32},
          {2, 2056, 2056}, {1, 2056, 2056, 1}, {2, 2049, 2050}, {3, 40, 40, 1}};
}

template <class T>
Buffer<T> RandomMatrix(const Shape& shape, uint32_t seed, float largest = 6.0f) {
  Buffer<T> buffer((shape.rows - 1) * shape.row_stride + shape.cols, shape.offset);
  FillRandom(&buffer, seed, largest);
  return buffer;
}

template <class T>
float At(const Buffer<T>& buffer, const Shape& shape, int64_t row, int64_t c) {
  return ToFloat(buffer[row * shape.row_stride + c]);
}

// Calls `run(vectors)` with a constant: true only where the shape is aligned for it.
template <class T, class F>
void WithVectors(const Shape& shape, const F& run) {
  run(std::false_type());
  if (TakesVectors<T>(shape)) run(std::true_type());
}

template <class T>
class HostSim : public testing::Test {};
using Elements = testing::Types<float, Float16, BFloat16>;
TYPED_TEST_SUITE(HostSim, Elements);

// Codes that a source gives by both kernels, against `value(row, c)`.
template <class Source, bool kVector, class Value>
void ExpectCodes(const Source& source, const Value& value) {
  Buffer<int8_t> want(source.rows * source.cols);
  for (int64_t i = 0; i < want.size(); ++i) {
    want[i] = ReferenceCode(value(i / source.cols, i % source.cols), kScale);
  }
  for (const Launch launch : {Launch{1, 1, kThreads}, Launch{2, source.rows, kThreads}}) {
    Buffer<int8_t> codes(source.rows * source.cols);
    Run(launch, [&] { QuantizeStaticKernel<Source, kVector>(source, kScale, codes.data()); });
    EXPECT_EQ(Differences(codes, want), 0) << source.rows << " x " << source.cols;
  }
  Buffer<float> want_scales(source.rows);
  for (int64_t row = 0; row < source.rows; ++row) {
    std::vector<float> values;
    for (int64_t c = 0; c < source.cols; ++c) values.push_back(value(row, c));
    want_scales[row] = ReferenceRowScale(values);
    for (int64_t c = 0; c < source.cols; ++c) {
      want[row * source.cols + c] = ReferenceCode(values[static_cast<size_t>(c)], want_scales[row]);
    }
  }
  Buffer<int8_t> codes(source.rows * source.cols);
  Buffer<float> scales(source.rows);
  Run({source.rows, 1, kThreads},
      [&] { QuantizePerTokenKernel<Source, kVector>(source, codes.data(), scales.data()); });
  EXPECT_EQ(Differences(codes, want), 0) << source.rows << " x " << source.cols;
  for (int64_t row = 0; row < source.rows; ++row) {
    EXPECT_TRUE(scales[row] == want_scales[row] ||
                (std::isnan(scales[row]) && std::isnan(want_scales[row])))
        << "row " << row << ": " << scales[row] << ", want " << want_scales[row];
  }
}

template <class T>
void ExpectMatrixCodes(const Buffer<T>& x, const Shape& shape) {
  const MatrixSource<T> source = {x.data(), shape.row_stride, shape.rows, shape.cols};
  WithVectors<T>(shape, [&](auto vectors) {
    ExpectCodes<MatrixSource<T>, vectors.value>(
        source, [&](int64_t row, int64_t c) { return At(x, shape, row, c); });
  });
}

TYPED_TEST(HostSim, QuantizesAMatrix) {
  for (const Shape& shape : ElementwiseShapes()) {
    ExpectMatrixCodes(RandomMatrix<TypeParam>(shape, 1), shape);
  }
}

TYPED_TEST(HostSim, QuantizesTiesAndWhatIsNotFinite) {
  const Shape shape = {5, 16, 16};
  Buffer<TypeParam> x(shape.rows * shape.cols);
  for (int64_t i = 0; i < x.size(); ++i) {
    x[i] = FromFloat<TypeParam>((static_cast<float>(i % shape.cols) - 7.5f) * kScale);
  }
  x[16] = FromFloat<TypeParam>(NAN);
  x[33] = FromFloat<TypeParam>(INFINITY);
  x[34] = FromFloat<TypeParam>(-INFINITY);
  for (int64_t c = 0; c < 16; ++c) x[48 + c] = FromFloat<TypeParam>(0.0f);
  for (int64_t c = 0; c < 16; ++c) x[64 + c] = FromFloat<TypeParam>(1e-37f);
  ExpectMatrixCodes(x, shape);
}

TYPED_TEST(HostSim, QuantizesSiluMul) {
  for (const Shape& shape : ElementwiseShapes()) {
    const auto gate = RandomMatrix<TypeParam>(shape, 2, 20.0f);
    const auto up = RandomMatrix<TypeParam>(shape, 3);
    const SiluMulSource<TypeParam> source = {gate.data(),      shape.row_stride, up.data(),
                                             shape.row_stride, shape.rows,       shape.cols};
    WithVectors<TypeParam>(shape, [&](auto vectors) {
      ExpectCodes<SiluMulSource<TypeParam>, vectors.value>(source, [&](int64_t row, int64_t c) {
        const float g = At(gate, shape, row, c);
        return (g / (1.0f + Exp(-g))) * At(up, shape, row, c);
      });
    });
  }
}

// What RMSNorm of the rows gives, before quantization; h becomes the residual.
template <class T>
std::vector<std::vector<float>> ReferenceNorm(const Buffer<T>& x, const Buffer<T>& gain,
                                              const Shape& shape, float epsilon,
                                              Buffer<T>* residual) {
  std::vector<std::vector<float>> rows;
  for (int64_t row = 0; row < shape.rows; ++row) {
    std::vector<float> h;
    for (int64_t c = 0; c < shape.cols; ++c) {
      float value = At(x, shape, row, c);
      if (residual != nullptr) {
        T* place = residual->data() + row * shape.row_stride + c;
        *place = FromFloat<T>(ToFloat(*place) + value);
        value = ToFloat(*place);
      }
      h.push_back(value);
    }
    const float mean = ReferenceSumOfSquares(h) / static_cast<float>(shape.cols);
    const float factor = 1.0f / std::sqrt(mean + epsilon);
    for (int64_t c = 0; c < shape.cols; ++c) {
      h[static_cast<size_t>(c)] = (h[static_cast<size_t>(c)] * factor) * ToFloat(gain[c]);
    }
    rows.push_back(h);
  }
  return rows;
}

template <class T, bool kVector>
void ExpectNorm(const Shape& shape, bool has_residual) {
  constexpr float kEpsilon = 1e-5f;
  const auto x = RandomMatrix<T>(shape, 4);
  Buffer<T> gain(shape.cols, shape.offset);
  FillRandom(&gain, 5, 1.5f);
  const auto old_residual = RandomMatrix<T>(shape, 6);
  Buffer<T> want_residual = old_residual;
  const auto values =
      ReferenceNorm(x, gain, shape, kEpsilon, has_residual ? &want_residual : nullptr);
  Buffer<int8_t> codes(shape.rows * shape.cols);
  Buffer<float> scales(shape.rows);
  for (bool per_token : {false, true}) {
    Buffer<T> residual = old_residual;
    const RmsNormRows<T> input = {
        x.data(),         shape.row_stride, has_residual ? residual.data() : nullptr,
        shape.row_stride, gain.data(),      shape.rows,
        shape.cols,       kEpsilon};
    Run({shape.rows, 1, kNormThreads<T>}, [&] {
      if (per_token) {
        RmsNormQuantizeKernel<T, kVector, true>(input, 0, codes.data(), scales.data());
      } else {
        RmsNormQuantizeKernel<T, kVector, false>(input, kScale, codes.data(), nullptr);
      }
    });
    EXPECT_EQ(Differences(residual, want_residual), 0);
    int64_t wrong = 0;
    for (int64_t row = 0; row < shape.rows; ++row) {
      const auto& want = values[static_cast<size_t>(row)];
      const float scale = per_token ? ReferenceRowScale(want) : kScale;
      if (per_token) wrong += scales[row] != scale;
      for (int64_t c = 0; c < shape.cols; ++c) {
        wrong += codes[row * shape.cols + c] != ReferenceCode(want[static_cast<size_t>(c)], scale);
      }
    }
    EXPECT_EQ(wrong, 0) << shape.rows << " x " << shape.cols << (kVector ? " vectors" : "");
  }
}

TYPED_TEST(HostSim, NormalizesAndQuantizes) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{2, 7, 7}, Shape{2, 64, 72}, Shape{1, 1024, 1024},
                             Shape{1, 1032, 1032, 1}, Shape{2, 3001, 3001}, Shape{2, 3080, 3080}}) {
    for (bool has_residual : {false, true}) {
      WithVectors<TypeParam>(
          shape, [&](auto vectors) { ExpectNorm<TypeParam, vectors.value>(shape, has_residual); });
    }
  }
}

TYPED_TEST(HostSim, FakeQuantizesInPlaceAndApart) {
  for (const Shape& shape : ElementwiseShapes()) {
    auto x = RandomMatrix<TypeParam>(shape, 7);
    auto y = RandomMatrix<TypeParam>(shape, 8);
    auto want = y;
    for (int64_t i = 0; i < shape.rows * shape.cols; ++i) {
      const int64_t place = i / shape.cols * shape.row_stride + i % shape.cols;
      const float code = ReferenceCode(ToFloat(x[place]), kScale);
      want[place] = FromFloat<TypeParam>(kScale * code);
    }
    WithVectors<TypeParam>(shape, [&](auto vectors) {
      FakeQuantizeRows<TypeParam> rows = {x.data(),         shape.row_stride, y.data(),
                                          shape.row_stride, shape.rows,       shape.cols};
      Run({1, 2, kThreads}, [&] { FakeQuantizeKernel<TypeParam, vectors.value>(rows, kScale); });
      EXPECT_EQ(Differences(y, want), 0);
      auto both = x;
      rows.x = rows.y = both.data();
      Run({3, 1, kThreads}, [&] { FakeQuantizeKernel<TypeParam, vectors.value>(rows, kScale); });
      int64_t wrong = 0;
      for (int64_t i = 0; i < shape.rows * shape.cols; ++i) {
        const int64_t place = i / shape.cols * shape.row_stride + i % shape.cols;
        wrong += !SameBits(both[place], want[place]);
      }
      EXPECT_EQ(wrong, 0);
    });
  }
}

// Runs both passes and returns the scale's gradient.
template <class T, bool kVector>
double RunBackward(const BackwardRows<T>& rows, int64_t blocks, uint32_t seed) {
  Buffer<double> partial_sums(blocks);
  double total = NAN;
  Run({blocks, 1, kThreads, 0, seed},
      [&] { FakeQuantizeBackwardKernel<T, kVector>(rows, kScale, partial_sums.data()); });
  Run({1, 1, kThreads, 0, seed},
      [&] { SumKernel(partial_sums.data(), static_cast<int>(blocks), &total); });
  return total;
}

TYPED_TEST(HostSim, FakeQuantizeBackward) {
  for (const Shape& shape : ElementwiseShapes()) {
    const auto x = RandomMatrix<TypeParam>(shape, 9);
    const auto grad = RandomMatrix<TypeParam>(shape, 10);
    auto grad_x = grad;
    long double want = 0;
    long double magnitudes = 0;
    auto want_grad_x = grad;
    for (int64_t i = 0; i < shape.rows * shape.cols; ++i) {
      const int64_t place = i / shape.cols * shape.row_stride + i % shape.cols;
      const float v = ToFloat(x[place]) / kScale;
      const bool inside = v > -128.0f && v < 127.0f;
      const float slope = inside ? std::nearbyint(v) - v : v > 0 ? 127.0f : -128.0f;
      want += static_cast<long double>(ToFloat(grad[place])) * slope;
      magnitudes += std::fabs(static_cast<long double>(ToFloat(grad[place])) * slope);
      if (!inside) want_grad_x[place] = FromFloat<TypeParam>(0.0f);
    }
    WithVectors<TypeParam>(shape, [&](auto vectors) {
      const BackwardRows<TypeParam> rows = {x.data(),         shape.row_stride, grad.data(),
                                            shape.row_stride, grad_x.data(),    shape.row_stride,
                                            shape.rows,       shape.cols};
      const double sum = RunBackward<TypeParam, vectors.value>(rows, 2, 1);
      EXPECT_NEAR(sum, static_cast<double>(want), static_cast<double>(1e-12L * magnitudes));
      EXPECT_EQ(Differences(grad_x, want_grad_x), 0);
      EXPECT_EQ((RunBackward<TypeParam, vectors.value>(rows, 2, 99)), sum);
    });
  }
}

TYPED_TEST(HostSim, SumsNothingToZero) {
  double total = NAN;
  Run({1, 1, kThreads}, [&] { SumKernel(nullptr, 0, &total); });
  EXPECT_EQ(total, 0);
}

TYPED_TEST(HostSim, TransformsByHadamard) {
  for (int block = 2; block <= 8192; block *= 2) {
    const int64_t cols = block < 64 ? 3 * block : block;
    const Shape shape = {2, cols, cols + 8};
    const int threads = std::max(32, block / kHadamardValues);
    const auto x = RandomMatrix<TypeParam>(shape, 11);
    auto want = x;
    for (int64_t row = 0; row < shape.rows; ++row) {
      std::vector<float> values;
      for (int64_t c = 0; c < cols; ++c) values.push_back(At(x, shape, row, c));
      for (int64_t c = 0; c < cols; c += block) ReferenceHadamard(values.data() + c, block);
      for (int64_t c = 0; c < cols; ++c) {
        want[row * shape.row_stride + c] = FromFloat<TypeParam>(values[static_cast<size_t>(c)]);
      }
    }
    WithVectors<TypeParam>(shape, [&](auto vectors) {
      auto y = x;  // in place
      const HadamardRows<TypeParam> rows = {
          y.data(),   shape.row_stride, y.data(), shape.row_stride,
          shape.rows, shape.cols,       block,    HadamardFactor(block)};
      const size_t shared_bytes = static_cast<size_t>(threads) * kHadamardValues * sizeof(float);
      Run({1, 1, threads, shared_bytes}, [&] { HadamardKernel<TypeParam, vectors.value>(rows); });
      EXPECT_EQ(Differences(y, want), 0) << "block " << block;
    });
  }
}

struct GemvCase {
  int64_t rows;
  int64_t channels;
  int64_t in_features;
  bool per_row;
  bool has_bias;
};

template <class T, int kRows>
void ExpectGemv(const GemvCase& test) {
  Buffer<int8_t> codes(test.rows * test.in_features);
  Buffer<int8_t> weights(test.channels * test.in_features);
  Buffer<float> x_scales(test.rows);
  Buffer<float> w_scales(test.channels);
  Buffer<float> bias(test.channels);
  FillRandom(&codes, 12);
  FillRandom(&weights, 13);
  FillRandom(&x_scales, 14, 0.01f);
  FillRandom(&w_scales, 15, 0.01f);
  FillRandom(&bias, 16, 1.0f);
  const int64_t y_stride = test.channels + 3;
  Buffer<T> y(test.rows * y_stride);
  Buffer<T> want = y;
  for (int64_t i = 0; i < test.rows * test.channels; ++i) {
    const int64_t m = i / test.channels;
    const int64_t n = i % test.channels;
    int64_t sum = 0;
    for (int64_t k = 0; k < test.in_features; ++k) {
      sum += codes[m * test.in_features + k] * weights[n * test.in_features + k];
    }
    const float scale = (test.per_row ? x_scales[m] : kScale) * w_scales[n];
    const float product = static_cast<float>(sum) * scale;
    want[m * y_stride + n] = FromFloat<T>(test.has_bias ? product + bias[n] : product);
  }
  const GemvInput<T> input = {codes.data(),    weights.data(),
                              kScale,          test.per_row ? x_scales.data() : nullptr,
                              w_scales.data(), test.has_bias ? bias.data() : nullptr,
                              y.data(),        y_stride,
                              test.rows,       test.channels,
                              test.in_features};
  Run({2, 1, kThreads}, [&] { GemvKernel<T, kRows>(input); });
  EXPECT_EQ(Differences(y, want), 0)
      << test.rows << " x " << test.channels << " x " << test.in_features;
}

TYPED_TEST(HostSim, MultipliesFewRows) {
  for (const GemvCase& test :
       {GemvCase{1, 1, 16, false, false}, GemvCase{2, 33, 512, true, true},
        GemvCase{5, 35, 1040, true, false}, GemvCase{9, 3, 528, false, true}}) {
    ExpectGemv<TypeParam, 1>(test);
    ExpectGemv<TypeParam, 2>(test);
    ExpectGemv<TypeParam, 4>(test);
    ExpectGemv<TypeParam, 8>(test);
  }
}

}  // namespace
}  // namespace sasq::kernels::cuda
