"""The interpreter's fragment maps are those of NVIDIA's CuTe.

usage: fragments_test.py CUTE_FRAGMENTS
"""

import json
import subprocess
import sys

import numpy as np
from ptx import fragments


def main() -> int:
    cute = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout)
    # CuTe numbers elements by columns: row + rows * column (of B: n + 8 * k).
    rows, columns = fragments.mma_a()
    ours = {"a": rows + 16 * columns}
    rows, columns = fragments.mma_b()
    ours["b"] = columns + 8 * rows
    rows, columns = fragments.mma_c()
    ours["c"] = rows + 16 * columns
    lane, word = fragments.ldmatrix_source(4)
    ours["ldmatrix_source"] = lane * 4 + word
    wrong = 0
    for name, values in ours.items():
        differing = int(np.count_nonzero(np.array(cute[name]) != values.ravel()))
        print(f"{name}: {values.size} places, {differing} differ from CuTe's")
        wrong += differing
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
