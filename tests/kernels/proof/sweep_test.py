"""Bit for bit: the project's launchers, the PTX that nvcc emitted, and the oracle.

usage: sweep_test.py CUOBJDUMP LAUNCH_RECORDER [FAMILY...]
"""

import pathlib
import sys
import time

from proof import run_calls
from recording import embedded_ptx, kernels_of
from sweep import FAMILIES


def run_family(name: str, recorder: pathlib.Path, kernels: dict) -> tuple[int, set[str]]:
    """Runs a family's calls; how many failed, and the kernels that ran."""
    start, calls, failed, steps, ran = time.monotonic(), 0, 0, 0, set()
    for outcome in run_calls(recorder, kernels, FAMILIES[name]()):
        calls += 1
        failed += bool(outcome.problems)
        steps += outcome.steps
        ran.update(outcome.kernels)
        for problem in outcome.problems:
            print(f"{outcome.name}: {problem}")
    print(f"{name}: {calls} calls, {failed} failed, {steps} instructions of blocks, {time.monotonic() - start:.1f} s",
          flush=True)
    return failed, ran


def main() -> int:
    recorder = pathlib.Path(sys.argv[2])
    kernels = kernels_of(embedded_ptx(sys.argv[1], recorder))
    families = sys.argv[3:] or list(FAMILIES)
    results = [run_family(name, recorder, kernels) for name in families]
    failed, ran = sum(count for count, _ in results), set().union(*(names for _, names in results))
    print(f"{len(ran)} of {len(kernels)} kernels ran")
    if len(families) == len(FAMILIES):
        for kernel in sorted(set(kernels) - ran):
            print(f"never launched: {kernel}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
