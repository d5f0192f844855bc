#include "quant/train/fake_quantize_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "quant/model/int8_linear.h"

namespace sasq::testing {
namespace {

at::Tensor Values() {
  const at::Tensor x = at::empty({7, 50}, at::kFloat);
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data_ptr<float>()[i] = static_cast<float>(std::sin(1.1 * static_cast<double>(i)) *
                                                        std::exp(0.01 * static_cast<double>(i)));
  }
  x.select(0, 3).zero_();
  return x;
}

// What is trained is what runs: the kernel's codes times its scales, to the bit.
TEST(FakeQuantizeRowsTest, AreTheIntegersOfTheKernel) {
  for (const int bits : {4, 6, 8}) {
    const at::Tensor x = Values();
    const ops::Quantized quantized = QuantizeRows(x, bits);
    const at::Tensor want = quantized.codes.to(at::kFloat) * quantized.scales.unsqueeze(1);
    EXPECT_TRUE(at::equal(FakeQuantizeRows(x, bits), want)) << bits;
  }
}

TEST(FakeQuantizeRowsTest, LeavesFloatRows) {
  const at::Tensor x = Values();
  const at::Tensor rounded = FakeQuantizeRows(x, 4, 2);
  EXPECT_TRUE(at::equal(rounded.narrow(0, 0, 2), x.narrow(0, 0, 2)));
  EXPECT_TRUE(at::equal(rounded.narrow(0, 2, 5), FakeQuantizeRows(x, 4).narrow(0, 2, 5)));
}

TEST(FakeQuantizeRowsTest, StraightThroughPassesTheGradientOn) {
  const at::Tensor x = Values().set_requires_grad(true);
  const at::Tensor rounded = StraightThroughRows(x, 4);
  // x + (x_hat - x) rounds to 2^-24 of the larger one.
  EXPECT_LT((rounded - FakeQuantizeRows(x, 4)).abs().max().item<float>(),
            0x1p-23f * x.abs().max().item<float>());
  const at::Tensor gradient = Values() + 1;
  torch::autograd::backward({rounded}, {gradient});
  EXPECT_TRUE(at::equal(x.grad(), gradient));
}

}  // namespace
}  // namespace sasq::testing
