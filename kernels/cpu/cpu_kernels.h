// Internal: the inner loops of one CPU path. The operations (gemm.cc, quantize.cc ...) check
// arguments, cut the work into blocks and share it among threads; what runs on a block is here,
// once per instruction set. Values of a DataType are `void*`, aligned to their element.
#ifndef SASQ_KERNELS_CPU_CPU_KERNELS_H_
#define SASQ_KERNELS_CPU_CPU_KERNELS_H_

#include <stdint.h>

#include "kernels/matrix.h"

namespace sasq::kernels {

// Elements of one block of FakeQuantizeBackward: part of its numerical definition.
inline constexpr int64_t kBackwardBlock = 4096;

// What every path keeps to, so that a panel of sums fits a fixed buffer.
inline constexpr int64_t kMaxTileRows = 12;
inline constexpr int64_t kMaxPanelColumns = 32;

// From these bits of a magnitude on there is an infinity or a NaN.
inline constexpr uint32_t kInfinityBits = 0x7F800000u;

// The epilogue of a panel: for r < rows and c < columns <= panel_columns,
// y[r * y_stride + c] = sums[r * panel_columns + c] * (x_scales[r * x_scale_stride] * w_scales[c])
//                       + bias[c].
struct Epilogue {
  const int32_t* sums;
  int64_t rows;
  int64_t columns;
  const float* x_scales;
  int64_t x_scale_stride;
  const float* w_scales;
  const float* bias;  // may be null
  DataType type;      // of y
  void* y;
  int64_t y_stride;  // in elements
};

// A row h and the f of RMSNorm.
struct NormedRow {
  const void* h;
  float factor;
};

// Operands of a product are cut along K into groups of `group_codes` codes. A group of activations
// takes 4 bytes in the path's own form ("prepared": int16 pairs, or uint8 with an offset of 128).
// Weights lie in panels of `panel_columns` output channels, [N / panel_columns][K / group_codes]
// [panel_columns][group_codes], padded with zeros.
struct CpuKernels {
  int64_t group_codes;    // 2 or 4
  int64_t tile_rows;      // most rows of one call of `tile`
  int64_t panel_columns;  // output channels of a panel
  int32_t code_offset;    // what `prepare` adds to every code

  // Prepares `count` codes; the last group is filled up. `prepared` holds
  // ceil(count / group_codes) * 4 bytes.
  void (*prepare)(const int8_t* codes, int64_t count, uint8_t* prepared);

  // Adds, for r < rows <= tile_rows and every column c of the panel, the products of `groups`
  // groups to sums_in[r * sums_in_stride + c] (modulo 2^32) and writes
  // sums_out[r * panel_columns + c]. Row r of the activations starts at prepared + r * row_bytes.
  void (*tile)(int64_t rows, const uint8_t* prepared, int64_t row_bytes, const int8_t* panel,
               int64_t groups, const int32_t* sums_in, int64_t sums_in_stride, int32_t* sums_out);

  void (*dequantize)(const Epilogue& epilogue);

  // Conversion of `count` values, rounded half to even.
  void (*load)(DataType type, const void* x, int64_t count, float* values);
  void (*store)(DataType type, const float* values, int64_t count, void* y);

  // codes[i] = QuantizedCode(x[i], scale). Where the caches hold x, `next` is what they should hold
  // next, as long as x, else null.
  void (*quantize)(DataType type, const void* x, int64_t count, float scale, int8_t* codes,
                   const void* next);

  // The largest bit pattern of |x[i]|, 0 if count is 0. Patterns order as the values do.
  uint32_t (*max_magnitude_bits)(DataType type, const void* x, int64_t count);

  // y[i] = scale * QuantizedCode(x[i], scale); y may be x.
  void (*fake_quantize)(DataType type, const void* x, int64_t count, float scale, void* y);

  // FakeQuantizeBackward on count <= kBackwardBlock elements; returns their part of the sum.
  // `grad_x` may be `grad`.
  double (*fake_quantize_backward)(const float* x, const float* grad, int64_t count, float scale,
                                   float* grad_x);

  // One row of RMSNorm. First half: residual = residual + x, if it is not null, and the factor.
  NormedRow (*norm_row)(DataType type, const void* x, void* residual, int64_t cols, float epsilon);
  // Second half: codes of, and the largest bits of a magnitude of, (h[c] * f) * gain[c]. Codes are
  // computed from the caches: meanwhile the next row and its residual are fetched. Either may be
  // null.
  void (*quantize_normed_row)(DataType type, const NormedRow& row, const float* gain, int64_t cols,
                              float scale, int8_t* codes, const void* next_x,
                              const void* next_residual);
  uint32_t (*max_normed_magnitude_bits)(DataType type, const NormedRow& row, const float* gain,
                                        int64_t cols);

  // Codes of v = Silu(gate) * up, or v itself and the largest bits of its magnitude.
  void (*quantize_silu_mul)(DataType type, const void* gate, const void* up, int64_t count,
                            float scale, int8_t* codes);
  uint32_t (*silu_mul)(DataType type, const void* gate, const void* up, int64_t count, float* v);

  // HadamardTransform of count <= kMaxHadamardBlock elements, a multiple of `block`; y may be x.
  void (*hadamard)(DataType type, const void* x, int64_t count, int64_t block, void* y);
};

extern const CpuKernels kPortableKernels;
#ifdef __x86_64__
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kAvx512VnniKernels;
#endif

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_CPU_KERNELS_H_
