"""Counts what a profiler would: 32-byte sectors of global and wavefronts of shared memory."""

from __future__ import annotations

import dataclasses

import numpy as np

Array = np.ndarray

_SECTOR_BYTES = 32
_BANKS, _BANK_BYTES = 32, 4


@dataclasses.dataclass
class Count:
    """Requests of whole warps, the sectors or wavefronts they took, and the least they could take."""
    requests: int = 0
    taken: int = 0
    ideal: int = 0

    @property
    def ratio(self) -> float:
        return self.taken / self.ideal if self.ideal else 1.0


def _pieces(starts: Array, size: int, piece: int) -> Array:
    """The numbers of all `piece`-byte units that each access of `size` bytes touches."""
    return (starts[:, None] + np.arange(0, size, min(size, piece))) // piece


def count_sectors(count: Count, addresses: Array, size: int, warps: Array) -> None:
    """Adds one global request of each warp. Ideal: the warp's distinct bytes, packed."""
    addresses = addresses.astype(np.int64)
    key = warps.astype(np.int64)[:, None] << 48
    sectors = np.unique(key + _pieces(addresses, size, _SECTOR_BYTES))
    units = np.unique(key + _pieces(addresses, size, size))
    _, units_of_warp = np.unique(units >> 48, return_counts=True)
    count.requests += units_of_warp.size
    count.taken += sectors.size
    count.ideal += int((-(-units_of_warp * size // _SECTOR_BYTES)).sum())


def count_wavefronts(count: Count, addresses: Array, size: int, warps: Array) -> None:
    """Adds one shared request of each warp. A wavefront serves 128 bytes, one word of each bank."""
    addresses = addresses.astype(np.int64)
    lanes_at_once = max(1, min(32, _BANKS * _BANK_BYTES // size))
    first = np.r_[True, warps[1:] != warps[:-1]]
    place = np.arange(warps.size) - np.maximum.accumulate(np.where(first, np.arange(warps.size), 0))
    phase = warps.astype(np.int64) * 32 + place // lanes_at_once
    words = np.unique((phase[:, None] << 40) + _pieces(addresses, size, _BANK_BYTES))
    banks, in_bank = np.unique((words >> 40) * _BANKS + words % _BANKS, return_counts=True)
    phases, starts = np.unique(banks // _BANKS, return_index=True)
    count.requests += np.unique(warps).size
    count.taken += int(np.maximum.reduceat(in_bank, starts).sum())
    count.ideal += phases.size
