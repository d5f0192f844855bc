"""An interpreter of the PTX that nvcc emits: the CUDA kernels run, and are checked, without a GPU.

    kernels = parse(text).kernels
    memory = GlobalMemory(size_bytes)
    address = memory.place(array)
    Machine(memory).launch(kernels[name], grid, block, arguments, dynamic_shared_bytes)
    memory.read_back(address, array.nbytes)

Every thread is a column of numpy arrays; blocks that fit run side by side. What PTX leaves undefined
raises PtxError: accesses that are out of bounds or misaligned, races in shared memory and between
blocks, warp operations and barriers that part of a warp misses, results that depend on a register or
on memory that nobody wrote, approximate instructions.
"""
from .errors import PtxError
from .machine import Machine
from .memory import GlobalMemory
from .parser import parse

__all__ = ["GlobalMemory", "Machine", "PtxError", "parse"]
