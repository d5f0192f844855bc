"""Looks at the machine code of the kernels: registers within a budget, no local memory, and the
instructions that each kernel is written for.

usage: sass_check.py BUDGET.json CUDA_BIN BINARY...
BINARY: object files or libraries with machine code, as the product has them.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile


@dataclasses.dataclass(frozen=True)
class MachineCode:
    """One kernel of one architecture."""
    kernel: str
    architecture: str
    registers: int
    local_bytes: int
    shared_bytes: int
    instructions: collections.Counter[str]


def output_of(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True).stdout


def cubins_of(cuda_bin: pathlib.Path, binary: pathlib.Path, folder: pathlib.Path) -> list[pathlib.Path]:
    """Extracts the machine code inside an object file or library."""
    folder.mkdir()
    subprocess.run([cuda_bin / "cuobjdump", "-xelf", "all", binary.resolve()], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL)
    return sorted(folder.iterdir())


def machine_code_of(cuda_bin: pathlib.Path, cubin: pathlib.Path) -> list[MachineCode]:
    """All kernels inside a cubin."""
    usage = {kernel: (int(registers), int(stack) + int(local), int(shared)) for kernel, registers, stack, shared, local
             in re.findall(r"Function (\S+):\n\s*REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)",
                           output_of(cuda_bin / "cuobjdump", "-res-usage", cubin))}
    listing = output_of(cuda_bin / "cuobjdump", "-sass", cubin)
    found = []
    for function in listing.split("Function : ")[1:]:
        kernel, _, body = function.partition("\n")
        opcodes = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", body)
        architecture = re.search(r"code for (sm_\w+)", listing).group(1)
        found.append(MachineCode(kernel.strip(), architecture, *usage[kernel.strip()], collections.Counter(opcodes)))
    return found


def problems_of(code: MachineCode, budget: dict) -> list[str]:
    """What of a budget's entry a kernel does not keep."""
    problems = []
    if code.registers > budget["max_registers"]:
        problems.append(f"{code.registers} registers, want at most {budget['max_registers']}")
    if code.local_bytes:
        problems.append(f"{code.local_bytes} bytes of stack and local memory, want none")
    for opcode in ("LDL", "STL"):
        if any(o.split(".")[0] == opcode for o in code.instructions):
            problems.append(f"{opcode}: spills to local memory")
    for opcode, least in budget.get("has", {}).items():
        count = sum(n for o, n in code.instructions.items() if o.startswith(opcode))
        if count < least:
            problems.append(f"{count} {opcode}, want at least {least}")
    return problems


def check(codes: list[MachineCode], budgets: dict[str, dict], architectures: list[str]) -> list[str]:
    """Prints a line for each kernel; every kernel has a budget, every budget kernels on each architecture."""
    failures, seen = [], set()
    for code in sorted(codes, key=lambda c: (c.kernel, c.architecture)):
        names = [name for name in budgets if re.search(name, code.kernel)]
        problems = problems_of(code, budgets[names[0]]) if names else ["no budget for this kernel"]
        seen.update((name, code.architecture) for name in names)
        products = sum(n for o, n in code.instructions.items() if o.startswith(("IMMA", "IDP")))
        print(f"{code.architecture} {code.registers:4} registers {products:4} int8 products  {code.kernel[:100]}")
        failures += [f"{code.architecture} {code.kernel}: {problem}" for problem in problems]
    failures += [f"{name}: no kernel for {architecture}" for name in budgets for architecture in architectures
                 if (name, architecture) not in seen]
    return failures


def report(failures: list[str], kernel_count: int) -> int:
    """Prints the failures; the program's exit status."""
    print("\n".join(failures) if failures else f"{kernel_count} kernels keep their budget")
    return 1 if failures else 0


def main() -> int:
    budget, cuda_bin = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        codes = [code for number, binary in enumerate(sys.argv[3:])
                 for cubin in cubins_of(cuda_bin, pathlib.Path(binary), pathlib.Path(folder) / str(number))
                 for code in machine_code_of(cuda_bin, cubin)]
    architectures = budget["product_architectures"]
    codes = [code for code in codes if code.architecture in budget["architectures"]]
    return report(check(codes, budget["kernels"], architectures), len(codes))


if __name__ == "__main__":
    sys.exit(main())
