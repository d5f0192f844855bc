"""Turns the operands of an instruction into functions that read and write registers."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Callable

import numpy as np

from .errors import PtxError
from .parser import TYPE_BYTES, Kernel

if TYPE_CHECKING:
    from .machine import Gang

Array = np.ndarray
Reader = Callable[["Gang"], Array]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGNED = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
_FLOAT = {2: np.float16, 4: np.float32, 8: np.float64}


@dataclasses.dataclass
class Operation:
    """A decoded instruction.

    `execute` works on the gang's current lanes and may return a mask of lanes whose results are
    undefined. `sources` pass undefinedness on to `destinations`, to the whole warp's if `warp_wide`;
    `strict` registers must be defined. `control` operations set program counters.
    """
    execute: Callable[["Gang"], Array | None]
    destinations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    warp_wide: bool = False
    control: bool = False


def dtype_of(kind: str) -> np.dtype:
    """The numpy type of a PTX type; untyped bits and bfloat16 are unsigned integers."""
    if kind == "pred":
        return np.dtype(bool)
    if kind not in TYPE_BYTES:
        raise PtxError(f"unknown type .{kind}")
    family = _SIGNED if kind[0] == "s" else _FLOAT if kind[0] == "f" else _UNSIGNED
    return np.dtype(family[TYPE_BYTES[kind]])


def register_dtype(kernel: Kernel, name: str) -> np.dtype:
    """How a register is stored: unsigned bits of its width."""
    kind = kernel.registers[name]
    return np.dtype(bool) if kind == "pred" else np.dtype(_UNSIGNED[TYPE_BYTES[kind]])


def elements(operand: str) -> list[str]:
    """The parts of a vector operand {a, b}, or the operand itself."""
    return [part.strip() for part in operand.strip("{}").split(",")] if operand.startswith("{") else [operand]


def registers_in(kernel: Kernel, *operands: str) -> tuple[str, ...]:
    """Names of registers that occur in operands."""
    words = [word for operand in operands for word in re.findall(r"[%$\w.]+", operand)]
    return tuple(dict.fromkeys(word for word in words if word in kernel.registers))


def immediate(text: str, dtype: np.dtype) -> Array:
    """A literal as a value of `dtype`."""
    hexadecimal = re.fullmatch(r"0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})", text)
    if hexadecimal:
        single, double = hexadecimal.groups()
        value = np.uint32(int(single, 16)).view(np.float32) if single else np.uint64(int(double, 16)).view(np.float64)
        return value.astype(dtype) if dtype.kind == "f" else value.view(_UNSIGNED[value.itemsize]).astype(dtype)
    number = int(re.sub(r"[uU]$", "", text), 0)
    if dtype == bool:
        return np.bool_(number != 0)
    bits = np.array(number % (1 << 8 * dtype.itemsize), _UNSIGNED[dtype.itemsize])
    return bits.view(dtype)[()]


def _symbol_address(kernel: Kernel, name: str) -> int | None:
    """The address of a variable or parameter in its state space."""
    if name in kernel.offsets:
        return kernel.offsets[name]
    for parameter in kernel.parameters:
        if parameter.name == name:
            return parameter.offset
    return None


def reader(kernel: Kernel, operand: str, kind: str) -> Reader:
    """Reads an operand as PTX type `kind`, one value per lane or one for all."""
    dtype = dtype_of(kind)
    if operand in kernel.registers:
        stored = register_dtype(kernel, operand)
        if stored.itemsize < dtype.itemsize:
            raise PtxError(f"register {operand} is narrower than .{kind}")
        if stored.itemsize == dtype.itemsize:
            return lambda gang: gang.register(operand)[gang.lanes].view(dtype)
        return lambda gang: gang.register(operand)[gang.lanes].astype(_UNSIGNED[dtype.itemsize]).view(dtype)
    if operand.startswith("!"):
        positive = reader(kernel, operand[1:], kind)
        return lambda gang: ~positive(gang)
    if operand.startswith("%"):
        return lambda gang: gang.special(operand)[gang.lanes].astype(dtype)
    address = _symbol_address(kernel, operand)
    if operand in kernel.variables and address is None:
        raise PtxError(f"variables of space .{kernel.variables[operand].space} are not supported: {operand}")
    constant = immediate("32" if operand == "WARP_SZ" else operand, dtype) if address is None else dtype.type(address)
    return lambda gang: constant


def lane_values(gang: "Gang", values: Array) -> Array:
    """`values` with one element per current lane."""
    return np.broadcast_to(values, (gang.lane_count,))


def writer(kernel: Kernel, operand: str) -> Callable[["Gang", Array], None]:
    """Writes a register; narrower values are extended by their sign."""
    if operand == "_":
        return lambda gang, values: None
    if operand not in kernel.registers:
        raise PtxError(f"{operand} is not a register")
    stored = register_dtype(kernel, operand)

    def write(gang: "Gang", values: Array) -> None:
        if values.dtype.kind == "f":
            values = values.view(_UNSIGNED[values.dtype.itemsize])
        gang.register(operand)[gang.lanes] = values.astype(stored, copy=False)

    return write


def address_reader(kernel: Kernel, operand: str) -> Reader:
    """Reads [base + offset] as a 64-bit address for each lane."""
    match = re.fullmatch(r"\[\s*([%\w$.]+)\s*(?:\+\s*(-?\w+))?\s*\]", operand)
    if not match:
        raise PtxError(f"unknown address: {operand}")
    base, offset = match[1], np.int64(int(match[2] or "0", 0))
    if base in kernel.registers:
        wide = kernel.registers[base].endswith("64")
        read = reader(kernel, base, "u64" if wide else "u32")
        limit = np.int64(-1 if wide else 0xFFFFFFFF)  # 32-bit addresses wrap around
        return lambda gang: (read(gang).astype(np.int64) + offset) & limit
    constant = reader(kernel, base, "u64")
    return lambda gang: lane_values(gang, constant(gang).astype(np.int64) + offset)
