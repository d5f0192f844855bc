"""Checks that clang-format would change nothing. To mend: clang-format -i FILES.

usage: check_format.py
"""

import subprocess

import tree


def main():
    paths = [str(path) for path in tree.cpp_files()]
    run = subprocess.run(["clang-format", "--dry-run", *paths], cwd=tree.ROOT, capture_output=True,
                         text=True, check=True)
    unformatted = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "warning:" in line})
    tree.finish([f"{path}: run clang-format -i {path}" for path in unformatted],
                f"format of {len(paths)} files")


if __name__ == "__main__":
    main()
