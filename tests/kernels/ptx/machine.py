"""Executes kernels: program counters, divergence, barriers, and which values are defined."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import numpy as np

from .decoder import decode
from .errors import PtxError
from .memory import GlobalMemory, SharedMemory
from .operands import Operation, register_dtype
from .parser import Kernel
from .traffic import Count

Array = np.ndarray
Extent = tuple[int, int, int]

_EVERY_LANE = slice(None)
_WAITING, _ENDED = 1 << 30, (1 << 31) - 1  # program counters of threads that do not run
_STATIC_LIMIT_BYTES = 48 << 10  # shared memory that a launch gets without asking


class Machine:
    """Launches kernels on `memory`, which they share. One thread.

    `counts` holds the memory traffic of all launches by kind, if `count_traffic`.
    """

    def __init__(self, memory: GlobalMemory, *, count_traffic: bool = False, max_steps: int = 400_000,
                 columns: int = 2048):
        self.memory = memory
        self.count_traffic = count_traffic
        self.counts: dict[str, Count] = collections.defaultdict(Count)
        self.steps = 0
        self._max_steps = max_steps
        self._columns = columns

    def launch(self, kernel: Kernel, grid: Extent, block: Extent, arguments: Sequence[bytes],
               dynamic_shared_bytes: int = 0, shared_limit_bytes: int = _STATIC_LIMIT_BYTES) -> None:
        """Runs all blocks of a launch; `arguments` are the bytes of each parameter."""
        threads = block[0] * block[1] * block[2]
        if not 0 < threads <= kernel.max_threads:
            raise PtxError(f"{kernel.name}: {threads} threads a block, want 1..{kernel.max_threads}")
        if kernel.static_shared_bytes + dynamic_shared_bytes > shared_limit_bytes:
            raise PtxError(f"{kernel.name}: {kernel.static_shared_bytes} + {dynamic_shared_bytes} bytes of shared "
                           f"memory, the launch may have {shared_limit_bytes}")
        buffer = self._parameter_buffer(kernel, arguments)
        operations = [decode(kernel, instruction) for instruction in kernel.instructions]
        self.memory.begin_launch()
        blocks = grid[0] * grid[1] * grid[2]
        at_once = max(1, self._columns // threads)
        for first in range(0, blocks, at_once):
            numbers = np.arange(first, min(first + at_once, blocks))
            gang = Gang(self, kernel, operations, grid, block, numbers, buffer,
                        kernel.static_shared_bytes + dynamic_shared_bytes)
            gang.run(self._max_steps)
            self.steps += gang.steps

    @staticmethod
    def _parameter_buffer(kernel: Kernel, arguments: Sequence[bytes]) -> Array:
        sizes = [p.size_bytes for p in kernel.parameters]
        if [len(a) for a in arguments] != sizes:
            raise PtxError(f"{kernel.name}: arguments of {[len(a) for a in arguments]} bytes, want {sizes}")
        buffer = np.zeros(kernel.parameter_bytes, np.uint8)
        for parameter, argument in zip(kernel.parameters, arguments):
            buffer[parameter.offset:parameter.offset + parameter.size_bytes] = np.frombuffer(argument, np.uint8)
        return buffer


class Gang:
    """Some blocks of a launch, side by side: column t of a register belongs to thread t of them.

    The threads with the lowest program counter run, as a warp that diverged and meets again does.
    """

    def __init__(self, machine: Machine, kernel: Kernel, operations: list[Operation], grid: Extent, block: Extent,
                 numbers: Array, parameters: Array, shared_bytes: int):
        self.machine = machine
        self.kernel = kernel
        self.parameters = parameters
        self.operations = operations
        threads = block[0] * block[1] * block[2]
        # A block's last warp may be partly empty; its missing threads have ended from the start.
        self.block_columns = -(-threads // 32) * 32
        self.columns = numbers.size * self.block_columns
        self.column = np.arange(self.columns)
        self.local_block = self.column // self.block_columns
        self.block_number = numbers[self.local_block]
        self.shared = SharedMemory(numbers.size, self.block_columns, shared_bytes)
        self.local_bytes = np.zeros((self.columns, kernel.local_bytes), np.uint8)
        self.local_ready = np.zeros((self.columns, kernel.local_bytes), bool)
        self.copies: list[tuple[Array, Array, Array, Array]] = []  # threads, groups, rows, data
        self.copy_group = np.zeros(self.columns, np.int64)
        self.steps = 0
        self.lanes: Array | slice = _EVERY_LANE
        self.lane_count = self.columns
        self._labels = set(kernel.labels.values())
        self._values: dict[str, Array] = {}
        self._undefined: dict[str, Array] = {}
        self._pc = np.where(self.column % self.block_columns < threads, 0, _ENDED)
        self._special = self._special_registers(grid, block, numbers, shared_bytes)

    def _special_registers(self, grid: Extent, block: Extent, numbers: Array, shared_bytes: int) -> dict[str, Array]:
        thread = self.column % self.block_columns
        number = self.block_number
        lane = self.column % 32
        one = np.uint32(1)
        special = {"%tid.x": thread % block[0], "%tid.y": thread // block[0] % block[1],
                   "%tid.z": thread // (block[0] * block[1]), "%laneid": lane, "%warpid": thread // 32,
                   "%ctaid.x": number % grid[0], "%ctaid.y": number // grid[0] % grid[1],
                   "%ctaid.z": number // (grid[0] * grid[1]),
                   "%dynamic_smem_size": np.full(self.columns, shared_bytes - self.kernel.static_shared_bytes),
                   "%lanemask_eq": one << lane.astype(np.uint32),
                   "%lanemask_lt": (one << lane.astype(np.uint32)) - one}
        for axis, name in enumerate("xyz"):
            special[f"%ntid.{name}"] = np.full(self.columns, block[axis])
            special[f"%nctaid.{name}"] = np.full(self.columns, grid[axis])
        return {name: values.astype(np.uint32) for name, values in special.items()}

    def special(self, name: str) -> Array:
        """A special register, as uint32."""
        if name not in self._special:
            raise PtxError(f"unknown register {name}")
        return self._special[name]

    def register(self, name: str) -> Array:
        """All columns of a register, zeros that nobody wrote where it is new."""
        if name not in self._values:
            self._values[name] = np.zeros(self.columns, register_dtype(self.kernel, name))
            self._undefined[name] = np.ones(self.columns, bool)
        return self._values[name]

    def lane_columns(self) -> Array:
        """The columns of the current lanes."""
        return self.column[self.lanes]

    def is_defined(self, names: Sequence[str]) -> Array:
        """For each current lane, whether all the registers hold defined values."""
        defined = np.ones(self.lane_count, bool)
        for name in names:
            self.register(name)
            if name in self._undefined:
                defined &= ~self._undefined[name][self.lanes]
        return defined

    def set_counter(self, value: int) -> None:
        """Sets the program counter of the current lanes."""
        self._pc[self.lanes] = value

    def end_lanes(self) -> None:
        """The current lanes have ended."""
        self._pc[self.lanes] = _ENDED

    def wait_lanes(self) -> None:
        """The current lanes wait at the block's barrier; they go on where their counter points."""
        self.check_converged(self.running_mask())
        self._pc[self.lanes] |= _WAITING

    def running_mask(self) -> Array:
        """For each current lane the bits of the lanes of its warp that have not ended."""
        alive = (self._pc != _ENDED).reshape(-1, 32)
        masks = (alive * (np.uint64(1) << np.arange(32, dtype=np.uint64))).sum(axis=1, dtype=np.uint64)
        return masks[self.lane_columns() // 32].astype(np.uint32)

    def check_converged(self, masks: Array) -> None:
        """The current lanes of every warp are exactly those in their mask."""
        here = np.zeros(self.columns, bool)
        here[self.lanes] = True
        bits = (here.reshape(-1, 32) * (np.uint64(1) << np.arange(32, dtype=np.uint64))).sum(axis=1, dtype=np.uint64)
        present = bits[self.lane_columns() // 32].astype(np.uint32)
        bad = present != masks
        if bad.any():
            raise PtxError(f"unconverged: lanes {int(present[bad][0]):#010x} of a warp are here, "
                           f"want {int(np.broadcast_to(masks, present.shape)[bad][0]):#010x}")

    def run(self, max_steps: int) -> None:
        """Runs the blocks to their end."""
        with np.errstate(all="ignore"):
            while True:
                counter = int(self._pc.min())
                if counter == _ENDED:
                    break
                if counter >= _WAITING:
                    self._release_barriers()
                    continue
                self._run_straight(counter, self._pc == counter)
                if self.steps > max_steps:
                    raise PtxError(f"{self.kernel.name}: more than {max_steps} steps, it does not end")
        if self.copies:
            raise PtxError(f"{self.kernel.name}: ends with asynchronous copies in flight")

    def _release_barriers(self) -> None:
        counters = self._pc.reshape(-1, self.block_columns)
        for block, row in enumerate(counters):
            waiting = row[row != _ENDED]
            if waiting.size and (waiting != waiting[0]).any():
                raise PtxError(f"{self.kernel.name}: unconverged: threads of a block wait at different barriers")
            if waiting.size:
                self.shared.barrier(block)
        waiting = self._pc != _ENDED
        self._pc[waiting] &= ~_WAITING

    def _select(self, chosen: Array) -> bool:
        """Makes `chosen` columns the current lanes; whether there are any."""
        if chosen.all():
            self.lanes, self.lane_count = _EVERY_LANE, self.columns
            return True
        self.lanes = np.flatnonzero(chosen)
        self.lane_count = self.lanes.size
        return self.lane_count > 0

    def _run_straight(self, counter: int, active: Array) -> None:
        """Runs threads that are together up to the next label or control instruction."""
        instructions = self.kernel.instructions
        while True:
            if counter == len(instructions):
                raise PtxError(f"{self.kernel.name}: runs beyond its last instruction")
            instruction, operation = instructions[counter], self.operations[counter]
            self.steps += 1
            self._select(active)
            counter += 1
            try:
                if operation.control:
                    self.set_counter(counter)
                if not instruction.guard or self._guarded(instruction.guard, instruction.guard_negated, active):
                    self._perform(operation)
            except PtxError as error:
                raise PtxError(f"{self.kernel.name}: {instruction}: {error}") from error
            if operation.control:
                return
            if counter in self._labels:
                self._pc[active] = counter
                return

    def _guarded(self, guard: str, negated: bool, active: Array) -> bool:
        value = self.register(guard)
        if not self.is_defined([guard]).all():
            raise PtxError(f"undefined: the predicate {guard}")
        return self._select(active & (value != negated))

    def _perform(self, operation: Operation) -> None:
        for name in operation.strict:
            if not self.is_defined([name]).all():
                raise PtxError(f"undefined: {name} comes from what nobody wrote")
        doubtful = [name for name in operation.sources if name in self._undefined or name not in self._values]
        undefined = ~self.is_defined(doubtful) if doubtful else None
        missing = operation.execute(self)
        if missing is not None:
            undefined = missing if undefined is None else undefined | missing
        if undefined is not None and operation.warp_wide and undefined.any():
            warps = self.lane_columns() // 32
            undefined = np.isin(warps, warps[undefined])
        for name in operation.destinations:
            self._define(name, undefined)

    def _define(self, name: str, undefined: Array | None) -> None:
        """Notes for the current lanes of a register that was just written whether it is defined."""
        if name not in self._undefined:
            if undefined is None or not undefined.any():
                return
            self._undefined[name] = np.zeros(self.columns, bool)
        mask = self._undefined[name]
        mask[self.lanes] = False if undefined is None else undefined
        if not mask.any():
            del self._undefined[name]
