"""cvt: conversions between integers and floating-point types, and cvta between address spaces."""

from __future__ import annotations

import numpy as np

from . import floats
from .arithmetic import plain
from .errors import PtxError
from .operands import Operation, dtype_of
from .parser import Instruction, Kernel

Array = np.ndarray

_INTEGRAL = ("rni", "rzi", "rmi", "rpi")
_FLOATS = ("f16", "bf16", "f32", "f64")
# Where the windows of the other state spaces lie in generic addresses.
WINDOWS = {"shared": 0x7E0000000000, "local": 0x7D0000000000, "param": 0x7C0000000000, "global": 0}


def _as_float(values: Array, kind: str) -> Array:
    return floats.float_of_bfloat16(values) if kind == "bf16" else values


def _round_to(values: Array, kind: str) -> Array:
    """`values`, float32 or float64 or narrower, in the floating-point type `kind`."""
    if kind == "bf16":
        if values.dtype == np.float64:
            raise PtxError("float64 to bfloat16 is not supported")
        return floats.bfloat16_bits(values)
    return floats.canonical(values.astype(dtype_of(kind)))


def _decode_pair(kernel: Kernel, instruction: Instruction, kind: str) -> Operation:
    """cvt.rn.f16x2.f32 and bf16x2: the first source becomes the upper half."""
    def compute(high: Array, low: Array) -> Array:
        halves = [np.asarray(_round_to(np.atleast_1d(v), kind)).view(np.uint16).astype(np.uint32) for v in (high, low)]
        return (halves[0] << np.uint32(16)) | halves[1]

    return plain(kernel, instruction.operands, ["f32", "f32"], compute)


def decode_cvt(kernel: Kernel, instruction: Instruction) -> Operation:
    """cvt with the roundings .rn and .r?i, and .sat to integers."""
    _, *modifiers, target, source = instruction.parts
    rounding = next((m for m in modifiers if m in _INTEGRAL), "")
    if set(modifiers) - {"rn", "sat", rounding}:
        raise PtxError(f"modifiers .{'.'.join(modifiers)} are not supported")
    if target in ("f16x2", "bf16x2") and source == "f32" and modifiers == ["rn"]:
        return _decode_pair(kernel, instruction, target[:-2])
    if target in _FLOATS:
        if "sat" in modifiers:
            raise PtxError("modifier .sat is not supported")
        if source not in _FLOATS:
            return plain(kernel, instruction.operands, [source],
                         lambda a: _round_to(_float_of_integer(a, target), target))
        whole = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}.get(rounding, lambda a: a)
        return plain(kernel, instruction.operands, [source], lambda a: _round_to(whole(_as_float(a, source)), target))
    dtype = dtype_of(target)
    if source in _FLOATS:
        if not rounding:
            raise PtxError("a conversion to an integer without rounding")
        return plain(kernel, instruction.operands, [source],
                     lambda a: floats.to_integer(_as_float(a, source), dtype, rounding))
    if "sat" not in modifiers:
        return plain(kernel, instruction.operands, [source], lambda a: a.astype(dtype))
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return plain(kernel, instruction.operands, [source],
                 lambda a: np.clip(np.asarray(a, object), low, high).astype(dtype))


def _float_of_integer(values: Array, target: str) -> Array:
    """Integers in a float type from which rounding to `target` is the only rounding."""
    if target == "f32" and values.dtype.itemsize < 8 or target == "f64":
        return values.astype(np.float64)
    if target == "f32":
        return values.astype(np.float32)
    raise PtxError(f"an integer to .{target} is not supported")


def decode_cvta(kernel: Kernel, instruction: Instruction) -> Operation:
    """cvta: from an address of a state space to a generic one; cvta.to: back."""
    parts = instruction.parts
    space, kind = parts[-2], parts[-1]
    if space not in WINDOWS:
        raise PtxError(f"state space .{space} is not supported")
    offset = dtype_of(kind).type(WINDOWS[space])
    if parts[1] == "to":
        return plain(kernel, instruction.operands, [kind], lambda a: a - offset)
    return plain(kernel, instruction.operands, [kind], lambda a: a + offset)
