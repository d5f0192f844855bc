// INT8 products of every path of this CPU against LibTorch's float32 mm, one thread, in one run.
// After Google Benchmark's own table comes a table of ratios of CPU time. Repetitions are
// interleaved, so that other load on the machine falls on both sides.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cpu_path.h"
#include "kernels/gemm.h"

namespace sasq::kernels {
namespace {

struct Shape {
  int64_t rows, in_features, out_features;
};
constexpr Shape kShapes[] = {
    {2048, 576, 1536}, {2048, 1536, 576}, {2048, 4096, 4096}, {1, 4096, 4096}, {1, 576, 1536}};
constexpr char kFloat[] = "torch_float32_mm";

std::string NameOf(absl::string_view what, const Shape& shape) {
  return absl::StrCat(what, "/", shape.rows, "x", shape.in_features, "x", shape.out_features);
}

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

// Prints and keeps the median of each benchmark's repetitions, in CPU seconds: what other programs
// take from this one does not count.
class RatioReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> medians;
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
        medians.push_back(run);
        medians_[run.run_name.function_name] = run.GetAdjustedCPUTime();
      }
    }
    ConsoleReporter::ReportRuns(medians);
  }

  void PrintRatios() const {
    std::printf("\nTimes as fast as %s (1 thread, medians):\n%-20s", kFloat, "rows x K x N");
    for (CpuPath path : AvailableCpuPaths()) {
      std::printf("%13s", std::string(CpuPathName(path)).c_str());
    }
    for (const Shape& shape : kShapes) {
      const double base = Median(NameOf(kFloat, shape));
      if (base == 0) continue;
      std::printf("\n%-20s", NameOf("", shape).c_str() + 1);
      for (CpuPath path : AvailableCpuPaths()) {
        const double seconds = Median(NameOf(CpuPathName(path), shape));
        std::printf("%12.2fx", seconds == 0 ? 0.0 : base / seconds);
      }
    }
    std::printf("\n");
  }

 private:
  double Median(const std::string& name) const {
    const auto found = medians_.find(name);
    return found == medians_.end() ? 0 : found->second;
  }

  std::map<std::string, double> medians_;
};

void Register() {
  for (const Shape& shape : kShapes) {
    const auto add = [&](absl::string_view what, auto&& body) {
      benchmark::RegisterBenchmark(NameOf(what, shape).c_str(), body)
          ->Repetitions(5)
          ->MinTime(0.1)
          ->Unit(benchmark::kMicrosecond);
    };
    add(kFloat, [shape](benchmark::State& state) { FloatProduct(state, shape); });
    for (CpuPath path : AvailableCpuPaths()) {
      add(CpuPathName(path),
          [shape, path](benchmark::State& state) { Int8Product(state, path, shape); });
    }
  }
}

}  // namespace
}  // namespace sasq::kernels

int main(int argc, char** argv) {
  at::set_num_threads(1);
  std::vector<char*> arguments(argv, argv + argc);
  // Defaults come first, so that the command line wins.
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleave.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  sasq::kernels::Register();
  sasq::kernels::RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.PrintRatios();
  return 0;
}
