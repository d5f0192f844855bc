"""Floating point as the PTX ISA defines it: one rounding, half to even; NaN results are canonical."""

from __future__ import annotations

import ctypes
import ctypes.util

import numpy as np

Array = np.ndarray

# The NaN that an instruction writes, by the type of its result.
_CANONICAL_NAN = {np.dtype(np.float16): np.uint16(0x7FFF).view(np.float16),
                  np.dtype(np.float32): np.uint32(0x7FFFFFFF).view(np.float32),
                  np.dtype(np.float64): np.uint64(0x7FF8000000000000).view(np.float64)}


def canonical(values: Array) -> Array:
    """`values` with every NaN in the form that an instruction writes."""
    nan = np.isnan(values)
    return np.where(nan, _CANONICAL_NAN[values.dtype], values) if np.any(nan) else values


def _sum_to_odd(a: Array, b: Array) -> Array:
    """a + b in float64, rounded to odd: a later rounding to at most 51 bits is then the only one."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    bits = np.atleast_1d(total).view(np.int64)
    away = (error > 0) == (total > 0)
    inexact = np.isfinite(total) & np.isfinite(error) & (error != 0) & (bits % 2 == 0)
    return np.where(inexact, bits + np.where(away, 1, -1), bits).view(np.float64).reshape(np.shape(total))


_libm = ctypes.CDLL(ctypes.util.find_library("m"))
_libm.fma.restype = ctypes.c_double
_libm.fma.argtypes = [ctypes.c_double] * 3
_fma64 = np.frompyfunc(_libm.fma, 3, 1)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c with one rounding, in the type of the operands."""
    if a.dtype == np.float64:
        return canonical(np.asarray(_fma64(a, b, c)).astype(np.float64))
    # Products of float16 and of float32 are exact in float64.
    product = a.astype(np.float64) * b.astype(np.float64)
    return canonical(_sum_to_odd(product, c.astype(np.float64)).astype(a.dtype))


def minimum(a: Array, b: Array) -> Array:
    """PTX min: a NaN loses against a number, -0 is below +0."""
    zeros = (a == 0) & (b == 0)
    return canonical(np.where(zeros, np.where(np.signbit(a), a, b), np.fmin(a, b)))


def maximum(a: Array, b: Array) -> Array:
    """PTX max: a NaN loses against a number, +0 is above -0."""
    zeros = (a == 0) & (b == 0)
    return canonical(np.where(zeros, np.where(np.signbit(a), b, a), np.fmax(a, b)))


def bfloat16_bits(values: Array) -> Array:
    """float32 to the bits of bfloat16, half to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), 0x7FFF, rounded).astype(np.uint16)


def float_of_bfloat16(bits: Array) -> Array:
    """The bits of bfloat16 to float32, exact."""
    return (np.ascontiguousarray(bits, np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_integer(values: Array, dtype: np.dtype, rounding: str) -> Array:
    """cvt from floating point: rounds, then clamps to the range of `dtype`."""
    info = np.iinfo(dtype)
    rounded = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}[rounding](values.astype(np.float64))
    of_nan = info.min if info.min else 1 << (info.bits - 1)
    if values.dtype != np.float64 and info.bits < 64:
        of_nan = 0
    above, below = rounded > float(info.max), rounded < float(info.min)
    at_end = rounded >= 2.0 ** info.bits if info.min == 0 else rounded >= 2.0 ** (info.bits - 1)
    inside = np.where(np.isnan(values) | above | below | at_end, 0.0, rounded).astype(dtype)
    result = np.where(above | at_end, dtype.type(info.max), np.where(below, dtype.type(info.min), inside))
    return np.where(np.isnan(values), dtype.type(of_nan), result)
