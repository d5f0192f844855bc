// Ways to split work that a result must not depend on, and the paths to test.
#ifndef SASQ_TESTS_KERNELS_TESTING_PARALLEL_H_
#define SASQ_TESTS_KERNELS_TESTING_PARALLEL_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/cpu_path.h"
#include "kernels/parallel.h"

namespace sasq::kernels {

// Cuts the work at random places, shuffles the ranges and deals them to three threads.
class ShufflingFor {
 public:
  explicit ShufflingFor(uint32_t seed) : random_(seed) {}

  void operator()(int64_t count, RangeBody body) const {
    std::vector<std::pair<int64_t, int64_t>> ranges;
    for (int64_t begin = 0; begin < count;) {
      const int64_t size = 1 + static_cast<int64_t>(random_() % 7);
      ranges.emplace_back(begin, std::min(begin + size, count));
      begin += size;
    }
    std::shuffle(ranges.begin(), ranges.end(), random_);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = t; i < ranges.size(); i += kThreads) {
          body(ranges[i].first, ranges[i].second);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  static constexpr size_t kThreads = 3;
  mutable std::mt19937 random_;
};

// A fixture for tests that run once for each path of this machine.
class PathTest : public testing::TestWithParam<CpuPath> {};

inline std::string PathParamName(const testing::TestParamInfo<CpuPath>& info) {
  return std::string(CpuPathName(info.param));
}

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_KERNELS_TESTING_PARALLEL_H_
