// A build without CUDA says so.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/cuda_device.h"
#include "kernels/quantize.h"

namespace sasq::kernels {
namespace {

TEST(UnavailableTest, HasNoDeviceAndRunsNothing) {
  const absl::Status found = FindCudaDevice().status();
  EXPECT_EQ(found.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(found.message()), testing::HasSubstr("built without CUDA"));
  const float x = 1;
  int8_t code = 0;
  EXPECT_EQ(QuantizeStatic(CudaContext(), DenseMatrix(&x, 1, 1), 1, &code).code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace sasq::kernels
