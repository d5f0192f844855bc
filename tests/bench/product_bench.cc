// INT8 products of every path against LibTorch's float32 mm and, where the CPU has VNNI and so its
// result is right, at::_int_mm, which gives int32 sums without scales. Both of LibTorch's get the
// weights as a linear holds them, [N, K] transposed by its strides; _int_mm also as [K, N], and the
// faster of the two is what counts.
#include <ATen/ops/_int_mm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cpu_path.h"
#include "kernels/gemm.h"
#include "tests/bench/median_reporter.h"

namespace sasq::kernels {
namespace {

struct Shape {
  int64_t rows, in_features, out_features;
};
constexpr Shape kShapes[] = {
    {2048, 576, 1536}, {2048, 1536, 576}, {2048, 4096, 4096}, {1, 4096, 4096}, {1, 576, 1536}};
constexpr char kFloat[] = "torch_float32_mm";
constexpr char kInt[] = "torch_int_mm";
constexpr char kIntDense[] = "torch_int_mm_dense";

std::string NameOf(absl::string_view what, const Shape& shape) {
  return absl::StrCat(what, "/", shape.rows, "x", shape.in_features, "x", shape.out_features);
}

bool HasVnni() { return AvailableCpuPaths().back() == CpuPath::kAvx512Vnni; }

void SetRate(benchmark::State& state, const Shape& shape) {
  state.counters["ops"] = benchmark::Counter(
      2.0 * static_cast<double>(shape.rows * shape.in_features * shape.out_features),
      benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

void FloatProduct(benchmark::State& state, const Shape& shape) {
  const at::Tensor x = at::rand({shape.rows, shape.in_features});
  const at::Tensor w = at::rand({shape.out_features, shape.in_features}).t();
  at::Tensor y = at::empty({shape.rows, shape.out_features});
  for (auto unused : state) at::mm_out(y, x, w);
  SetRate(state, shape);
}

void TorchIntProduct(benchmark::State& state, const Shape& shape, bool dense) {
  const at::Tensor x = at::randint(-128, 128, {shape.rows, shape.in_features}, at::kChar);
  at::Tensor w = at::randint(-127, 128, {shape.out_features, shape.in_features}, at::kChar).t();
  if (dense) w = w.contiguous();
  at::Tensor y = at::empty({shape.rows, shape.out_features}, at::kInt);
  for (auto unused : state) at::_int_mm_out(y, x, w);
  SetRate(state, shape);
}

void Int8Product(benchmark::State& state, CpuPath path, const Shape& shape) {
  std::mt19937 random(1);
  std::vector<int8_t> x(static_cast<size_t>(shape.rows * shape.in_features));
  std::vector<int8_t> w(static_cast<size_t>(shape.out_features * shape.in_features));
  for (int8_t& code : x) code = static_cast<int8_t>(random());
  for (int8_t& code : w) code = static_cast<int8_t>(random());
  const std::vector<float> scales(static_cast<size_t>(shape.out_features), 0.01f);
  const auto weights =
      PackedWeights::Pack(path, w.data(), shape.out_features, shape.in_features, scales);
  SASQ_CHECK(weights.ok());
  std::vector<float> y(static_cast<size_t>(shape.rows * shape.out_features));
  for (auto unused : state) {
    SASQ_CHECK(Gemm({path, SerialFor}, x.data(), {.scale = 0.01f}, weights->view(), nullptr,
                    DenseMatrix(y.data(), shape.rows, shape.out_features))
                   .ok());
    benchmark::ClobberMemory();
  }
  SetRate(state, shape);
}

// The seconds of `what` are `base` for each path.
void PrintRatios(const MedianReporter& reporter, absl::string_view title,
                 double (*base)(const MedianReporter&, const Shape&)) {
  std::printf("\nTimes as fast as %s (1 thread, medians):\n%-20s", std::string(title).c_str(),
              "M x K x N");
  for (CpuPath path : AvailableCpuPaths()) {
    std::printf("%13s", std::string(CpuPathName(path)).c_str());
  }
  for (const Shape& shape : kShapes) {
    const double seconds = base(reporter, shape);
    if (seconds == 0) continue;
    std::printf("\n%-20s", NameOf("", shape).c_str() + 1);
    for (CpuPath path : AvailableCpuPaths()) {
      const double ours = reporter.Seconds(NameOf(CpuPathName(path), shape));
      std::printf("%12.2fx", ours == 0 ? 0.0 : seconds / ours);
    }
  }
  std::printf("\n");
}

}  // namespace

void AddProducts() {
  for (const Shape& shape : kShapes) {
    AddBenchmark(NameOf(kFloat, shape),
                 [shape](benchmark::State& state) { FloatProduct(state, shape); });
    if (HasVnni()) {
      AddBenchmark(NameOf(kInt, shape),
                   [shape](benchmark::State& state) { TorchIntProduct(state, shape, false); });
      AddBenchmark(NameOf(kIntDense, shape),
                   [shape](benchmark::State& state) { TorchIntProduct(state, shape, true); });
    }
    for (CpuPath path : AvailableCpuPaths()) {
      AddBenchmark(NameOf(CpuPathName(path), shape),
                   [shape, path](benchmark::State& state) { Int8Product(state, path, shape); });
    }
  }
}

void PrintProducts(const MedianReporter& reporter) {
  PrintRatios(reporter, "LibTorch's float32 mm", [](const MedianReporter& r, const Shape& shape) {
    return r.Seconds(NameOf(kFloat, shape));
  });
  if (!HasVnni()) {
    std::printf("\nNo VNNI: at::_int_mm may be wrong on this CPU and is not compared.\n");
    return;
  }
  PrintRatios(
      reporter, "at::_int_mm (without scales)", [](const MedianReporter& r, const Shape& shape) {
        return std::min(r.Seconds(NameOf(kInt, shape)), r.Seconds(NameOf(kIntDense, shape)));
      });
}

}  // namespace sasq::kernels
