"""Runs clang-tidy (checks in .clang-tidy) over the sources that a build folder compiles.

usage: check_tidy.py BUILD_FOLDER light|torch
  light  sources that do not see LibTorch
  torch  the others: minutes each
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import check_includes
import tree

# Options of GCC alone.
GCC_OPTIONS = ("-fno-thread-jumps",)


def compiled_sources(build):
    """Our own sources in the build's compilation database, relative to the root."""
    database = json.loads((build / "compile_commands.json").read_text())
    known = {str(path) for path in tree.cpp_files()}
    names = (pathlib.Path(entry["file"]) for entry in database)
    inside = {str(name.relative_to(tree.ROOT)) for name in names if name.is_relative_to(tree.ROOT)}
    return sorted(inside & known)


def sees_libtorch(path):
    """Whether a source lies where LibTorch is allowed, or tests such a folder."""
    inner = pathlib.PurePosixPath(path.removeprefix("tests/"))
    return check_includes.allowed(inner, check_includes.LIBTORCH_FOLDERS)


def database_for_clang(build, folder):
    """Writes the build's compilation database, without the options that clang does not know."""
    text = (build / "compile_commands.json").read_text()
    for option in GCC_OPTIONS:
        text = text.replace(f" {option} ", " ")
    (folder / "compile_commands.json").write_text(text)


def tidy(database, path):
    """clang-tidy's complaints about one source."""
    run = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(database), "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-unknown-pragmas", path],
        cwd=tree.ROOT, capture_output=True, text=True)
    return [] if run.returncode == 0 else [run.stdout.strip() or run.stderr.strip()]


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in ("light", "torch"):
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    paths = [path for path in compiled_sources(build)
             if not path.startswith("tests/") and sees_libtorch(path) == (sys.argv[2] == "torch")]
    with (tempfile.TemporaryDirectory() as folder,
          concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool):
        database_for_clang(build, pathlib.Path(folder))
        found = [line for lines in pool.map(lambda path: tidy(folder, path), paths)
                 for line in lines]
    tree.finish(found, f"clang-tidy of {len(paths)} sources")


if __name__ == "__main__":
    main()
