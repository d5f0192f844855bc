"""Which thread holds which element of the matrices of mma and ldmatrix (PTX ISA, 9.7.14).

A fragment map gives, for lane l and byte or value v of its registers, the element's row and column.
fragment_maps_test compares them with the traits of NVIDIA's CuTe.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

LANES = np.arange(32)


def mma_a() -> tuple[Array, Array]:
    """Rows and columns [lane, byte] of A[16, 32] of m16n8k32 with 8-bit elements: 4 registers."""
    lane, byte = np.meshgrid(LANES, np.arange(16), indexing="ij")
    register, part = byte // 4, byte % 4
    return lane // 4 + (register % 2) * 8, (lane % 4) * 4 + part + (register // 2) * 16


def mma_b() -> tuple[Array, Array]:
    """Rows and columns [lane, byte] of B[32, 8] of m16n8k32 with 8-bit elements: 2 registers."""
    lane, byte = np.meshgrid(LANES, np.arange(8), indexing="ij")
    register, part = byte // 4, byte % 4
    return (lane % 4) * 4 + part + register * 16, lane // 4


def mma_c() -> tuple[Array, Array]:
    """Rows and columns [lane, value] of C[16, 8] of m16n8k32 with 32-bit elements: 4 registers."""
    lane, value = np.meshgrid(LANES, np.arange(4), indexing="ij")
    return lane // 4 + (value // 2) * 8, (lane % 4) * 2 + value % 2


def ldmatrix_source(matrices: int) -> tuple[Array, Array]:
    """For ldmatrix without transposition: [lane, register] > the lane whose address is the row that
    the register comes from, and the word of that 16-byte row."""
    lane, register = np.meshgrid(LANES, np.arange(matrices), indexing="ij")
    return register * 8 + lane // 4, lane % 4
