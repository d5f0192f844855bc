"""The operations' definitions (kernels/*.h) in numpy: explicit order, float32, one rounding each.

Written from the headers' algebra, and shares no code with the kernels or with the interpreter.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

F32 = np.float32
NORM_LANES = 1024
_ROUND = F32(12582912.0)  # 1.5 * 2^23
_MIN_NORMAL = F32(1.17549435e-38)


def to_storage(values: Array, kind: str) -> Array:
    """float32 values in a storage type, half to even; bfloat16 as its bits."""
    if kind == "float32":
        return values.astype(F32)
    if kind == "float16":
        return values.astype(np.float16)
    # Twice the discarded half decides; a tie goes to the even neighbour.
    bits = np.ascontiguousarray(values, F32).view(np.uint32).astype(np.uint64)
    low, high = bits & 0xFFFF, bits >> 16
    high = high + ((low > 0x8000) | ((low == 0x8000) & (high % 2 == 1)))
    return np.where(np.isnan(values), 0x7FC0, high).astype(np.uint16)


def to_float(stored: Array) -> Array:
    """Storage values as float32."""
    if stored.dtype == np.uint16:
        return (stored.astype(np.uint32) << 16).view(F32)
    return stored.astype(F32)


def rounded_quotient(x: Array, scale: Array | F32) -> Array:
    """The code of x as a float: clamp(round_half_even(x / scale), -128, 127), 0 for NaN."""
    v = np.clip(x / scale, F32(-128), F32(127))
    v = np.where(np.isnan(v), F32(0), v)
    return (v + _ROUND) - _ROUND


def quantize(x: Array, scale: Array | F32) -> Array:
    """int8 codes of float32 values."""
    return rounded_quotient(x, scale).astype(np.int8)


def row_scales(x: Array) -> Array:
    """Per-token scales [rows]: NaN for a row with a NaN or an infinity, as on CUDA."""
    magnitude = np.abs(x).max(axis=1)
    scale = magnitude / F32(127)
    scale = np.where(scale < _MIN_NORMAL, F32(1), scale)
    return np.where(np.isfinite(x).all(axis=1), scale, F32(np.nan))


def rms_normalized(h: Array, gain: Array, epsilon: F32) -> Array:
    """(h * f) * gain in float32."""
    rows, cols = h.shape
    squares = np.zeros((rows, -(-cols // NORM_LANES) * NORM_LANES), F32)
    squares[:, :cols] = h * h
    lanes = np.zeros((rows, NORM_LANES), F32)
    for start in range(0, squares.shape[1], NORM_LANES):
        lanes = lanes + squares[:, start:start + NORM_LANES]
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    factor = F32(1) / np.sqrt(lanes / F32(cols) + epsilon)
    return (h * factor) * gain


def exp(x: Array) -> Array:
    """e^x by numerics.h: Cody and Waite's reduction and the polynomial of Cephes' expf."""
    x = np.where(x > F32(88), F32(88), x)
    x = np.where(x < F32(-87), F32(-87), x)
    shifted = x * F32(1.44269504) + _ROUND
    n = shifted - _ROUND
    r = (x - n * F32(0.693359375)) - n * F32(-2.12194440e-4)
    p = np.full_like(x, F32(1.9875691500e-4))
    for coefficient in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + F32(coefficient)
    p = (p * (r * r) + r) + F32(1)
    exponent = shifted.view(np.uint32) - np.uint32(0x4B400000) + np.uint32(127)
    return p * (exponent << np.uint32(23)).view(F32)


def silu_mul(gate: Array, up: Array) -> Array:
    """(g / (1 + e^-g)) * u."""
    return (gate / (F32(1) + exp(-gate))) * up


def hadamard(x: Array, block: int) -> Array:
    """Walsh-Hadamard transform of each block of a row."""
    y = x.reshape(-1, block)
    width = 1
    while width < block:
        pairs = y.reshape(-1, block // (2 * width), 2, width)
        y = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2).reshape(-1, block)
        width *= 2
    return (y * (F32(1) / np.sqrt(F32(block)))).reshape(x.shape)


def fake_quantize(x: Array, scale: F32) -> Array:
    """s * clamp(round_half_even(x / s), -128, 127)."""
    return scale * rounded_quotient(x, scale)


def fake_quantize_slopes(x: Array, scale: F32) -> tuple[Array, Array]:
    """Whether x is inside the range, and d x_hat / d s as float32."""
    v = x / scale
    inside = (v > -128) & (v < 127)
    slope = np.where(v >= 127, F32(127), np.where(v <= -128, F32(-128), ((v + _ROUND) - _ROUND) - v))
    return inside, np.where(np.isnan(v), F32(0), slope)


def gemm(codes: Array, x_scales: Array, weights: Array, w_scales: Array, bias: Array | None) -> Array:
    """float(sum) * (s_x * s_w) + bias in float32; x_scales [rows, 1] or [1, 1]."""
    sums = codes.astype(np.int64) @ weights.astype(np.int64).T
    y = sums.astype(np.int32).astype(F32) * (x_scales * w_scales)
    return y if bias is None else y + bias
