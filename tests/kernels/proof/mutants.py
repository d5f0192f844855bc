"""Planted bugs, each with the check that must find it."""

from __future__ import annotations

import dataclasses

# What a check says when it finds something.
CHECKS = {
    "oracle": r"\d+ of \d+ differ|grad_scale: want",
    "shared race": r"race: .*shared memory",
    "block race": r"race: .*another block",
    "bounds": r"out of bounds",
    "alignment": r"misaligned",
    "convergence": r"unconverged",
    "definedness": r"undefined: |never written",
    "instructions": r"not supported",
    "traffic": r"too much .* traffic",
    "machine code": r"bytes of stack and local memory",
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`search`, which must occur exactly once in `file`, becomes `replace`; the `units` are compiled
    again. Calls of the sweep whose names match `calls` then run, and `check` must find the bug.

    `file` "gemm_sm80.ptx" is the PTX of CUTLASS' kernels, where `search` is a pattern that is replaced
    wherever it occurs.
    """
    name: str
    file: str
    search: str
    replace: str
    units: tuple[str, ...]
    calls: str
    check: str
    handful: bool = False  # also in the short run


_RMS = ("rms_norm",)
_QUANTIZE = ("quantize",)
_GEMV = ("gemv",)
_BACKWARD = ("fake_quantize",)
_HADAMARD = ("hadamard",)

MUTANTS = (
    # Barriers.
    Mutant("missing barrier before the lanes are added", "kernels/cuda/rms_norm.cuh",
           "    SyncBlock();\n    if (thread < width) {", "    if (thread < width) {", _RMS,
           "RmsNorm static float16 3x37", "shared race", True),
    Mutant("missing barrier after the lanes are added", "kernels/cuda/rms_norm.cuh",
           "lanes[j] += upper[j][thread];\n    }\n    SyncBlock();", "lanes[j] += upper[j][thread];\n    }", _RMS,
           "RmsNorm static float16 3x37", "shared race"),
    Mutant("missing barrier before the sum is read", "kernels/cuda/rms_norm.cuh",
           "  SyncBlock();\n  return sum;", "  return sum;", _RMS, "RmsNorm static float16 3x37", "shared race"),
    Mutant("barrier in a branch", "kernels/cuda/rms_norm.cuh",
           "    SyncBlock();\n    if (thread < width) {", "    if (thread < width) {\n      SyncBlock();", _RMS,
           "RmsNorm static float16 3x37", "convergence"),
    Mutant("missing barrier before the maximum is read", "kernels/cuda/block_reduce.cuh",
           "largest = result;\n  __syncthreads();", "largest = result;", _QUANTIZE, "Quantize per token float16 3x37",
           "shared race"),
    Mutant("missing barrier between exchanges", "kernels/cuda/hadamard.cuh",
           "      values[j] = PairResult(values[j], other, mask);\n    }\n    SyncBlock();",
           "      values[j] = PairResult(values[j], other, mask);\n    }", _HADAMARD, "Hadamard float16 .* block (512|2048)",
           "shared race"),
    # Lanes and orders.
    Mutant("warp's sum begins at half its width", "kernels/cuda/rms_norm.cuh",
           "int width = kWarpThreads / 2; width > 0", "int width = kWarpThreads / 4; width > 0", _RMS,
           "RmsNorm per token float16 2x1040", "oracle"),
    Mutant("lanes are added in another order", "kernels/cuda/rms_norm.cuh",
           "lanes[j] += upper[j][thread];", "lanes[j] += upper[j][width - 1 - thread];", _RMS,
           "RmsNorm per token float32 (5x1028|1x2309)", "oracle"),
    Mutant("shuffle in a part of the warp", "kernels/cuda/rms_norm.cuh", "  if (thread < kWarpThreads) {",
           "  if (thread < kWarpThreads - 1) {", _RMS, "RmsNorm static float16 3x37", "convergence"),
    Mutant("sums go to the wrong lanes", "kernels/cuda/gemv.cuh", "lane == r * kGemvChannels + n ?",
           "lane == n * kRows + r ?", _GEMV, "Gemm 4x64x2064 float32", "oracle"),
    Mutant("difference with the wrong sign", "kernels/cuda/hadamard.cuh", "value + other : other - value",
           "value + other : value - other", _HADAMARD, "Hadamard float32 3x96", "oracle", True),
    # Numbers.
    Mutant("truncation in place of rounding", "kernels/numerics.h",
           "static_cast<int8_t>(static_cast<int32_t>((v + kRound) - kRound))",
           "static_cast<int8_t>(static_cast<int32_t>(v))", _QUANTIZE, "Quantize static float32 3x37", "oracle"),
    Mutant("missing clamp", "kernels/numerics.h",
           "  v = v > 127.0f ? 127.0f : v;\n  v = v < -128.0f ? -128.0f : v;\n  v = v == v", "  v = v == v", _QUANTIZE,
           "Quantize static float32 3x37 special", "oracle"),
    Mutant("product with the reciprocal in place of a division", "kernels/numerics.h",
           "  float v = x / scale;\n  v = v > 127", "  float v = x * (1.0f / scale);\n  v = v > 127", _QUANTIZE,
           "Quantize static float32 2x1000 scale", "oracle"),
    Mutant("an infinity passes for a number", "kernels/numerics.h", "magnitude_bits < 0x7F800000u",
           "magnitude_bits <= 0x7F800000u", _QUANTIZE, "Quantize per token .* special", "oracle"),
    Mutant("a signed magnitude", "kernels/cuda/quantize.cuh", "FloatBits(values[j]) & 0x7FFFFFFFu",
           "FloatBits(values[j])", _QUANTIZE, "Quantize per token float16 3x37", "oracle"),
    Mutant("the bounds count as inside", "kernels/numerics.h", "v > -128.0f && v < 127.0f",
           "v >= -128.0f && v <= 127.0f", _BACKWARD, "FakeQuantizeBackward float32 .* special", "oracle"),
    Mutant("half rounded toward zero", "kernels/cuda/device.cuh", "cvt.rn.f16.f32", "cvt.rz.f16.f32", _BACKWARD,
           "FakeQuantize float16", "instructions"),
    Mutant("h is not rounded to its type", "kernels/cuda/rms_norm.cuh", "h[j] = ToFloat(stored[j]);",
           "h[j] = old[j] + h[j];", _RMS, "RmsNorm per token float16 .* residual", "oracle"),
    Mutant("an approximate e^x", "kernels/numerics.h", "return x / (1.0f + Exp(-x));", "return x / (1.0f + __expf(-x));",
           ("silu_mul",), "SiluMul static float32 3x37", "instructions"),
    Mutant("unsigned activations", "kernels/cuda/device.cuh",
           "__dp4a(static_cast<int32_t>(a), static_cast<int32_t>(b), sum)",
           "static_cast<int32_t>(__dp4a(a, b, static_cast<uint32_t>(sum)))", _GEMV, "Gemm 1x37x48 float32", "oracle"),
    # Addresses and bounds.
    Mutant("load without its bound", "kernels/cuda/rows.cuh", "c + j < cols ? ToFloat(row[c + j]) : 0.0f",
           "ToFloat(row[c + j])", _QUANTIZE, "Quantize per token float16 3x37", "bounds", True),
    Mutant("store without its bound", "kernels/cuda/rows.cuh", "if (c + j < cols) row[c + j] = values[j];",
           "row[c + j] = values[j];", _HADAMARD, "Hadamard float16 3x36", "bounds"),
    Mutant("columns as the stride", "kernels/cuda/quantize.cuh", "data + row * row_stride", "data + row * cols", _QUANTIZE,
           "Quantize per token float16 .* gap", "bounds"),
    Mutant("stride off by one", "kernels/cuda/gemv.cuh", "k += kWarpThreads * kLaneCodes",
           "k += (kWarpThreads - 1) * kLaneCodes", _GEMV, "Gemm 4x64x2064 float32", "oracle"),
    Mutant("rows beyond the last are read", "kernels/cuda/gemv.cuh", "first_row + r < in.rows ? first_row + r : in.rows - 1",
           "first_row + r", _GEMV, "Gemm 3x17x80 float32", "bounds"),
    Mutant("scale of the row for the channel's", "kernels/cuda/gemv.cuh", "in.w_scales[channel]", "in.w_scales[row]", _GEMV,
           "Gemm 2x40x528 float32", "oracle"),
    Mutant("blocks overlap", "kernels/cuda/fake_quantize.cuh", "chunk += GridX()", "chunk += 1", _BACKWARD,
           "FakeQuantizeBackward float32 5x1028", "block race"),
    Mutant("words of a store swapped", "kernels/cuda/device.cuh", '"r"(words[0]), "r"(words[1]), "r"(words[2]),',
           '"r"(words[1]), "r"(words[0]), "r"(words[2]),', _BACKWARD, "FakeQuantize float32 5x1028", "oracle"),
    # Passes.
    Mutant("second pass reads the wrong partial sum", "kernels/cuda/fake_quantize.cuh", "sum += partial_sums[i];",
           "sum += partial_sums[i / 2];", _BACKWARD, "FakeQuantizeBackward float32 5x1028", "oracle", True),
    Mutant("second pass reads beyond the partial sums", "kernels/cuda/fake_quantize.cuh", "i < count; i += kThreads",
           "i <= count; i += kThreads", _BACKWARD, "FakeQuantizeBackward float32 5x1028", "definedness"),
    Mutant("second pass normalizes x in place of h", "kernels/cuda/rms_norm.cuh",
           "const T* h_row = residual_row == nullptr ? x_row : residual_row;", "const T* h_row = x_row;", _RMS,
           "RmsNorm static float16 .* residual", "oracle"),
    # Launchers.
    Mutant("grid rounded down", "kernels/cuda/launch.h", "(cols - 1) / block_columns + 1", "cols / block_columns", _QUANTIZE,
           "Quantize static float32 3x37", "definedness"),
    Mutant("too little shared memory", "kernels/cuda/hadamard.cu", "exchanges ? threads * kHadamardValues * sizeof(float)",
           "exchanges ? threads * sizeof(float)", _HADAMARD, "Hadamard float16 .* block 512", "bounds"),
    Mutant("vectors whatever the stride", "kernels/cuda/launch.cc", "(matrix.row_stride % step == 0 || matrix.rows == 1)",
           "true", ("launch",), "Quantize per token float16 .* gap 1", "alignment"),
    Mutant("tensor cores whatever the address of y", "kernels/cuda/gemm.cc", "cuda::IsAligned(product.y.data, y_bytes)",
           "y_bytes > 0", ("gemm",), "Gemm 12x20x64 .* offset", "alignment"),
    # CUTLASS' kernels, in PTX.
    Mutant("wait for one group too few", "gemm_sm80.ptx", r"cp\.async\.wait_group 2;", "cp.async.wait_group 3;", (),
           "Gemm 33x68x144 float16", "shared race", True),
    Mutant("no barriers around the tensor cores", "gemm_sm80.ptx", r"bar\.sync\s+0;", "", (), "Gemm 33x68x144 float16",
           "shared race"),
    Mutant("operands of mma swapped", "gemm_sm80.ptx", r"(satfinite \{[^}]*\}, \{[^}]*\}, \{)(%r\d+),(%r\d+)\}",
           r"\1\3,\2}", (), "Gemm 33x68x144 float16", "oracle"),
    Mutant("fragments of the wrong matrices", "gemm_sm80.ptx",
           r"(ldmatrix\.sync\.aligned\.x4\.m8n8\.shared\.b16 \{%r\d+), (%r\d+), (%r\d+)", r"\1, \3, \2", (),
           "Gemm 33x68x144 float16", "oracle"),
    # What the machine makes of it.
    Mutant("registers for three blocks", "kernels/cuda/gemv.cuh", "__launch_bounds__(kThreads, kGemvBlocks<kRows>)",
           "__launch_bounds__(kThreads)", _GEMV, "GemvKernel", "machine code"),
    Mutant("stores of single elements", "kernels/cuda/rows.cuh", "    StoreWhole(row + c, values);",
           "    for (int j = 0; j < count; ++j) row[c + j] = values[j];", _QUANTIZE, "Quantize static float16 4x4096",
           "traffic"),
)
