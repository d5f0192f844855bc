"""Loads, stores and asynchronous copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .conversion import WINDOWS
from .errors import PtxError
from .memory import check_alignment
from .operands import Operation, address_reader, dtype_of, elements, lane_values, reader, registers_in, writer
from .parser import Instruction, Kernel
from .traffic import count_sectors, count_wavefronts

if TYPE_CHECKING:
    from .machine import Gang

Array = np.ndarray

_SPACES = ("param", "global", "shared", "local", "const")
# Hints for caches, and orders that matter only between blocks (which may not share bytes anyway).
_HINTS = {"nc", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "volatile", "relaxed", "weak", "gpu", "cta", "sys"}


def _count(gang: "Gang", kind: str, addresses: Array, size: int) -> None:
    if gang.machine.count_traffic:
        count = count_wavefronts if kind.startswith("shared") else count_sectors
        count(gang.machine.counts[kind], addresses, size, gang.lane_columns() // 32)


def _check_constant(name: str, addresses: Array, size: int, limit: int) -> None:
    check_alignment(addresses, size)
    if ((addresses < 0) | (addresses + size > limit)).any():
        raise PtxError(f"out of bounds: {name} address {int(addresses.max()):#x} of {limit} bytes")


def load_bytes(gang: "Gang", space: str, addresses: Array, size: int, constant: bool = False) -> tuple[Array, Array]:
    """The bytes [lanes, size] at addresses of a state space, and which lanes' bytes are defined."""
    columns = gang.lane_columns()
    if space == "global":
        _count(gang, "global load", addresses, size)
        return gang.machine.memory.read(addresses, size, gang.block_number[gang.lanes], constant)
    if space == "shared":
        _count(gang, "shared load", addresses, size)
        return gang.shared.read(addresses, size, gang.local_block[gang.lanes], columns)
    where = addresses[:, None] + np.arange(size)
    if space == "param":
        _check_constant(space, addresses, size, gang.parameters.size)
        return gang.parameters[where], np.ones(addresses.size, bool)
    if space == "local":
        _check_constant(space, addresses, size, gang.local_bytes.shape[1])
        return gang.local_bytes[columns[:, None], where], gang.local_ready[columns[:, None], where].all(axis=1)
    raise PtxError(f"loads from .{space} are not supported")


def _store_bytes(gang: "Gang", space: str, addresses: Array, data: Array, defined: Array) -> None:
    columns = gang.lane_columns()
    size = data.shape[1]
    if space == "global":
        if not defined.all():
            raise PtxError("undefined: stores what comes from memory or a register that nobody wrote")
        _count(gang, "global store", addresses, size)
        gang.machine.memory.write(addresses, data, gang.block_number[gang.lanes])
    elif space == "shared":
        _count(gang, "shared store", addresses, size)
        gang.shared.write(addresses, data, gang.local_block[gang.lanes], columns, defined)
    elif space == "local":
        _check_constant(space, addresses, size, gang.local_bytes.shape[1])
        where = addresses[:, None] + np.arange(size)
        gang.local_bytes[columns[:, None], where] = data
        gang.local_ready[columns[:, None], where] = defined[:, None]
    else:
        raise PtxError(f"stores to .{space} are not supported")


def _resolve(gang: "Gang", space: str, addresses: Array) -> tuple[str, Array]:
    """State space and address of what may be generic addresses, of one space in all lanes."""
    if space:
        return space, addresses
    spaces = {name: addresses >> 40 == WINDOWS[name] >> 40 for name in ("shared", "local", "param")}
    for name, inside in spaces.items():
        if inside.all():
            return name, addresses - WINDOWS[name]
        if inside.any():
            raise PtxError("generic addresses of several state spaces in one instruction are not supported")
    return "global", addresses


def _access(instruction: Instruction) -> tuple[str, int, str]:
    """State space (empty: generic), vector length and element type of ld or st."""
    _, *modifiers, kind = instruction.parts
    space, length = "", 1
    for modifier in modifiers:
        if modifier in _SPACES or modifier.startswith("shared::"):
            space = modifier.partition("::")[0]
        elif modifier in ("v2", "v4", "v8"):
            length = int(modifier[1])
        elif modifier not in _HINTS and not modifier.startswith(("L1::", "L2::")):
            raise PtxError(f"modifier .{modifier} is not supported")
    return space, length, kind


def decode_ld(kernel: Kernel, instruction: Instruction) -> Operation:
    """ld of scalars and vectors."""
    space, length, kind = _access(instruction)
    destination, address = instruction.operands
    read_address = address_reader(kernel, address)
    writers = [writer(kernel, part) for part in elements(destination)]
    dtype = dtype_of(kind)
    constant = "nc" in instruction.parts
    if len(writers) != length:
        raise PtxError(f"{length} elements into {len(writers)} registers")

    def execute(gang: "Gang") -> Array:
        where, addresses = _resolve(gang, space, read_address(gang))
        data, defined = load_bytes(gang, where, addresses, dtype.itemsize * length, constant)
        values = np.ascontiguousarray(data).view(dtype)
        for i, write in enumerate(writers):
            write(gang, np.ascontiguousarray(values[:, i]))
        return ~defined

    return Operation(execute, registers_in(kernel, destination), strict=registers_in(kernel, address))


def decode_st(kernel: Kernel, instruction: Instruction) -> Operation:
    """st of scalars and vectors."""
    space, length, kind = _access(instruction)
    address, source = instruction.operands
    read_address = address_reader(kernel, address)
    readers = [reader(kernel, part, kind) for part in elements(source)]
    names = registers_in(kernel, source)
    if len(readers) != length:
        raise PtxError(f"{length} elements from {len(readers)} registers")

    def execute(gang: "Gang") -> None:
        where, addresses = _resolve(gang, space, read_address(gang))
        values = np.stack([lane_values(gang, read(gang)) for read in readers], axis=1)
        _store_bytes(gang, where, addresses, values.view(np.uint8), gang.is_defined(names))

    return Operation(execute, strict=registers_in(kernel, address))


def decode_cp_async(kernel: Kernel, instruction: Instruction) -> Operation:
    """cp.async and its groups. Data lands when its thread waits for the group, and not before."""
    parts = instruction.parts
    if parts[2] == "commit_group":
        return Operation(_commit_group)
    if parts[2] == "wait_all":
        return Operation(lambda gang: _wait_groups(gang, None))
    if parts[2] == "wait_group":
        pending = int(instruction.operands[0])
        return Operation(lambda gang: _wait_groups(gang, pending))
    unknown = [part for part in parts[2:] if part not in ("ca", "cg", "shared", "global", "")
               and not part.startswith(("L2::", "shared::"))]
    if unknown:
        raise PtxError(f"modifier .{unknown[0]} is not supported")
    target, source, *sizes = instruction.operands
    read_target = address_reader(kernel, target)
    read_source = address_reader(kernel, source)
    size = int(sizes[0])
    read_size = reader(kernel, sizes[1], "u32") if len(sizes) > 1 else None

    def execute(gang: "Gang") -> None:
        taken = lane_values(gang, read_size(gang) if read_size else np.uint32(size)).astype(np.int64)
        _start_copy(gang, read_target(gang), read_source(gang), size, taken)

    return Operation(execute, strict=registers_in(kernel, *instruction.operands))


def _start_copy(gang: "Gang", targets: Array, sources: Array, size: int, taken: Array) -> None:
    """Copies `taken` of `size` bytes and fills the rest with zeros, once the group is waited for."""
    if not np.isin(taken, (0, size)).all():
        raise PtxError(f"a copy of a part of {size} bytes is not supported")
    columns, blocks = gang.lane_columns(), gang.block_number[gang.lanes]
    data = np.zeros((columns.size, size), np.uint8)
    some = taken > 0
    if some.any():
        if gang.machine.count_traffic:
            count_sectors(gang.machine.counts["global copy"], sources[some], size, columns[some] // 32)
        data[some], defined = gang.machine.memory.read(sources[some], size, blocks[some])
        if not defined.all():
            raise PtxError("undefined: copies global memory that nobody wrote")
    _count(gang, "shared copy", targets, size)
    rows = gang.shared.begin_copy(targets, size, gang.local_block[gang.lanes], columns)
    gang.copies.append((columns, gang.copy_group[columns], rows, data))


def _commit_group(gang: "Gang") -> None:
    gang.copy_group[gang.lanes] += 1


def _wait_groups(gang: "Gang", pending: int | None) -> None:
    """Lands the copies of the current lanes but those of the last `pending` groups."""
    waiting = np.zeros(gang.columns, bool)
    waiting[gang.lanes] = True
    left = []
    for columns, group, rows, data in gang.copies:
        landed = waiting[columns]
        if pending is not None:
            landed &= group < gang.copy_group[columns] - pending
        if landed.any():
            gang.shared.end_copy(rows[landed], data[landed], columns[landed])
        if not landed.all():
            left.append((columns[~landed], group[~landed], rows[~landed], data[~landed]))
    gang.copies = left


def decode_atom(kernel: Kernel, instruction: Instruction) -> Operation:
    """Refused: results of atomics depend on the order of threads, which no kernel here may."""
    raise PtxError("atomic operations are not supported: their order is not defined")
