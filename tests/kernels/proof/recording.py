"""The PTX of the launch recorder's kernels, and what the project's launchers launch."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Iterable

from ptx import Machine, parse
from ptx.parser import Kernel


@dataclasses.dataclass(frozen=True)
class Launch:
    """One recorded launch; `arguments` are the bytes of each parameter."""
    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    shared_limit_bytes: int
    stream: int
    arguments: tuple[bytes, ...]

    def run(self, machine: Machine, kernels: dict[str, Kernel]) -> None:
        """Runs it on the interpreter."""
        kernel = kernels[self.kernel]
        machine.launch(kernel, self.grid, self.block, self.arguments, self.shared_bytes,
                       self.shared_limit_bytes + kernel.static_shared_bytes)


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a call of a launcher returned and launched."""
    status: str
    launches: tuple[Launch, ...]


def kernels_of(ptx: str) -> dict[str, Kernel]:
    """The kernels of one or several PTX modules, one after the other."""
    kernels: dict[str, Kernel] = {}
    for module in re.split(r"^(?=\.version)", ptx, flags=re.M)[1:]:
        kernels.update(parse(module).kernels)
    return kernels


def embedded_ptx(cuobjdump: str, binary: pathlib.Path) -> str:
    """All PTX inside an object file or program."""
    listing = subprocess.run([cuobjdump, "--dump-ptx", str(binary)], check=True, capture_output=True, text=True).stdout
    # Headings of cuobjdump stand between modules.
    return "\n".join(line for line in listing.splitlines()
                     if not re.match(r"(Fatbin|=+$|arch =|code version|host =|compile_size|compressed|identifier|"
                                     r"ptxasOptions|producer)", line))


def record(recorder: pathlib.Path, kernels: dict[str, Kernel], calls: Iterable[dict]) -> list[Recording]:
    """Runs calls of launchers (see launch_recorder.cc) and returns what they launched."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as sizes:
        for name, kernel in kernels.items():
            print(name, *(p.size_bytes for p in kernel.parameters), file=sizes)
        sizes.flush()
        lines = "".join(json.dumps(call) + "\n" for call in calls)
        done = subprocess.run([str(recorder), sizes.name], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the launch recorder failed: {done.stderr.strip()}")
    return [_recording(json.loads(line)) for line in done.stdout.splitlines()]


def _recording(result: dict) -> Recording:
    launches = [Launch(launch["kernel"], tuple(launch["grid"]), tuple(launch["block"]), launch["shared_bytes"],
                       launch["shared_limit_bytes"], launch["stream"], tuple(bytes(a) for a in launch["arguments"]))
                for launch in result["launches"]]
    return Recording(result["status"], tuple(launches))
