"""Assembles the PTX that the interpreter runs for every architecture: registers, local memory and
instructions as in the budget, and how many blocks fit a multiprocessor.

usage: machine_code_test.py BUDGET.json CUDA_BIN LAUNCH_RECORDER OCCUPANCY
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import tempfile

from occupancy import launch_shapes, occupancies
from recording import embedded_ptx, kernels_of
from sass_check import MachineCode, check, machine_code_of, output_of, report


def assemble(cuda_bin: pathlib.Path, ptx: str, architectures: list[str], folder: pathlib.Path) -> list[pathlib.Path]:
    """Cubins of every PTX module for every architecture."""
    cubins = []
    for number, module in enumerate(re.split(r"^(?=\.version)", ptx, flags=re.M)[1:]):
        source = folder / f"{number}.ptx"
        source.write_text(module)
        for architecture in architectures:
            cubins.append(folder / f"{number}.{architecture}.cubin")
            output_of(cuda_bin / "ptxas", "-O3", f"-arch={architecture}", source, "-o", cubins[-1])
    return cubins


def check_occupancy(codes: list[MachineCode], budgets: dict, program: pathlib.Path, recorder: pathlib.Path,
                    ptx: str) -> list[str]:
    """Prints the least occupancy of each family of kernels on each device; what is below the budget."""
    failures, least = [], {}
    for code, device, blocks, percent in occupancies(program, codes, launch_shapes(recorder, kernels_of(ptx))):
        name = next(name for name in budgets if re.search(name, code.kernel))
        least[name, device] = min((blocks, percent), least.get((name, device), (blocks, percent)))
        if percent < budgets[name]["min_occupancy_percent"] or blocks < 1:
            failures.append(f"{device} {code.kernel}: {blocks} blocks, {percent}% of a multiprocessor's threads, "
                            f"want {budgets[name]['min_occupancy_percent']}%")
    for (name, device), (blocks, percent) in sorted(least.items()):
        print(f"{device:9} {blocks:3} blocks {percent:4}% of the threads  {name}")
    return failures


def main() -> int:
    budget = json.loads(pathlib.Path(sys.argv[1]).read_text())
    cuda_bin, recorder, program = (pathlib.Path(argument) for argument in sys.argv[2:])
    ptx = embedded_ptx(str(cuda_bin / "cuobjdump"), recorder)
    with tempfile.TemporaryDirectory() as folder:
        cubins = assemble(cuda_bin, ptx, budget["architectures"], pathlib.Path(folder))
        codes = [code for cubin in cubins for code in machine_code_of(cuda_bin, cubin)]
    failures = check(codes, budget["kernels"], budget["architectures"])
    failures += check_occupancy(codes, budget["kernels"], program, recorder, ptx)
    return report(failures, len(codes))


if __name__ == "__main__":
    sys.exit(main())
