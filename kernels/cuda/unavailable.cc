// What a build without CUDA answers.
#include "kernels/cuda_device.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"

namespace sasq::kernels {
namespace {

absl::Status Unavailable() { return absl::UnimplementedError("built without CUDA"); }

}  // namespace

absl::StatusOr<CudaDevice> FindCudaDevice() {
  return absl::NotFoundError("no CUDA device: built without CUDA");
}

absl::Status SynchronizeCuda(int device, void* stream) { return Unavailable(); }

absl::Status QuantizeStatic(const CudaContext& context, const ConstMatrix& x, float scale,
                            int8_t* codes) {
  return Unavailable();
}

absl::Status QuantizePerToken(const CudaContext& context, const ConstMatrix& x, int8_t* codes,
                              float* scales) {
  return Unavailable();
}

absl::Status RmsNormQuantizeStatic(const CudaContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes) {
  return Unavailable();
}

absl::Status RmsNormQuantizePerToken(const CudaContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales) {
  return Unavailable();
}

absl::Status SiluMulQuantizeStatic(const CudaContext& context, const ConstMatrix& gate,
                                   const ConstMatrix& up, float scale, int8_t* codes) {
  return Unavailable();
}

absl::Status SiluMulQuantizePerToken(const CudaContext& context, const ConstMatrix& gate,
                                     const ConstMatrix& up, int8_t* codes, float* scales) {
  return Unavailable();
}

absl::Status FakeQuantize(const CudaContext& context, const ConstMatrix& x, float scale,
                          const Matrix& y) {
  return Unavailable();
}

int64_t FakeQuantizeWorkspaceBytes(int64_t rows, int64_t cols) { return 0; }

absl::Status FakeQuantizeBackward(const CudaContext& context, const ConstMatrix& x,
                                  const ConstMatrix& grad, float scale, const Matrix& grad_x,
                                  double* grad_scale, void* workspace) {
  return Unavailable();
}

absl::Status HadamardTransform(const CudaContext& context, const ConstMatrix& x, int64_t block,
                               const Matrix& y) {
  return Unavailable();
}

absl::Status Gemm(const CudaContext& context, const int8_t* codes, const ActivationScales& x_scales,
                  const CudaWeightsView& weights, const float* bias, const Matrix& y) {
  return Unavailable();
}

}  // namespace sasq::kernels
