#include "quant/model/torch_guard.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "common/rpc_status.h"

namespace sasq {
namespace {

TEST(TorchGuardTest, PassesStatusesOn) {
  EXPECT_TRUE(CatchTorch([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(CatchTorch([] { return absl::CancelledError("stopped"); }),
            absl::CancelledError("stopped"));
  EXPECT_EQ(CatchTorchOr([]() -> absl::StatusOr<int> { return 3; }).value(), 3);
}

TEST(TorchGuardTest, MemoryThatRunsOutHasItsReason) {
  const absl::Status allocator = CatchTorch([] {
    at::empty({int64_t{1} << 50}, at::kFloat);
    return absl::OkStatus();
  });
  const absl::Status standard = CatchTorch([]() -> absl::Status { throw std::bad_alloc(); });
  for (const absl::Status& status : {allocator, standard}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(status), "OUT_OF_MEMORY");
  }
}

TEST(TorchGuardTest, OtherExceptionsAreInternal) {
  const absl::StatusOr<at::Tensor> product = CatchTorchOr([]() -> absl::StatusOr<at::Tensor> {
    return at::mm(at::empty({2, 3}, at::kFloat), at::empty({2, 3}, at::kFloat));
  });
  EXPECT_EQ(product.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(product.status().message()), ::testing::HasSubstr("mat1 and mat2"));
}

}  // namespace
}  // namespace sasq
