// What the kernel benchmarks share.
#ifndef SASQ_TESTS_BENCH_MEDIAN_REPORTER_H_
#define SASQ_TESTS_BENCH_MEDIAN_REPORTER_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sasq::kernels {

// Prints and keeps the median of each benchmark's repetitions, in CPU seconds: what other programs
// take from this one does not count.
class MedianReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> medians;
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
        medians.push_back(run);
        seconds_[run.run_name.function_name] =
            run.GetAdjustedCPUTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
      }
    }
    ConsoleReporter::ReportRuns(medians);
  }

  // 0 for what did not run.
  double Seconds(const std::string& name) const {
    const auto found = seconds_.find(name);
    return found == seconds_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, double> seconds_;
};

inline void AddBenchmark(const std::string& name,
                         const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark(name.c_str(), body)
      ->Repetitions(5)
      ->MinTime(0.1)
      ->Unit(benchmark::kMicrosecond);
}

// product_bench.cc: INT8 products beside LibTorch's float32 mm and its _int_mm.
void AddProducts();
void PrintProducts(const MedianReporter& reporter);

// bandwidth_bench.cc: what is bound by memory, beside a copy.
void AddMemoryOperations();
void PrintMemoryOperations(const MedianReporter& reporter);

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_BENCH_MEDIAN_REPORTER_H_
