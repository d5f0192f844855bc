"""Looks at the machine code of the kernels: registers within a budget, no local memory, and the
instructions that each kernel is written for.

usage: sass_check.py BUDGET.json CUDA_BIN (--assemble RECORDER | BINARY...)
  --assemble RECORDER  assembles the PTX inside the launch recorder, which the interpreter runs, for
                       every architecture of the budget
  BINARY               object files or libraries with machine code, as the product has them
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

from recording import embedded_ptx


@dataclasses.dataclass(frozen=True)
class MachineCode:
    """One kernel of one architecture."""
    kernel: str
    architecture: str
    registers: int
    local_bytes: int
    instructions: collections.Counter[str]


def output_of(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True).stdout


def architectures_of(listing: str) -> list[tuple[str, str]]:
    """(architecture, text) of the sections of a listing of cuobjdump."""
    parts = re.split(r"^arch = (\w+)$", listing, flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def machine_code_of(cuda_bin: pathlib.Path, binary: pathlib.Path) -> list[MachineCode]:
    """All kernels inside an object file, library or cubin."""
    usage: dict[tuple[str, str], tuple[int, int]] = {}
    for architecture, text in architectures_of(output_of(cuda_bin / "cuobjdump", "-res-usage", binary)):
        for kernel, registers, stack, local in re.findall(
                r"Function (\S+):\n\s*REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", text):
            usage[architecture, kernel] = int(registers), int(stack) + int(local)
    found = []
    for architecture, text in architectures_of(output_of(cuda_bin / "cuobjdump", "-sass", binary)):
        for function in text.split("Function : ")[1:]:
            kernel, _, body = function.partition("\n")
            opcodes = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", body)
            if (architecture, kernel.strip()) in usage:
                found.append(MachineCode(kernel.strip(), architecture, *usage[architecture, kernel.strip()],
                                         collections.Counter(opcodes)))
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


def assemble(cuda_bin: pathlib.Path, recorder: pathlib.Path, architectures: list[str],
             folder: pathlib.Path) -> list[pathlib.Path]:
    """Cubins of every PTX module inside the recorder for every architecture."""
    modules = re.split(r"^(?=\.version)", embedded_ptx(str(cuda_bin / "cuobjdump"), recorder), flags=re.M)[1:]
    cubins = []
    for number, module in enumerate(modules):
        ptx = folder / f"{number}.ptx"
        ptx.write_text(module)
        for architecture in architectures:
            cubins.append(folder / f"{number}.{architecture}.cubin")
            # Contraction was decided by nvcc: the PTX has .rn everywhere.
            output_of(cuda_bin / "ptxas", "-O3", f"-arch={architecture}", ptx, "-o", cubins[-1])
    return cubins


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


def main() -> int:
    budget, cuda_bin = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        binaries = [pathlib.Path(argument) for argument in sys.argv[3:]]
        if sys.argv[3] == "--assemble":
            binaries = assemble(cuda_bin, pathlib.Path(sys.argv[4]), budget["architectures"], pathlib.Path(name))
        codes = [code for binary in binaries for code in machine_code_of(cuda_bin, binary)]
    failures = check(codes, budget["kernels"], budget["architectures"])
    print("\n".join(failures) if failures else f"{len(codes)} kernels keep their budget")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
