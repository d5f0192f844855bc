"""The files of the checkout, and how a check ends: one line a problem, exit status 1 if any."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP_SUFFIXES = (".cc", ".h", ".cu", ".cuh")


def files(root=ROOT):
    """Paths of the checkout's files, relative to `root`, ignored ones left out, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True)
    paths = sorted({pathlib.PurePosixPath(name) for name in listing.stdout.decode().split("\0") if name})
    return [path for path in paths if (root / path).is_file()]


def cpp_files(root=ROOT):
    """The C++ and CUDA files among them."""
    return [path for path in files(root) if path.suffix in CPP_SUFFIXES]


def finish(problems, checked):
    """Ends the program: `problems` are lines for people, `checked` is what was looked at."""
    for problem in problems:
        print(problem)
    print(f"{checked}: {len(problems)} problem(s)")
    sys.exit(1 if problems else 0)
