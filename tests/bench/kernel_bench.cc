// Speed of the CPU kernels on every path of this CPU, one thread, in one run with what they are
// compared to. After Google Benchmark's own table come tables of ratios of CPU time. Repetitions
// are interleaved, so that other load on the machine falls on both sides.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tests/bench/median_reporter.h"

int main(int argc, char** argv) {
  at::set_num_threads(1);
  std::vector<char*> arguments(argv, argv + argc);
  // Defaults come first, so that the command line wins.
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleave.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  sasq::kernels::AddProducts();
  sasq::kernels::AddMemoryOperations();
  sasq::kernels::MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  sasq::kernels::PrintProducts(reporter);
  sasq::kernels::PrintMemoryOperations(reporter);
  return 0;
}
