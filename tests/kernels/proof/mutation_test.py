"""Plants the bugs of mutants.py one at a time, in copies, and sees that the named check finds each.

usage: mutation_test.py BUILD_FOLDER SOURCE_FOLDER CUDA_BIN BUDGET.json [--handful | NAME...]
Ends with 0 if every mutant was killed by its check.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable

import traffic_test
from machine_code_test import assemble
from mutants import CHECKS, MUTANTS, Mutant
from operations import Call
from proof import run_calls
from recording import embedded_ptx, kernels_of
from sass_check import machine_code_of, problems_of
from sweep import FAMILIES

RECORDER = "tests/launch_recorder"
# Files with nothing that launchers compute with: the launches stay what they are.
DEVICE_ONLY = (".cuh", "kernels/numerics.h")


class NotPlanted(Exception):
    """A mutant that does not apply: its text is not there exactly once, or it does not compile."""


class Workshop:
    """Builds mutated launch recorders with the commands of the build folder (Ninja's)."""

    def __init__(self, build: pathlib.Path, source: pathlib.Path, cuda_bin: pathlib.Path, budget: dict):
        self._build, self._source, self._cuda_bin, self._budget = build, source, cuda_bin, budget
        self._commands = self._output_of("ninja", "-C", str(build), "-t", "commands", RECORDER).splitlines()

    @staticmethod
    def _output_of(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _run(self, command: str) -> None:
        done = subprocess.run(command, shell=True, cwd=self._build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode:
            raise NotPlanted(f"does not compile: {done.stdout.strip()[:300]}")

    def plant(self, mutant: Mutant, folder: pathlib.Path) -> tuple[pathlib.Path, str]:
        """A launch recorder and all of its PTX, with the bug."""
        recorder = self._build / RECORDER
        ptx = embedded_ptx(str(self._cuda_bin / "cuobjdump"), recorder)
        if mutant.file.endswith(".ptx"):
            mutated, count = re.subn(mutant.search, mutant.replace, ptx)
            if not count:
                raise NotPlanted("its pattern is nowhere in the PTX")
            return recorder, mutated
        text = (self._source / mutant.file).read_text()
        if text.count(mutant.search) != 1:
            raise NotPlanted(f"its text is {text.count(mutant.search)} times in {mutant.file}, want 1")
        copy = folder / mutant.file
        copy.parent.mkdir(parents=True)
        copy.write_text(text.replace(mutant.search, mutant.replace))
        if mutant.file.endswith(DEVICE_ONLY):
            # Later kernels of a name replace earlier ones.
            return recorder, ptx + "".join(self._ptx_of(unit, folder) for unit in mutant.units)
        link = self._commands[-1]
        for unit in mutant.units:
            self._run(self._compilation(unit, folder, folder / f"{unit}.o"))
            used = re.search(rf"\S*/{unit}(?:\.cc)?\.o(?=\s)", link)[0]
            link = link.replace(used, f"{folder}/{unit}.o", 1)
        self._run(re.sub(rf"-o {RECORDER}\b", f"-o {folder}/recorder", link))
        return folder / "recorder", embedded_ptx(str(self._cuda_bin / "cuobjdump"), folder / "recorder")

    def _ptx_of(self, unit: str, folder: pathlib.Path) -> str:
        command = self._compilation(unit, folder, folder / f"{unit}.ptx")
        self._run(re.sub(r" -c (?=\S+\.cu )", " -ptx ", command))
        return (folder / f"{unit}.ptx").read_text()

    def _compilation(self, unit: str, folder: pathlib.Path, output: pathlib.Path) -> str:
        """The build's command for a unit, with the copy's folder before the source folder."""
        pattern = rf"-c (\S*/kernels/cuda/{unit}\.(?:cu|cc))(?=\s|$)"
        command = next(line for line in self._commands if re.search(pattern, line))
        source = re.search(pattern, command)[1]
        mutated = folder / "kernels" / "cuda" / pathlib.Path(source).name
        command = re.sub(r"^cd \S+ && | && \S*cmake .*$| -MD| -M[TF] \S+|\S*ccache ", "", command)
        command = command.replace(f"-c {source}", f"-c {mutated if mutated.exists() else source}")
        command = re.sub(r"-o \S+", f"-o {output}", command)
        return command.replace(f"-I{self._source} ", f"-I{folder} -I{self._source} ", 1)

    def problems(self, mutant: Mutant) -> Iterable[str]:
        """What the checks say about a mutant."""
        with tempfile.TemporaryDirectory(dir=self._build / "tests") as name:
            folder = pathlib.Path(name)
            recorder, ptx = self.plant(mutant, folder)
            if mutant.check == "machine code":
                yield from self._machine_code_problems(ptx, mutant, folder)
                return
            counted = mutant.check == "traffic"
            chosen = chosen_calls(mutant.calls, traffic_test.calls() if counted else all_calls())
            for outcome in run_calls(recorder, kernels_of(ptx), chosen, count_traffic=counted):
                yield from outcome.problems
                yield from traffic_test.traffic_problems(outcome)

    def _machine_code_problems(self, ptx: str, mutant: Mutant, folder: pathlib.Path) -> Iterable[str]:
        modules = re.split(r"^(?=\.version)", ptx, flags=re.M)[1:]
        module = [module for module in modules if re.search(mutant.calls, module)][-1]
        for cubin in assemble(self._cuda_bin, module, self._budget["architectures"], folder):
            for code in machine_code_of(self._cuda_bin, cubin):
                budget = next(entry for name, entry in self._budget["kernels"].items() if re.search(name, code.kernel))
                yield from problems_of(code, budget)


def all_calls() -> Iterable[Call]:
    return (call for calls in FAMILIES.values() for call in calls())


def chosen_calls(pattern: str, calls: Iterable[Call]) -> list[Call]:
    chosen = [call for call in calls if re.match(pattern, call.name)]
    if not chosen:
        raise NotPlanted(f"no call is named {pattern}")
    return chosen


def verdict(workshop: Workshop, mutant: Mutant) -> tuple[bool, str]:
    """Whether the mutant's check killed it, and what it said."""
    other = "no check found it"
    try:
        for problem in workshop.problems(mutant):
            if re.search(CHECKS[mutant.check], problem):
                return True, problem
            other = f"found by another check: {problem}"
    except NotPlanted as error:
        return False, str(error)
    return False, other


def main() -> int:
    build, source, cuda_bin, budget = (pathlib.Path(argument).resolve() for argument in sys.argv[1:5])
    if not shutil.which("ninja"):
        print("skipped: there is no ninja")
        return 77
    wanted = sys.argv[5:]
    mutants = [m for m in MUTANTS if not wanted or m.name in wanted or ("--handful" in wanted and m.handful)]
    workshop, survivors = Workshop(build, source, cuda_bin, json.loads(budget.read_text())), 0
    for mutant in mutants:
        killed, words = verdict(workshop, mutant)
        survivors += not killed
        print(f"{'killed by ' + mutant.check if killed else 'SURVIVED':24} {mutant.name}: {words[-110:]}", flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} mutants were killed by their check")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
