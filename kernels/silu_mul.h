// SiLU of the gate times the other branch of a gated MLP (Shazeer, arXiv 2002.05202), fused with
// the quantization of its result.
//
//   v = (g / (1 + e^-g)) * u
//   q = clamp(round_half_even(v / s), -128, 127)
//
// All in float32, one rounding for each operator, e^x by one definition (numerics.h): the integers
// are the same on every path and device. `gate` and `up` have one shape and type, cols >= 1, and
// are usually the two halves of one matrix. Errors as in quantize.h.
#ifndef SASQ_KERNELS_SILU_MUL_H_
#define SASQ_KERNELS_SILU_MUL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

// Static, per tensor: codes[rows, cols], dense, with the one `scale`.
absl::Status SiluMulQuantizeStatic(const CpuContext& context, const ConstMatrix& gate,
                                   const ConstMatrix& up, float scale, int8_t* codes);
absl::Status SiluMulQuantizeStatic(const CudaContext& context, const ConstMatrix& gate,
                                   const ConstMatrix& up, float scale, int8_t* codes);

// Dynamic, per token: scales[r] by the rule of QuantizePerToken, also for rows that are not finite.
absl::Status SiluMulQuantizePerToken(const CpuContext& context, const ConstMatrix& gate,
                                     const ConstMatrix& up, int8_t* codes, float* scales);
absl::Status SiluMulQuantizePerToken(const CudaContext& context, const ConstMatrix& gate,
                                     const ConstMatrix& up, int8_t* codes, float* scales);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_SILU_MUL_H_
