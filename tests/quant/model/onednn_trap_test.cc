// oneDNN's signed INT8 product, and so at::_int_mm, saturates in 16 bits on CPUs without VNNI and
// is silently wrong there. This is why LibTorch's product is never used here. Measured again in a
// child process that is held to AVX2, beside our own product on the same matrices, which has to be
// exact whatever oneDNN does today.
#include <ATen/core/Tensor.h>
#include <ATen/ops/_int_mm.h>
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/gemm.h"
#include "kernels/quantize.h"

namespace sasq {
namespace {

constexpr int64_t kRows = 64, kIn = 576, kOut = 1536;
// Largest magnitudes of the weights. 2 * 127 * 127 fits 16 bits signed as a pair of products of
// signed codes, but not after oneDNN has shifted the activations by 128; 2 * 255 * 63 does.
constexpr int kWeightLimits[] = {127, 63};

struct Matrices {
  std::vector<int8_t> x, w;
  std::vector<int64_t> product;  // exact
};

Matrices MatricesOf(int weight_limit) {
  Matrices m;
  std::mt19937 random(1);
  const auto code = [&random](int limit) {
    return static_cast<int8_t>(static_cast<int>(random() % static_cast<uint32_t>(2 * limit + 1)) -
                               limit);
  };
  for (int64_t i = 0; i < kRows * kIn; ++i) m.x.push_back(code(127));
  for (int64_t i = 0; i < kOut * kIn; ++i) m.w.push_back(code(weight_limit));
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t n = 0; n < kOut; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < kIn; ++k) {
        sum += int64_t{m.x[static_cast<size_t>(row * kIn + k)]} *
               m.w[static_cast<size_t>(n * kIn + k)];
      }
      m.product.push_back(sum);
    }
  }
  return m;
}

// The child: what at::_int_mm does under the parent's ONEDNN_MAX_CPU_ISA.
TEST(OneDnnTrapChild, DISABLED_MeasuresIntMm) {
  for (const int limit : kWeightLimits) {
    const Matrices m = MatricesOf(limit);
    at::Tensor x = at::empty({kRows, kIn}, at::kChar);
    at::Tensor w = at::empty({kOut, kIn}, at::kChar);
    std::memcpy(x.mutable_data_ptr<int8_t>(), m.x.data(), m.x.size());
    std::memcpy(w.mutable_data_ptr<int8_t>(), m.w.data(), m.w.size());
    const at::Tensor y = at::_int_mm(x, w.t()).contiguous();
    int64_t difference = 0, largest = 0;
    for (size_t i = 0; i < m.product.size(); ++i) {
      difference =
          std::max(difference, std::abs(m.product[i] - int64_t{y.const_data_ptr<int32_t>()[i]}));
      largest = std::max(largest, std::abs(m.product[i]));
    }
    std::printf("at::_int_mm, weights within +-%d: %s, off by at most %lld of %lld\n", limit,
                difference == 0 ? "exact" : "WRONG", static_cast<long long>(difference),
                static_cast<long long>(largest));
  }
}

TEST(OneDnnTrapTest, OursIsExactWhereOneDnnMayNotBe) {
  std::string self(4096, '\0');
  const ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
  ASSERT_GT(length, 0);
  self.resize(static_cast<size_t>(length));
  const std::string command =
      absl::StrCat("ONEDNN_MAX_CPU_ISA=AVX2 '", self,
                   "' --gtest_filter=OneDnnTrapChild.* --gtest_also_run_disabled_tests");
  FILE* const child = popen(command.c_str(), "r");
  ASSERT_NE(child, nullptr);
  std::string output;
  char line[256];
  while (std::fgets(line, sizeof(line), child) != nullptr) output += line;
  ASSERT_EQ(pclose(child), 0) << output;
  int reports = 0;
  for (size_t at = output.find("at::_int_mm"); at != std::string::npos;
       at = output.find("at::_int_mm", at + 1)) {
    std::printf("oneDNN held to AVX2: %s\n", output.substr(at, output.find('\n', at) - at).c_str());
    ++reports;
  }
  EXPECT_EQ(reports, 2) << output;

  const std::vector<kernels::CpuPath> paths = kernels::AvailableCpuPaths();
  const kernels::CpuPath path =
      std::find(paths.begin(), paths.end(), kernels::CpuPath::kAvx2) != paths.end()
          ? kernels::CpuPath::kAvx2
          : kernels::CpuPath::kPortable;
  for (const int limit : kWeightLimits) {
    const Matrices m = MatricesOf(limit);
    const std::vector<float> ones(kOut, 1.0f);
    const auto weights = kernels::PackedWeights::Pack(path, m.w.data(), kOut, kIn, ones);
    ASSERT_TRUE(weights.ok()) << weights.status();
    std::vector<float> y(m.product.size());
    ASSERT_TRUE(kernels::Gemm({path, kernels::SerialFor}, m.x.data(), {.scale = 1.0f},
                              weights->view(), nullptr, kernels::DenseMatrix(y.data(), kRows, kOut))
                    .ok());
    // Sums of 576 products stay below 2^24: float32 shows every integer.
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], static_cast<float>(m.product[i])) << i;
    }
  }
  std::printf("ours, path %s: exact\n", std::string(kernels::CpuPathName(path)).c_str());
}

}  // namespace
}  // namespace sasq
