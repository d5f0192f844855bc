"""Memory traffic of the vector paths against the ideal: sectors of global memory, wavefronts of
shared memory.

usage: traffic_test.py CUOBJDUMP LAUNCH_RECORDER
"""

import pathlib
import sys

from operations import ELEMENT_BYTES, Layout, hadamard, quantize, rms_norm, silu_mul
from products import GemmShape, fake_quantize, fake_quantize_backward, gemm
from proof import Outcome, run_calls
from recording import embedded_ptx, kernels_of

# Most of (taken / ideal) where it is not 1, by the beginning of the call's name.
ALLOWED = {
    # A thread's eight values are two accesses: each touches every sector that the other one does.
    ("Hadamard float32", "global load"): 2.0,
    ("Hadamard float32", "global store"): 2.0,
    # A warp finishes two channels of each row; y is a small part of what a GEMV moves.
    ("Gemm 4x", "global store"): 4.0,
}


def allowed(name: str, kind: str) -> float:
    return next((ratio for (prefix, what), ratio in ALLOWED.items() if name.startswith(prefix) and kind == what), 1.0)


def calls():
    """Aligned rows of a few thousand columns."""
    for kind in ELEMENT_BYTES:
        layout = Layout(kind, 4, 4096)
        for scale in (0.25, None):
            yield quantize(layout, scale)
            yield rms_norm(layout, scale, True)
            yield silu_mul(layout, scale)
        yield fake_quantize(layout, 0.25)
        yield fake_quantize_backward(layout, 0.25)
        yield hadamard(layout, 4096)
        for m, multiprocessors in ((4, 108), (32, 108), (64, 1), (128, 1)):
            yield gemm(GemmShape(m, 256, 512, kind, per_row=True, bias=True, multiprocessors=multiprocessors))


def traffic_problems(outcome: Outcome) -> list[str]:
    """Kinds of traffic beyond what is allowed; none where nothing was counted."""
    return [f"too much {kind} traffic: {count.ratio:.2f} of the ideal" for kind, count in outcome.counts.items()
            if count.ratio > allowed(outcome.name, kind)]


def main() -> int:
    recorder, failed = pathlib.Path(sys.argv[2]), 0
    for outcome in run_calls(recorder, kernels_of(embedded_ptx(sys.argv[1], recorder)), calls(), count_traffic=True):
        ratios = {kind: round(count.ratio, 3) for kind, count in sorted(outcome.counts.items())}
        print(f"{outcome.name}: {', '.join(f'{kind} {ratio}' for kind, ratio in ratios.items())}")
        for problem in outcome.problems + traffic_problems(outcome):
            print(f"    {problem}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
