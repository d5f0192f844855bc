// What the launchers refuse before they ask anything of CUDA: needs no device.
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/cuda_device.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"

namespace sasq::kernels {
namespace {

using testing::HasSubstr;

constexpr int64_t kRows = 4;
constexpr int64_t kCols = 32;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void ExpectInvalid(const absl::Status& status, const char* part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

// Memory that is never looked at.
class CudaArgumentsTest : public testing::Test {
 protected:
  alignas(16) float x_[kRows * kCols] = {};
  alignas(16) float y_[kRows * kCols] = {};
  alignas(16) float z_[kRows * kCols] = {};
  alignas(16) int8_t codes_[kRows * kCols] = {};
  alignas(16) int8_t weights_[kRows * kCols] = {};
  alignas(16) float scales_[kRows] = {};
  alignas(16) double workspace_[1024] = {};
  double sum_ = 0;
  const CudaContext gpu_;
  const ConstMatrix x_matrix_ = DenseMatrix(static_cast<const float*>(x_), kRows, kCols);
  const Matrix y_matrix_ = DenseMatrix(y_, kRows, kCols);
};

TEST_F(CudaArgumentsTest, Scales) {
  for (float scale : {0.0f, -1.0f, kInfinity, std::nanf("")}) {
    ExpectInvalid(QuantizeStatic(gpu_, x_matrix_, scale, codes_), "QuantizeStatic: scale[0] is ");
    ExpectInvalid(RmsNormQuantizeStatic(gpu_, {x_matrix_, y_, 1e-5f, {}}, scale, codes_), "scale");
    ExpectInvalid(SiluMulQuantizeStatic(gpu_, x_matrix_, y_matrix_, scale, codes_), "scale");
    ExpectInvalid(FakeQuantize(gpu_, x_matrix_, scale, y_matrix_), "scale");
    ExpectInvalid(FakeQuantizeBackward(gpu_, x_matrix_, DenseMatrix(z_, kRows, kCols), scale,
                                       y_matrix_, &sum_, workspace_),
                  "scale");
    ExpectInvalid(Gemm(gpu_, codes_, {scale, nullptr}, {kRows, kCols, weights_, scales_}, nullptr,
                       DenseMatrix(y_, kRows, kRows)),
                  "scale");
  }
}

TEST_F(CudaArgumentsTest, Matrices) {
  ConstMatrix x = x_matrix_;
  x.data = nullptr;
  ExpectInvalid(QuantizeStatic(gpu_, x, 1, codes_), "x is null, want a buffer of 128 elements");
  x.data = reinterpret_cast<const char*>(x_) + 2;
  ExpectInvalid(QuantizeStatic(gpu_, x, 1, codes_), "want an address aligned to 4 bytes");
  x = x_matrix_;
  x.rows = -1;
  ExpectInvalid(QuantizePerToken(gpu_, x, codes_, scales_), "the shape of x is [-1, 32]");
  x = x_matrix_;
  x.row_stride = kCols - 1;
  ExpectInvalid(QuantizeStatic(gpu_, x, 1, codes_), "the row_stride of x is 31");
  x = x_matrix_;
  x.rows = int64_t{1} << 58;
  ExpectInvalid(QuantizeStatic(gpu_, x, 1, codes_), "2^59 elements");
  x = x_matrix_;
  x.type = static_cast<DataType>(7);
  ExpectInvalid(QuantizeStatic(gpu_, x, 1, codes_), "the type of x is 7");
  x = x_matrix_;
  x.type = DataType::kFloat16;
  ExpectInvalid(FakeQuantize(gpu_, x, 1, y_matrix_), "y is of another type than x");
  x = {x_, DataType::kFloat32, int64_t{1} << 32, 1, 1};
  ExpectInvalid(QuantizePerToken(gpu_, x, reinterpret_cast<int8_t*>(int64_t{1} << 50),
                                 reinterpret_cast<float*>(int64_t{1} << 51)),
                "there are 4294967296 rows");
}

TEST_F(CudaArgumentsTest, BuffersThatOverlap) {
  ExpectInvalid(QuantizeStatic(gpu_, x_matrix_, 1, reinterpret_cast<int8_t*>(x_ + 3)),
                "codes overlaps x");
  ExpectInvalid(QuantizePerToken(gpu_, x_matrix_, codes_, reinterpret_cast<float*>(codes_ + 16)),
                "scales overlaps codes");
  ExpectInvalid(FakeQuantize(gpu_, x_matrix_, 1, DenseMatrix(x_ + 1, kRows - 1, kCols)),
                "want that of x, [4, 32]");
  ExpectInvalid(FakeQuantize(gpu_, DenseMatrix(static_cast<const float*>(x_), kRows - 1, kCols), 1,
                             DenseMatrix(x_ + 1, kRows - 1, kCols)),
                "y overlaps x");
  ExpectInvalid(
      RmsNormQuantizeStatic(gpu_, {x_matrix_, y_, 0, DenseMatrix(x_, kRows, kCols)}, 1, codes_),
      "residual overlaps x");
  ExpectInvalid(
      FakeQuantizeBackward(gpu_, x_matrix_, y_matrix_, 1, DenseMatrix(z_, kRows, kCols), &sum_, z_),
      "workspace overlaps grad_x");
}

TEST_F(CudaArgumentsTest, WhatOperationsDemand) {
  ExpectInvalid(RmsNormQuantizeStatic(gpu_, {x_matrix_, nullptr, 0, {}}, 1, codes_),
                "gain is null");
  ExpectInvalid(RmsNormQuantizeStatic(gpu_, {x_matrix_, y_, -1, {}}, 1, codes_), "epsilon is -1");
  ExpectInvalid(RmsNormQuantizeStatic(gpu_, {DenseMatrix(x_, 4, 0), y_, 0, {}}, 1, codes_),
                "cols is 0, want at least 1");
  ExpectInvalid(SiluMulQuantizeStatic(gpu_, x_matrix_, DenseMatrix(y_, 4, 31), 1, codes_),
                "the shape of up is [4, 31], want that of gate, [4, 32]");
  for (int64_t block : {0, 1, 3, 64, 16384, -2}) {
    ExpectInvalid(HadamardTransform(gpu_, x_matrix_, block, y_matrix_), "block is ");
  }
  ExpectInvalid(FakeQuantizeBackward(gpu_, x_matrix_, y_matrix_, 1, DenseMatrix(z_, kRows, kCols),
                                     nullptr, workspace_),
                "grad_scale is null");
  ExpectInvalid(FakeQuantizeBackward(gpu_, x_matrix_, y_matrix_, 1, DenseMatrix(z_, kRows, kCols),
                                     &sum_, reinterpret_cast<char*>(workspace_) + 4),
                "want an address aligned to 8 bytes");
}

TEST_F(CudaArgumentsTest, Products) {
  const Matrix y = DenseMatrix(y_, kRows, kRows);
  const ActivationScales scale = {1, nullptr};
  const CudaWeightsView weights = {kRows, kCols, weights_, scales_};
  CudaWeightsView bad = weights;
  for (int64_t in_features : {int64_t{0}, int64_t{-16}, int64_t{20}, int64_t{131072}}) {
    bad.in_features = in_features;
    ExpectInvalid(Gemm(gpu_, codes_, scale, bad, nullptr, y), "want a multiple of 16");
  }
  bad = weights;
  bad.out_features = 0;
  ExpectInvalid(Gemm(gpu_, codes_, scale, bad, nullptr, y), "weights.out_features is 0");
  bad = weights;
  bad.codes = weights_ + 8;
  ExpectInvalid(Gemm(gpu_, codes_, scale, bad, nullptr, y), "want an address aligned to 16 bytes");
  ExpectInvalid(Gemm(gpu_, codes_ + 1, scale, weights, nullptr, y),
                "want an address aligned to 16 bytes");
  ExpectInvalid(Gemm(gpu_, nullptr, scale, weights, nullptr, y), "codes is null");
  ExpectInvalid(Gemm(gpu_, codes_, scale, weights, nullptr, DenseMatrix(y_, 4, 5)), "y.cols is 5");
  ExpectInvalid(Gemm(gpu_, codes_, {1, y_ + 2}, weights, nullptr, y),
                "y overlaps x_scales.per_row");
}

TEST_F(CudaArgumentsTest, NoWorkAsksNothingOfTheDevice) {
  const ConstMatrix none = {nullptr, DataType::kFloat32, 0, kCols, kCols};
  EXPECT_TRUE(QuantizeStatic(gpu_, none, 1, nullptr).ok());
  EXPECT_TRUE(QuantizePerToken(gpu_, none, nullptr, nullptr).ok());
  EXPECT_TRUE(SiluMulQuantizeStatic(gpu_, none, none, 1, nullptr).ok());
  EXPECT_TRUE(RmsNormQuantizeStatic(gpu_, {none, y_, 0, {}}, 1, nullptr).ok());
  EXPECT_EQ(FakeQuantizeWorkspaceBytes(0, kCols), 0);
}

TEST_F(CudaArgumentsTest, WithoutADeviceThereIsAReason) {
  const absl::StatusOr<CudaDevice> device = FindCudaDevice();
  if (device.ok()) GTEST_SKIP() << "here is " << device->name;
  EXPECT_EQ(device.status().code(), absl::StatusCode::kNotFound) << device.status();
  EXPECT_THAT(std::string(device.status().message()), HasSubstr("no CUDA device"));
}

}  // namespace
}  // namespace sasq::kernels
