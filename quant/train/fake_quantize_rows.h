// Symmetric rounding of rows in floating point: what the integers of DynamicInt8Linear and of
// QuantizedWeights stand for. For the engine alone: whoever includes this includes LibTorch.
#ifndef SASQ_QUANT_TRAIN_FAKE_QUANTIZE_ROWS_H_
#define SASQ_QUANT_TRAIN_FAKE_QUANTIZE_ROWS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace sasq {

// s * round_half_even(x / s) with s = absmax / (2^(bits - 1) - 1) of each row of x[rows, cols];
// zeros stay zeros, a row that is not finite becomes NaNs. The first `float_rows` rows stay as they
// are. Outside of autograd.
at::Tensor FakeQuantizeRows(const at::Tensor& x, int bits, int64_t float_rows = 0);

// The same values (to a unit in the last place of x) with the straight-through gradient: nothing is
// clipped, so d x_hat / d x = 1; the scale counts as a constant.
at::Tensor StraightThroughRows(const at::Tensor& x, int bits, int64_t float_rows = 0);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_FAKE_QUANTIZE_ROWS_H_
