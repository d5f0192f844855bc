"""What threads do together: barriers, votes, shuffles, matrix fragments and tensor-core products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import fragments
from .errors import PtxError
from .movement import load_bytes
from .operands import Operation, address_reader, elements, lane_values, reader, registers_in, writer
from .parser import Instruction, Kernel

if TYPE_CHECKING:
    from .machine import Gang

Array = np.ndarray

_ALL_LANES = np.uint32(0xFFFFFFFF)


def decode_bar(kernel: Kernel, instruction: Instruction) -> Operation:
    """bar.sync 0 of the whole block, bar.warp.sync."""
    if instruction.opcode == "bar.warp.sync":
        read_mask = reader(kernel, instruction.operands[0], "u32")

        def meet(gang: "Gang") -> None:
            gang.check_converged(lane_values(gang, read_mask(gang)))
            gang.shared.warp_barrier(np.unique(gang.lane_columns() // 32))

        return Operation(meet)
    if instruction.opcode not in ("bar.sync", "barrier.sync", "barrier.sync.aligned", "bar.cta.sync"):
        raise PtxError("this barrier is not supported")
    if instruction.operands != ("0",):
        raise PtxError("only barrier 0 of all threads is supported")
    return Operation(lambda gang: gang.wait_lanes(), control=True)


def decode_bra(kernel: Kernel, instruction: Instruction) -> Operation:
    """bra."""
    target = kernel.labels[instruction.operands[0]]
    return Operation(lambda gang: gang.set_counter(target), control=True)


def decode_end(kernel: Kernel, instruction: Instruction) -> Operation:
    """ret, exit."""
    return Operation(lambda gang: gang.end_lanes(), control=True)


def decode_nothing(kernel: Kernel, instruction: Instruction) -> Operation:
    """Fences: every access here is in order already."""
    return Operation(lambda gang: None)


def _bits(gang: "Gang", values: Array) -> Array:
    """For each current lane the bits of `values` in the current lanes of its warp."""
    here = np.zeros(gang.columns, np.uint64)
    here[gang.lanes] = values
    bits = (here.reshape(-1, 32) << np.arange(32, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    return bits[gang.lane_columns() // 32].astype(np.uint32)


def decode_vote(kernel: Kernel, instruction: Instruction) -> Operation:
    """vote.sync: all, any, uni, ballot."""
    mode = instruction.parts[2]
    destination, source, mask = instruction.operands
    read, read_mask = reader(kernel, source, "pred"), reader(kernel, mask, "u32")
    write = writer(kernel, destination)

    def execute(gang: "Gang") -> None:
        present = lane_values(gang, read_mask(gang))
        gang.check_converged(present)
        votes = _bits(gang, lane_values(gang, read(gang)))
        results = {"ballot": votes, "all": votes == present, "any": votes != 0,
                   "uni": (votes == present) | (votes == 0)}
        write(gang, results[mode])

    return Operation(execute, registers_in(kernel, destination), registers_in(kernel, source),
                     registers_in(kernel, mask), warp_wide=True)


def decode_activemask(kernel: Kernel, instruction: Instruction) -> Operation:
    """activemask: the lanes that are here together."""
    write = writer(kernel, instruction.operands[0])
    return Operation(lambda gang: write(gang, _bits(gang, np.ones(gang.lane_count, np.uint64))),
                     registers_in(kernel, instruction.operands[0]))


def _shuffle_source(mode: str, lane: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """The lane that shfl reads from and whether it is in range (PTX ISA, 9.7.9.6)."""
    b, clamp, segment = b & 31, c & 31, (c >> 8) & 31
    last = (lane & segment) | (clamp & ~segment)
    first = lane & segment
    source = {"up": lane - b, "down": lane + b, "bfly": lane ^ b, "idx": first | (b & ~segment)}[mode]
    inside = source >= last if mode == "up" else source <= last
    return np.where(inside, source, lane), inside


def decode_shfl(kernel: Kernel, instruction: Instruction) -> Operation:
    """shfl.sync."""
    _, sync, mode, _ = instruction.parts
    if sync != "sync":
        raise PtxError("shfl without .sync")
    result, _, predicate = instruction.operands[0].partition("|")
    source, *rest = instruction.operands[1:]
    read = reader(kernel, source, "b32")
    others = [reader(kernel, operand, "s32") for operand in rest[:2]]
    read_mask = reader(kernel, rest[2], "u32")
    write, write_inside = writer(kernel, result), writer(kernel, predicate or "_")
    names = registers_in(kernel, source)

    def execute(gang: "Gang") -> Array:
        gang.check_converged(lane_values(gang, read_mask(gang)))
        columns = gang.lane_columns()
        chosen, inside = _shuffle_source(mode, (columns % 32).astype(np.int32), *(read_b(gang) for read_b in others))
        values, valid = np.zeros(gang.columns, np.uint32), np.zeros(gang.columns, bool)
        values[gang.lanes] = read(gang)
        valid[gang.lanes] = gang.is_defined(names)
        place = columns // 32 * 32 + chosen
        write(gang, values[place])
        write_inside(gang, inside)
        return ~valid[place]

    return Operation(execute, registers_in(kernel, instruction.operands[0]), strict=registers_in(kernel, *rest))


def _whole_warps(gang: "Gang") -> None:
    gang.check_converged(np.full(gang.lane_count, _ALL_LANES))


def decode_ldmatrix(kernel: Kernel, instruction: Instruction) -> Operation:
    """ldmatrix of 8x8 matrices of 16-bit elements: x1, x2, x4, without transposition."""
    if set(instruction.parts) - {"ldmatrix", "sync", "aligned", "m8n8", "x1", "x2", "x4", "shared", "b16"}:
        raise PtxError("this form is not supported")
    destination, address = instruction.operands
    writers = [writer(kernel, part) for part in elements(destination)]
    read_address = address_reader(kernel, address)
    lane, word = fragments.ldmatrix_source(len(writers))

    def execute(gang: "Gang") -> Array:
        _whole_warps(gang)
        given = lane_values(gang, read_address(gang)).reshape(-1, 32)[:, :8 * len(writers)]
        all_lanes, count = gang.lanes, gang.lane_count
        gang.lanes = gang.column[all_lanes].reshape(-1, 32)[:, :8 * len(writers)].ravel()
        gang.lane_count = gang.lanes.size
        data, defined = load_bytes(gang, "shared", given.ravel(), 16)
        gang.lanes, gang.lane_count = all_lanes, count
        rows = np.ascontiguousarray(data).view(np.uint32).reshape(-1, 8 * len(writers), 4)
        for i, write in enumerate(writers):
            write(gang, rows[:, lane[:, i], word[:, i]].ravel())
        return np.repeat(~defined.reshape(len(rows), -1).all(axis=1), 32)

    return Operation(execute, registers_in(kernel, destination), strict=registers_in(kernel, address))


def _gather(values: list[Array], shape: tuple[int, int], place: tuple[Array, Array]) -> Array:
    """Matrices [warps, rows, columns] from fragments of bytes."""
    words = np.stack([v.reshape(-1, 32) for v in values], axis=2)
    matrix = np.zeros((len(words), *shape), np.float32)
    matrix[:, place[0], place[1]] = np.ascontiguousarray(words).view(np.int8)
    return matrix


def decode_mma(kernel: Kernel, instruction: Instruction) -> Operation:
    """mma.m16n8k32 of int8 with an int32 sum."""
    saturate = instruction.opcode.endswith(".satfinite")
    if instruction.opcode.removesuffix(".satfinite") != "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32":
        raise PtxError("this form is not supported")
    d, a, b, c = (elements(operand) for operand in instruction.operands)
    a_readers, b_readers = ([reader(kernel, part, "b32") for part in parts] for parts in (a, b))
    c_readers = [reader(kernel, part, "s32") for part in c]
    writers = [writer(kernel, part) for part in d]
    rows, columns = fragments.mma_c()

    def execute(gang: "Gang") -> None:
        _whole_warps(gang)
        left = _gather([lane_values(gang, read(gang)) for read in a_readers], (16, 32), fragments.mma_a())
        right = _gather([lane_values(gang, read(gang)) for read in b_readers], (32, 8), fragments.mma_b())
        product = (left @ right).astype(np.int64)  # exact: below 2^24
        for i, (read, write) in enumerate(zip(c_readers, writers)):
            total = product[:, rows[:, i], columns[:, i]].ravel() + read(gang)
            limits = np.iinfo(np.int32)
            write(gang, (np.clip(total, limits.min, limits.max) if saturate else total).astype(np.int32))

    return Operation(execute, registers_in(kernel, *instruction.operands[:1]),
                     registers_in(kernel, *instruction.operands[1:]), warp_wide=True)


def decode_redux(kernel: Kernel, instruction: Instruction) -> Operation:
    """redux.sync of integers: add, min, max, and, or, xor."""
    _, _, name, kind = instruction.parts
    destination, source, mask = instruction.operands
    read, read_mask, write = reader(kernel, source, kind), reader(kernel, mask, "u32"), writer(kernel, destination)
    reduce = {"add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "or": np.bitwise_or,
              "xor": np.bitwise_xor}[name]

    def execute(gang: "Gang") -> None:
        gang.check_converged(lane_values(gang, read_mask(gang)))
        values = lane_values(gang, read(gang))
        starts = np.flatnonzero(np.diff(gang.lane_columns() // 32, prepend=-1))
        totals = reduce.reduceat(values, starts, dtype=values.dtype)
        write(gang, np.repeat(totals, np.diff(np.r_[starts, values.size])))

    return Operation(execute, registers_in(kernel, destination), registers_in(kernel, source),
                     registers_in(kernel, mask), warp_wide=True)
