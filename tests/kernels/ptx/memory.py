"""Global and shared memory that know, byte by byte, what may be read and written, and by whom."""

from __future__ import annotations

import numpy as np

from .errors import PtxError

Array = np.ndarray

_MAPPED, _READY, _WRITABLE = 1, 2, 4
_GUARD_BYTES = 512
# Owners of a byte beside threads (or blocks) and, from the number of threads on, warps.
_NOBODY, _MANY, _IN_FLIGHT = -1, -2, -3
_WARP_READ = -10  # several threads of warp w: _WARP_READ - w


def check_alignment(addresses: Array, size: int) -> None:
    """Addresses of accesses of `size` bytes are multiples of it."""
    bad = addresses % size != 0
    if bad.any():
        raise PtxError(f"misaligned: address {int(addresses[bad][0]):#x}, want a multiple of {size}")


class GlobalMemory:
    """One stretch of device memory; what lies between placed buffers may not be touched.

    Addresses are beyond 32 bits, as on a device. Reads and writes of one byte by two blocks of a
    launch, at least one of them a write, are a race: blocks have no order.
    """
    BASE = 0x7F1000000000

    def __init__(self, size_bytes: int = 1 << 22):
        size = -(-size_bytes // 4096) * 4096
        self._bytes = np.zeros(size, np.uint8)
        self._flags = np.zeros(size, np.uint8)
        self._writer = np.full(size, _NOBODY, np.int32)
        self._reader = np.full(size, _NOBODY, np.int32)
        self._end = _GUARD_BYTES

    def place(self, data: Array | None, size_bytes: int = 0, *, writable: bool = False, offset: int = 0,
              rows: tuple[int, int] | None = None) -> int:
        """Places a buffer `offset` bytes after a multiple of 256 and returns its address.

        Without `data` it is `size_bytes` that nobody has written. `rows` = (used bytes, stride in
        bytes) leaves what follows the used bytes of each row untouchable.
        """
        content = None if data is None else np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        size = size_bytes if content is None else content.size
        start = -(-self._end // 256) * 256 + offset
        self._end = start + size + _GUARD_BYTES
        if self._end > self._bytes.size:
            raise PtxError(f"{self._end} bytes placed, the memory has {self._bytes.size}")
        allowed = np.ones(size, bool)
        if rows:
            allowed = np.arange(size) % rows[1] < rows[0]
        flags = _MAPPED | (_WRITABLE if writable else 0) | (0 if content is None else _READY)
        self._flags[start:start + size] = np.where(allowed, flags, 0)
        if content is not None:
            self._bytes[start:start + size] = content
        return self.BASE + start

    def read_back(self, address: int, size_bytes: int, rows: tuple[int, int] | None = None) -> Array:
        """The bytes of a buffer; all of them must have been written (of `rows`, the used ones)."""
        start = address - self.BASE
        ready = self._flags[start:start + size_bytes] & _READY != 0
        if rows:
            ready |= np.arange(size_bytes) % rows[1] >= rows[0]
        if not ready.all():
            raise PtxError(f"{np.count_nonzero(~ready)} of {size_bytes} bytes were never written, "
                           f"the first at offset {int(np.argmin(ready))}")
        return self._bytes[start:start + size_bytes].copy()

    def begin_launch(self) -> None:
        """What earlier launches wrote is ordered before what this one does."""
        self._writer.fill(_NOBODY)
        self._reader.fill(_NOBODY)

    def _rows(self, addresses: Array, size: int, flag: int) -> Array:
        check_alignment(addresses, size)
        offsets = addresses.astype(np.int64) - self.BASE
        outside = (offsets < 0) | (offsets + size > self._bytes.size)
        if outside.any():
            raise PtxError(f"out of bounds: global address {int(addresses[outside][0]):#x}")
        rows = offsets // size
        bad = ((self._flags.reshape(-1, size)[rows] & flag) != flag).any(axis=1)
        if bad.any():
            kind = "out of bounds or read-only" if flag & _WRITABLE else "out of bounds"
            raise PtxError(f"{kind}: global address {int(addresses[bad][0]):#x}, {size} bytes")
        return rows

    def read(self, addresses: Array, size: int, blocks: Array, constant: bool = False) -> tuple[Array, Array]:
        """The bytes [lanes, size], and whether each lane's bytes were all written.

        `constant` reads go through a cache that does not see what this launch writes.
        """
        rows = self._rows(addresses, size, _MAPPED)
        writer = self._writer.reshape(-1, size)[rows]
        if constant and (writer != _NOBODY).any():
            raise PtxError("race: a non-coherent load (.nc) of memory that this launch wrote")
        if ((writer != _NOBODY) & (writer != blocks[:, None])).any():
            raise PtxError("race: reads global memory that another block of this launch wrote")
        flags = self._flags.reshape(-1, size)[rows]
        if (flags & _WRITABLE).any():  # nobody writes the others
            reader = self._reader.reshape(-1, size)
            seen = reader[rows]
            reader[rows] = np.where((seen == _NOBODY) | (seen == blocks[:, None]), blocks[:, None], _MANY)
            reader[rows[(reader[rows] != blocks[:, None]).any(axis=1)]] = _MANY
        return self._bytes.reshape(-1, size)[rows], ((flags & _READY) != 0).all(axis=1)

    def write(self, addresses: Array, data: Array, blocks: Array) -> None:
        """Writes data[lanes, size]."""
        size = data.shape[1]
        rows = self._rows(addresses, size, _MAPPED | _WRITABLE)
        for owners in (self._writer.reshape(-1, size)[rows], self._reader.reshape(-1, size)[rows]):
            if ((owners != _NOBODY) & (owners != blocks[:, None])).any():
                raise PtxError("race: writes global memory that another block of this launch used")
        writer = self._writer.reshape(-1, size)
        writer[rows] = blocks[:, None]
        if (writer[rows] != blocks[:, None]).any():
            raise PtxError("race: writes global memory that another block of this launch used")
        self._bytes.reshape(-1, size)[rows] = data
        if (self._bytes.reshape(-1, size)[rows] != data).any():
            raise PtxError("race: threads store different values to one place in global memory")
        self._flags.reshape(-1, size)[rows] |= _READY


class SharedMemory:
    """The shared memory of blocks that run side by side, with the happens-before of barriers.

    A byte remembers the thread that wrote it and the threads that read it since the last barrier; a
    warp barrier hands a warp's bytes to the whole warp. Threads are numbered through all blocks.
    """

    def __init__(self, blocks: int, threads: int, size_bytes: int):
        self._threads = blocks * threads
        self._size = size_bytes
        self._stride = -(-size_bytes // 16) * 16
        cells = blocks * self._stride
        self._bytes = np.zeros(cells, np.uint8)
        self._ready = np.zeros(cells, bool)
        self._writer = np.full(cells, _NOBODY, np.int32)
        self._reader = np.full(cells, _NOBODY, np.int32)

    def _rows(self, addresses: Array, size: int, blocks: Array) -> Array:
        check_alignment(addresses, size)
        addresses = addresses.astype(np.int64)
        bad = (addresses < 0) | (addresses + size > self._size)
        if bad.any():
            raise PtxError(f"out of bounds: shared address {int(addresses[bad][0]):#x} of {self._size} bytes")
        return (blocks * self._stride + addresses) // size

    def _foreign(self, owners: Array, threads: Array) -> Array:
        """Whether a cell belongs to somebody else than the thread or its warp."""
        mine = (owners == threads[:, None]) | (owners == (self._threads + threads // 32)[:, None])
        return (owners != _NOBODY) & ~mine

    def read(self, addresses: Array, size: int, blocks: Array, threads: Array) -> tuple[Array, Array]:
        """The bytes [lanes, size], and whether each lane's bytes were all written."""
        rows = self._rows(addresses, size, blocks)
        writer = self._writer.reshape(-1, size)[rows]
        if (writer == _IN_FLIGHT).any():
            raise PtxError("race: reads shared memory that an asynchronous copy is writing")
        if self._foreign(writer, threads).any():
            raise PtxError("race: reads shared memory that another thread wrote since the last barrier")
        self._add_readers(self._reader.reshape(-1, size), rows, threads[:, None])
        return self._bytes.reshape(-1, size)[rows], self._ready.reshape(-1, size)[rows].all(axis=1)

    def _add_readers(self, reader: Array, rows: Array, threads: Array) -> None:
        """Notes who read: one thread, several of one warp, or many."""
        warps = threads // 32
        same_warp = _WARP_READ - warps
        while True:  # lanes that read the same place register one after the other
            now = reader[rows]
            bad = (now != threads) & (now != same_warp) & (now != _MANY)
            if not bad.any():
                return
            warp_now = np.where(now >= self._threads, now - self._threads,
                                np.where(now <= _WARP_READ, _WARP_READ - now, now // 32))
            merged = np.where(now == _NOBODY, threads, np.where(warp_now == warps, same_warp, _MANY))
            lanes = bad.any(axis=1)
            reader[rows[lanes]] = np.where(bad, merged, now)[lanes]

    def _claim(self, addresses: Array, size: int, blocks: Array, threads: Array, owner: Array) -> Array:
        rows = self._rows(addresses, size, blocks)
        if self._foreign(self._writer.reshape(-1, size)[rows], threads).any():
            raise PtxError("race: writes shared memory that another thread wrote since the last barrier")
        if self._foreign(self._reader.reshape(-1, size)[rows], threads).any():
            raise PtxError("race: writes shared memory that another thread read since the last barrier")
        self._writer.reshape(-1, size)[rows] = owner[:, None]
        return rows

    def write(self, addresses: Array, data: Array, blocks: Array, threads: Array, ready: Array) -> None:
        """Writes data[lanes, size]; lanes that are not `ready` leave their bytes undefined."""
        size = data.shape[1]
        rows = self._claim(addresses, size, blocks, threads, threads)
        if (self._writer.reshape(-1, size)[rows] != threads[:, None]).any():
            raise PtxError("race: two threads write the same shared memory")
        self._bytes.reshape(-1, size)[rows] = data
        self._ready.reshape(-1, size)[rows] = ready[:, None]

    def begin_copy(self, addresses: Array, size: int, blocks: Array, threads: Array) -> Array:
        """An asynchronous copy starts: nobody may touch its bytes. Returns its rows."""
        rows = self._claim(addresses, size, blocks, threads, np.full(threads.size, _IN_FLIGHT))
        if np.unique(rows).size != rows.size:
            raise PtxError("race: two asynchronous copies write the same shared memory")
        return rows

    def end_copy(self, rows: Array, data: Array, threads: Array) -> None:
        """The bytes of a copy land: they are then what its thread wrote."""
        size = data.shape[1]
        self._bytes.reshape(-1, size)[rows] = data
        self._ready.reshape(-1, size)[rows] = True
        self._writer.reshape(-1, size)[rows] = threads[:, None]

    def barrier(self, block: int) -> None:
        """Everything the block did is ordered before what follows; copies in flight stay in flight."""
        cells = slice(block * self._stride, (block + 1) * self._stride)
        writer = self._writer[cells]
        writer[writer != _IN_FLIGHT] = _NOBODY
        self._reader[cells] = _NOBODY

    def warp_barrier(self, warps: Array) -> None:
        """What threads of a warp did is ordered before what the warp's threads do next."""
        for owners in (self._writer, self._reader):
            inside = (owners >= 0) & (owners < self._threads) & np.isin(owners // 32, warps)
            owners[inside] = self._threads + owners[inside] // 32
        several = (self._reader <= _WARP_READ) & np.isin(_WARP_READ - self._reader, warps)
        self._reader[several] = self._threads + _WARP_READ - self._reader[several]
