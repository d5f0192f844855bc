"""Arithmetic, logic, comparison and selection."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Callable

import numpy as np

from . import floats
from .errors import PtxError
from .operands import Operation, dtype_of, elements, reader, registers_in, writer
from .parser import Instruction, Kernel

if TYPE_CHECKING:
    from .machine import Gang

Array = np.ndarray

_LOGIC = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}
_SIMPLE = {"add": np.add, "sub": np.subtract, "mul": np.multiply}


def plain(kernel: Kernel, operands: tuple[str, ...], kinds: list[str], compute: Callable[..., Array]) -> Operation:
    """destination = compute(sources), each source read as its type."""
    readers = [reader(kernel, operand, kind) for operand, kind in zip(operands[1:], kinds, strict=True)]
    write = writer(kernel, operands[0])

    def execute(gang: "Gang") -> None:
        write(gang, np.asarray(compute(*(read(gang) for read in readers))))

    return Operation(execute, registers_in(kernel, operands[0]), registers_in(kernel, *operands[1:]))


def _require(parts: list[str], allowed: set[str]) -> None:
    unknown = [part for part in parts if part not in allowed]
    if unknown:
        raise PtxError(f"modifier .{unknown[0]} is not supported")


def _require_rounding(parts: list[str], name: str) -> None:
    """float results: one rounding, half to even, and no flushing of denormal numbers.

    ptxas may fuse a product and a sum that both have no .rn. Without such a product a sum is safe
    (CUB's reductions have them).
    """
    _require(parts, {"rn"})
    if "rn" not in parts and name not in ("add", "sub"):
        raise PtxError("no .rn: ptxas may fuse it with another instruction, so its bits are not defined")


def decode_binary(kernel: Kernel, instruction: Instruction) -> Operation:
    """add, sub, mul."""
    name, *modifiers, kind = instruction.parts
    if kind[0] == "f":
        _require_rounding(modifiers, name)
        function = _SIMPLE[name]
        return plain(kernel, instruction.operands, [kind] * 2, lambda a, b: floats.canonical(function(a, b)))
    if name == "mul":
        return _decode_integer_product(kernel, instruction.operands, modifiers, kind)
    _require(modifiers, set())
    return plain(kernel, instruction.operands, [kind] * 2, _SIMPLE[name])


def _high_product(a: Array, b: Array) -> Array:
    """The upper half of the product of two 64-bit integers."""
    product = np.asarray(a, object) * np.asarray(b, object)
    return np.asarray(product >> 64).astype(a.dtype)


def _product(mode: str, kind: str) -> tuple[Callable[[Array, Array], Array], str]:
    """The product of mul and mad, and the type of its result."""
    if mode == "lo":
        return np.multiply, kind
    bits = int(kind[1:])
    if mode == "hi" and bits == 64:
        return _high_product, kind
    wide = dtype_of(f"{kind[0]}{2 * bits}")
    if mode == "wide":
        return (lambda a, b: a.astype(wide) * b.astype(wide)), f"{kind[0]}{2 * bits}"
    if mode == "hi":
        return (lambda a, b: ((a.astype(wide) * b.astype(wide)) >> wide.type(bits)).astype(dtype_of(kind))), kind
    raise PtxError(f"modifier .{mode} is not supported")


def _decode_integer_product(kernel: Kernel, operands: tuple[str, ...], modifiers: list[str], kind: str) -> Operation:
    function, _ = _product(modifiers[0], kind)
    return plain(kernel, operands, [kind] * 2, function)


def decode_mad(kernel: Kernel, instruction: Instruction) -> Operation:
    """mad.lo, mad.hi, mad.wide of integers."""
    _, *modifiers, kind = instruction.parts
    function, result = _product(modifiers[0], kind)
    return plain(kernel, instruction.operands, [kind, kind, result], lambda a, b, c: function(a, b) + c)


def decode_fma(kernel: Kernel, instruction: Instruction) -> Operation:
    """fma.rn."""
    _, *modifiers, kind = instruction.parts
    _require_rounding(modifiers, instruction.parts[0])
    return plain(kernel, instruction.operands, [kind] * 3, lambda a, b, c: floats.fma(*np.broadcast_arrays(a, b, c)))


def _integer_quotient(a: Array, b: Array) -> tuple[Array, Array]:
    if (b == 0).any():
        raise PtxError("division of an integer by zero")
    magnitude = np.abs(a) // np.abs(b) if a.dtype.kind == "i" else a // b
    quotient = np.where((a < 0) != (b < 0), -magnitude, magnitude) if a.dtype.kind == "i" else magnitude
    return quotient.astype(a.dtype), (a - quotient * b).astype(a.dtype)


def decode_division(kernel: Kernel, instruction: Instruction) -> Operation:
    """div, rem, rcp."""
    name, *modifiers, kind = instruction.parts
    if kind[0] == "f":
        _require_rounding(modifiers, name)
        one = dtype_of(kind).type(1)
        if name == "rcp":
            return plain(kernel, instruction.operands, [kind], lambda a: floats.canonical(one / a))
        return plain(kernel, instruction.operands, [kind] * 2, lambda a, b: floats.canonical(a / b))
    _require(modifiers, set())
    which = 0 if name == "div" else 1
    return plain(kernel, instruction.operands, [kind] * 2, lambda a, b: _integer_quotient(a, b)[which])


def decode_sqrt(kernel: Kernel, instruction: Instruction) -> Operation:
    """sqrt.rn."""
    _, *modifiers, kind = instruction.parts
    _require_rounding(modifiers, instruction.parts[0])
    return plain(kernel, instruction.operands, [kind], lambda a: floats.canonical(np.sqrt(a)))


def decode_extremum(kernel: Kernel, instruction: Instruction) -> Operation:
    """min, max."""
    name, *modifiers, kind = instruction.parts
    _require(modifiers, set())
    smaller = name == "min"
    if kind[0] == "f":
        return plain(kernel, instruction.operands, [kind] * 2, floats.minimum if smaller else floats.maximum)
    return plain(kernel, instruction.operands, [kind] * 2, np.minimum if smaller else np.maximum)


def decode_unary(kernel: Kernel, instruction: Instruction) -> Operation:
    """neg, abs, not, cnot of bits, popc, clz, brev."""
    name, *modifiers, kind = instruction.parts
    _require(modifiers, set())
    bits = 8 * dtype_of(kind).itemsize
    if name in ("neg", "abs", "not"):
        # The sign of a float, also of a NaN, is one bit.
        function = {"neg": operator.neg, "abs": np.abs, "not": operator.invert}[name]
    elif name == "popc":
        function = lambda a: np.asarray(np.bitwise_count(a)).astype(np.uint32)
    elif name == "clz":
        function = lambda a: (bits - np.ceil(np.log2(a.astype(np.float64) + 1))).astype(np.uint32)
    else:
        function = lambda a: sum(((a >> a.dtype.type(i)) & a.dtype.type(1)) << a.dtype.type(bits - 1 - i)
                                 for i in range(bits))
    return plain(kernel, instruction.operands, [kind], function)


def decode_logic(kernel: Kernel, instruction: Instruction) -> Operation:
    """and, or, xor."""
    name, kind = instruction.parts
    return plain(kernel, instruction.operands, [kind] * 2, _LOGIC[name])


def decode_lop3(kernel: Kernel, instruction: Instruction) -> Operation:
    """lop3.b32: the truth table of three inputs is the last operand."""
    table = int(instruction.operands[4], 0)

    def compute(a: Array, b: Array, c: Array) -> Array:
        result = np.zeros(np.broadcast(a, b, c).shape, np.uint32)
        for row in (r for r in range(8) if table >> r & 1):
            result |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
        return result

    return plain(kernel, instruction.operands[:4], ["b32"] * 3, compute)


def decode_shift(kernel: Kernel, instruction: Instruction) -> Operation:
    """shl, shr; amounts beyond the width count as the width."""
    name, kind = instruction.parts
    dtype = dtype_of(kind)
    bits = 8 * dtype.itemsize

    def compute(a: Array, amount: Array) -> Array:
        inside = np.minimum(amount, bits - 1).astype(dtype)
        shifted = a << inside if name == "shl" else a >> inside
        beyond = a >> dtype.type(bits - 1) if name == "shr" and dtype.kind == "i" else dtype.type(0)
        return np.where(amount >= bits, beyond, shifted)

    return plain(kernel, instruction.operands, [kind, "u32"], compute)


def decode_funnel_shift(kernel: Kernel, instruction: Instruction) -> Operation:
    """shf.l and shf.r, wrapping or clamping."""
    _, direction, mode, _ = instruction.parts

    def compute(low: Array, high: Array, amount: Array) -> Array:
        both = (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
        n = (amount % 32 if mode == "wrap" else np.minimum(amount, 32)).astype(np.uint64)
        return ((both >> n) if direction == "r" else (both << n) >> np.uint64(32)).astype(np.uint32)

    return plain(kernel, instruction.operands, ["b32", "b32", "u32"], compute)


def decode_bit_field(kernel: Kernel, instruction: Instruction) -> Operation:
    """bfe, bfi of 32 bits."""
    name, kind = instruction.parts
    mask = lambda length: ((np.uint64(1) << np.minimum(length, 32).astype(np.uint64)) - np.uint64(1))
    wide = lambda a: np.asarray(a).astype(np.uint64)

    def insert(a: Array, b: Array, start: Array, length: Array) -> Array:
        field = mask(length & 255) << wide(start & 255)
        return ((wide(b) & ~field) | ((wide(a) << wide(start & 255)) & field)).astype(np.uint32)

    def extract(a: Array, start: Array, length: Array) -> Array:
        start, length = start & 255, length & 255
        signed = np.asarray(a).astype(np.int64) if kind[0] == "s" else wide(a).astype(np.int64)
        field = (signed >> np.minimum(start, 63).astype(np.int64)).astype(np.uint64) & mask(length)
        top = np.minimum(start.astype(np.int64) + length - 1, 31)
        negative = (kind[0] == "s") & (length > 0) & (((signed >> np.maximum(top, 0)) & 1) == 1)
        return np.where(negative, field | ~mask(length), field).astype(np.uint32)

    if name == "bfi":
        return plain(kernel, instruction.operands, ["b32", "b32", "u32", "u32"], insert)
    return plain(kernel, instruction.operands, [kind, "u32", "u32"], extract)


def decode_prmt(kernel: Kernel, instruction: Instruction) -> Operation:
    """prmt.b32 in its default mode: picks 4 of 8 bytes, or their signs."""
    if instruction.parts != ["prmt", "b32"]:
        raise PtxError("this mode is not supported")

    def compute(a: Array, b: Array, selector: Array) -> Array:
        source = (np.asarray(b).astype(np.uint64) << np.uint64(32)) | np.asarray(a).astype(np.uint64)
        result = np.zeros(np.broadcast(a, b, selector).shape, np.uint32)
        for i in range(4):
            pick = (selector >> np.uint32(4 * i)) & np.uint32(15)
            byte = ((source >> ((pick & 7) * 8).astype(np.uint64)) & np.uint64(255)).astype(np.uint32)
            byte = np.where(pick & 8, np.where(byte & 128, np.uint32(255), np.uint32(0)), byte)
            result |= byte << np.uint32(8 * i)
        return result

    return plain(kernel, instruction.operands, ["b32"] * 3, compute)


_COMPARE = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
            "ge": operator.ge, "lo": operator.lt, "ls": operator.le, "hi": operator.gt, "hs": operator.ge}


def _comparison(name: str, kind: str) -> Callable[[Array, Array], Array]:
    if kind[0] != "f":
        return _COMPARE[name]
    nan = lambda a, b: np.isnan(a) | np.isnan(b)
    if name in ("num", "nan"):
        return lambda a, b: nan(a, b) == (name == "nan")
    unordered = len(name) == 3
    function = _COMPARE[name[:2]]
    return lambda a, b: np.where(nan(a, b), unordered, function(a, b))


def decode_setp(kernel: Kernel, instruction: Instruction) -> Operation:
    """setp, with a second result and a combining predicate where it has them."""
    _, name, *modifiers, kind = instruction.parts
    _require(modifiers, set(_LOGIC))
    compare = _comparison(name, kind)
    first, _, second = instruction.operands[0].partition("|")
    a, b = (reader(kernel, operand, kind) for operand in instruction.operands[1:3])
    combine = _LOGIC[modifiers[0]] if modifiers else None
    other = reader(kernel, instruction.operands[3], "pred") if modifiers else None
    writers = [writer(kernel, first)] + ([writer(kernel, second)] if second else [])

    def execute(gang: "Gang") -> None:
        result = np.asarray(compare(a(gang), b(gang)), bool)
        for value, write in zip((result, ~result), writers):
            write(gang, combine(value, other(gang)) if combine else value)

    return Operation(execute, registers_in(kernel, first, second), registers_in(kernel, *instruction.operands[1:]))


def decode_selp(kernel: Kernel, instruction: Instruction) -> Operation:
    """selp: undefined only where the chosen operand is."""
    kind = instruction.parts[-1]
    destination, *sources, predicate = instruction.operands
    a, b = (reader(kernel, operand, kind) for operand in sources)
    choice = reader(kernel, predicate, "pred")
    names = [registers_in(kernel, operand) for operand in sources]
    write = writer(kernel, destination)

    def execute(gang: "Gang") -> Array:
        first = choice(gang)
        write(gang, np.where(first, a(gang), b(gang)))
        return ~np.where(first, gang.is_defined(names[0]), gang.is_defined(names[1]))

    return Operation(execute, registers_in(kernel, destination), strict=registers_in(kernel, predicate))


def decode_mov(kernel: Kernel, instruction: Instruction) -> Operation:
    """mov of a register, a literal or an address, and its packing and unpacking forms."""
    kind = instruction.parts[-1]
    destination, source = instruction.operands
    if not destination.startswith("{") and not source.startswith("{"):
        return plain(kernel, instruction.operands, [kind], lambda a: a)
    parts = elements(source if source.startswith("{") else destination)
    bits = int(kind[1:]) // len(parts)
    if source.startswith("{"):
        shift = [dtype_of(kind).type(bits * i) for i in range(len(parts))]
        pack = lambda *values: sum(v.astype(dtype_of(kind)) << s for v, s in zip(values, shift))
        return plain(kernel, (destination, *parts), [f"b{bits}"] * len(parts), pack)
    read, writers = reader(kernel, source, kind), [writer(kernel, part) for part in parts]
    narrow = dtype_of(f"b{bits}")

    def unpack(gang: "Gang") -> None:
        value = read(gang)
        for i, write in enumerate(writers):
            write(gang, (value >> value.dtype.type(bits * i)).astype(narrow))

    return Operation(unpack, registers_in(kernel, destination), registers_in(kernel, source))


def decode_dp4a(kernel: Kernel, instruction: Instruction) -> Operation:
    """dp4a: the sum of four byte products, added to an int32."""
    _, a_kind, b_kind = instruction.parts

    def bytes_of(values: Array, kind: str) -> Array:
        values = np.ascontiguousarray(np.atleast_1d(values))
        return values.view(np.int8 if kind == "s32" else np.uint8).reshape(-1, 4).astype(np.int64)

    def compute(a: Array, b: Array, c: Array) -> Array:
        total = (bytes_of(a, a_kind) * bytes_of(b, b_kind)).sum(axis=1)
        return (total + c).astype(np.int64).astype(np.uint32)

    return plain(kernel, instruction.operands, ["b32", "b32", "s32"], compute)
