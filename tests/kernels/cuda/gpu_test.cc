// Every operation on a CUDA device against the CPU's, bit by bit. Skipped where there is no device.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kernels/cuda_device.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"
#include "tests/kernels/cuda/device_memory.h"
#include "tests/kernels/cuda/storage_values.h"

namespace sasq::kernels {
namespace {

constexpr float kScale = 0.0371f;
using Bytes = std::vector<std::byte>;

struct Shape {
  int64_t rows;
  int64_t cols;
  int64_t row_stride;
};

// Bytes of a matrix on both sides.
struct Values {
  Values(DataType value_type, const Shape& of, uint32_t seed, float largest = 6.0f)
      : type(value_type),
        shape(of),
        host(RandomValues(type, (of.rows - 1) * of.row_stride + of.cols, largest, seed)),
        device(host) {}
  Matrix OnHost() { return {host.data(), type, shape.rows, shape.cols, shape.row_stride}; }
  Matrix OnDevice() const {
    return {device.As<void>(), type, shape.rows, shape.cols, shape.row_stride};
  }
  bool Same() const { return device.Download() == host; }

  DataType type;
  Shape shape;
  Bytes host;
  DeviceMemory device;
};

// What an operation writes besides matrices.
template <class T>
struct Output {
  explicit Output(int64_t count)
      : host(static_cast<size_t>(count) * sizeof(T), std::byte{0x55}), device(host) {}
  T* OnHost() { return reinterpret_cast<T*>(host.data()); }
  T* OnDevice() const { return device.As<T>(); }
  bool Same() const { return device.Download() == host; }

  Bytes host;
  DeviceMemory device;
};

class GpuTest : public testing::TestWithParam<DataType> {
 protected:
  void SetUp() override {
    const absl::StatusOr<CudaDevice> device = FindCudaDevice();
    if (!device.ok()) GTEST_SKIP() << device.status();
    gpu_.device = device->ordinal;
    ASSERT_EQ(cudaSetDevice(gpu_.device), cudaSuccess);
  }

  void ExpectDone(const absl::Status& cpu, const absl::Status& gpu) {
    EXPECT_TRUE(cpu.ok()) << cpu;
    EXPECT_TRUE(gpu.ok()) << gpu;
    const absl::Status done = SynchronizeCuda(gpu_.device, gpu_.stream);
    ASSERT_TRUE(done.ok()) << done;
  }

  const CpuContext cpu_ = {AvailableCpuPaths().back(), SerialFor};
  CudaContext gpu_;
};

std::vector<Shape> Shapes() {
  return {{1, 1, 1},       {3, 7, 9},       {2, 64, 72},        {5, 1000, 1000},
          {1, 4096, 4096}, {257, 576, 576}, {16, 11008, 22016}, {33, 8191, 8191}};
}

TEST_P(GpuTest, Quantize) {
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(absl::StrCat(shape.rows, " x ", shape.cols));
    Values x(GetParam(), shape, 1);
    Output<int8_t> codes(shape.rows * shape.cols);
    Output<float> scales(shape.rows);
    ExpectDone(QuantizeStatic(cpu_, x.OnHost(), kScale, codes.OnHost()),
               QuantizeStatic(gpu_, x.OnDevice(), kScale, codes.OnDevice()));
    EXPECT_TRUE(codes.Same());
    ExpectDone(QuantizePerToken(cpu_, x.OnHost(), codes.OnHost(), scales.OnHost()),
               QuantizePerToken(gpu_, x.OnDevice(), codes.OnDevice(), scales.OnDevice()));
    EXPECT_TRUE(codes.Same());
    EXPECT_TRUE(scales.Same());
  }
}

TEST_P(GpuTest, RowsThatAreNotFiniteGetNoCodes) {
  Bytes bytes;
  for (int i = 0; i < 32; ++i) AppendValue(GetParam(), i == 20 ? INFINITY : 1.0f, &bytes);
  const DeviceMemory x(bytes);
  const Output<int8_t> codes(32);
  const Output<float> scales(2);
  const absl::Status status = QuantizePerToken(gpu_, {x.As<void>(), GetParam(), 2, 16, 16},
                                               codes.OnDevice(), scales.OnDevice());
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(SynchronizeCuda(gpu_.device, nullptr).ok());
  const Bytes got_codes = codes.device.Download();
  const Bytes got_scales = scales.device.Download();
  float row_scales[2];
  std::memcpy(row_scales, got_scales.data(), sizeof(row_scales));
  EXPECT_EQ(row_scales[0], 1.0f / 127.0f);
  EXPECT_TRUE(std::isnan(row_scales[1]));
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(got_codes[i], std::byte(i < 16 ? 127 : 0)) << i;
}

TEST_P(GpuTest, RmsNorm) {
  for (const Shape& shape : Shapes()) {
    for (bool has_residual : {false, true}) {
      SCOPED_TRACE(absl::StrCat(shape.rows, " x ", shape.cols, has_residual ? " residual" : ""));
      Values x(GetParam(), shape, 2);
      Values gain(GetParam(), {1, shape.cols, shape.cols}, 3, 1.5f);
      Values residual(GetParam(), shape, 4);
      Output<int8_t> codes(shape.rows * shape.cols);
      Output<float> scales(shape.rows);
      RmsNormInput host = {x.OnHost(), gain.host.data(), 1e-5f, {}};
      RmsNormInput device = {x.OnDevice(), gain.device.As<void>(), 1e-5f, {}};
      if (has_residual) host.residual = residual.OnHost();
      if (has_residual) device.residual = residual.OnDevice();
      ExpectDone(RmsNormQuantizeStatic(cpu_, host, kScale, codes.OnHost()),
                 RmsNormQuantizeStatic(gpu_, device, kScale, codes.OnDevice()));
      EXPECT_TRUE(codes.Same());
      EXPECT_TRUE(residual.Same());
      ExpectDone(RmsNormQuantizePerToken(cpu_, host, codes.OnHost(), scales.OnHost()),
                 RmsNormQuantizePerToken(gpu_, device, codes.OnDevice(), scales.OnDevice()));
      EXPECT_TRUE(codes.Same());
      EXPECT_TRUE(scales.Same());
      EXPECT_TRUE(residual.Same());
    }
  }
}

TEST_P(GpuTest, SiluMul) {
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(absl::StrCat(shape.rows, " x ", shape.cols));
    Values gate(GetParam(), shape, 5, 20.0f);
    Values up(GetParam(), shape, 6);
    Output<int8_t> codes(shape.rows * shape.cols);
    Output<float> scales(shape.rows);
    ExpectDone(
        SiluMulQuantizeStatic(cpu_, gate.OnHost(), up.OnHost(), kScale, codes.OnHost()),
        SiluMulQuantizeStatic(gpu_, gate.OnDevice(), up.OnDevice(), kScale, codes.OnDevice()));
    EXPECT_TRUE(codes.Same());
    ExpectDone(
        SiluMulQuantizePerToken(cpu_, gate.OnHost(), up.OnHost(), codes.OnHost(), scales.OnHost()),
        SiluMulQuantizePerToken(gpu_, gate.OnDevice(), up.OnDevice(), codes.OnDevice(),
                                scales.OnDevice()));
    EXPECT_TRUE(codes.Same());
    EXPECT_TRUE(scales.Same());
  }
}

TEST_P(GpuTest, FakeQuantize) {
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(absl::StrCat(shape.rows, " x ", shape.cols));
    Values x(GetParam(), shape, 7);
    Values y(GetParam(), shape, 8);
    Values grad(GetParam(), shape, 9);
    ExpectDone(FakeQuantize(cpu_, x.OnHost(), kScale, y.OnHost()),
               FakeQuantize(gpu_, x.OnDevice(), kScale, y.OnDevice()));
    EXPECT_TRUE(y.Same());
    double cpu_sum = 0;
    double gpu_sums[2] = {};
    const DeviceMemory sum(sizeof(double));
    const DeviceMemory workspace(
        static_cast<size_t>(FakeQuantizeWorkspaceBytes(shape.rows, shape.cols)));
    for (double& gpu_sum : gpu_sums) {
      ExpectDone(
          FakeQuantizeBackward(cpu_, x.OnHost(), grad.OnHost(), kScale, y.OnHost(), &cpu_sum),
          FakeQuantizeBackward(gpu_, x.OnDevice(), grad.OnDevice(), kScale, y.OnDevice(),
                               sum.As<double>(), workspace.As<void>()));
      std::memcpy(&gpu_sum, sum.Download().data(), sizeof(double));
    }
    EXPECT_TRUE(y.Same());
    EXPECT_EQ(gpu_sums[0], gpu_sums[1]) << "the order is fixed";
    // fake_quantize.h: 1e-12 of the sum of magnitudes, each at most 6 * 128.
    const double magnitudes = 6.0 * 128 * static_cast<double>(shape.rows * shape.cols);
    EXPECT_NEAR(gpu_sums[0], cpu_sum, 1e-12 * magnitudes);
  }
}

TEST_P(GpuTest, Hadamard) {
  for (int64_t block = 2; block <= kMaxHadamardBlock; block *= 2) {
    SCOPED_TRACE(block);
    const int64_t cols = block * 3;
    Values x(GetParam(), {5, cols, cols + 8}, 10);
    Values y(GetParam(), {5, cols, cols}, 11);
    ExpectDone(HadamardTransform(cpu_, x.OnHost(), block, y.OnHost()),
               HadamardTransform(gpu_, x.OnDevice(), block, y.OnDevice()));
    EXPECT_TRUE(y.Same());
    ExpectDone(HadamardTransform(cpu_, x.OnHost(), block, x.OnHost()),
               HadamardTransform(gpu_, x.OnDevice(), block, x.OnDevice()));
    EXPECT_TRUE(x.Same());
  }
}

struct GemmCase {
  int64_t rows;
  int64_t out_features;
  int64_t in_features;
  int64_t y_padding;
};

TEST_P(GpuTest, Gemm) {
  for (const GemmCase& test :
       {GemmCase{1, 576, 576, 0}, GemmCase{7, 33, 1040, 3}, GemmCase{9, 64, 64, 0},
        GemmCase{33, 132, 208, 4}, GemmCase{40, 50, 96, 0}, GemmCase{128, 4096, 4096, 0},
        GemmCase{300, 1536, 576, 8}, GemmCase{2048, 576, 1536, 0}}) {
    for (int options = 0; options < 4; ++options) {
      const bool per_row = (options & 1) != 0;
      const bool has_bias = (options & 2) != 0;
      SCOPED_TRACE(absl::StrCat(test.rows, " x ", test.out_features, " x ", test.in_features,
                                per_row ? " per row" : "", has_bias ? " bias" : ""));
      const Bytes codes = RandomCodes(test.rows * test.in_features, 12);
      const Bytes w = RandomCodes(test.out_features * test.in_features, 13);
      std::vector<float> x_scales, w_scales;
      for (int64_t m = 0; m < test.rows; ++m) x_scales.push_back(1e-3f * float(m % 13 + 1));
      for (int64_t n = 0; n < test.out_features; ++n) w_scales.push_back(7e-4f * float(n % 11 + 1));
      const auto to_device = [](const std::vector<float>& values) {
        const auto* begin = reinterpret_cast<const std::byte*>(values.data());
        return Bytes(begin, begin + values.size() * sizeof(float));
      };
      Values bias(DataType::kFloat32, {1, test.out_features, test.out_features}, 14);
      Values y(GetParam(), {test.rows, test.out_features, test.out_features + test.y_padding}, 15);
      const DeviceMemory device_codes(codes), device_w(w), device_x_scales(to_device(x_scales)),
          device_w_scales(to_device(w_scales));
      const auto packed = PackedWeights::Pack(cpu_.path, reinterpret_cast<const int8_t*>(w.data()),
                                              test.out_features, test.in_features, w_scales);
      ASSERT_TRUE(packed.ok()) << packed.status();
      const auto* host_bias = reinterpret_cast<const float*>(bias.host.data());
      ExpectDone(Gemm(cpu_, reinterpret_cast<const int8_t*>(codes.data()),
                      {kScale, per_row ? x_scales.data() : nullptr}, packed->view(),
                      has_bias ? host_bias : nullptr, y.OnHost()),
                 Gemm(gpu_, device_codes.As<int8_t>(),
                      {kScale, per_row ? device_x_scales.As<float>() : nullptr},
                      {test.out_features, test.in_features, device_w.As<int8_t>(),
                       device_w_scales.As<float>()},
                      has_bias ? bias.device.As<float>() : nullptr, y.OnDevice()));
      EXPECT_TRUE(y.Same());
    }
  }
}

std::string TypeName(const testing::TestParamInfo<DataType>& info) {
  switch (info.param) {
    case DataType::kFloat32:
      return "float32";
    case DataType::kFloat16:
      return "float16";
    case DataType::kBFloat16:
      return "bfloat16";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Types, GpuTest,
                         testing::Values(DataType::kFloat32, DataType::kFloat16,
                                         DataType::kBFloat16),
                         TypeName);

}  // namespace
}  // namespace sasq::kernels
