"""How well the recorded launches fill a multiprocessor, by NVIDIA's own calculator."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterable

import numpy as np
from proof import MEMORY_BYTES
from ptx import GlobalMemory
from ptx.parser import Kernel
from recording import record
from sass_check import MachineCode
from sweep import FAMILIES


def launch_shapes(recorder: pathlib.Path, kernels: dict[str, Kernel]) -> dict[str, tuple[int, int]]:
    """The most (threads, dynamic shared bytes) of each kernel in the sweep's launches."""
    with np.errstate(all="ignore"):
        requests = [call.prepare(GlobalMemory(MEMORY_BYTES))[0] for calls in FAMILIES.values() for call in calls()]
    shapes: dict[str, tuple[int, int]] = {}
    for recording in record(recorder, kernels, requests):
        for launch in recording.launches:
            shape = (launch.block[0] * launch.block[1] * launch.block[2], launch.shared_bytes)
            shapes[launch.kernel] = max(shape, shapes.get(launch.kernel, (0, 0)))
    return shapes


def occupancies(program: pathlib.Path, codes: Iterable[MachineCode],
                shapes: dict[str, tuple[int, int]]) -> list[tuple[MachineCode, str, int, int]]:
    """(kernel, device, blocks on a multiprocessor, percent of its threads) for each kernel with a launch."""
    launched = [code for code in codes if code.kernel in shapes]
    lines = "".join(f"{code.architecture} {code.registers} {shapes[code.kernel][0]} {code.shared_bytes} "
                    f"{shapes[code.kernel][1]}\n" for code in launched)
    output = subprocess.run([program], input=lines, check=True, capture_output=True, text=True).stdout
    results = []
    for code, line in zip(launched, output.splitlines(), strict=True):
        device, blocks, percent = line.split()
        results.append((code, device, int(blocks), int(percent)))
    return results
