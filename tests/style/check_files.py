"""Checks the shape of the tree: names, sizes, guards, first lines, forbidden words and paths.

usage: check_files.py [ROOT]
"""

import os
import pathlib
import re
import sys

import tree

MAX_LINES = 500
# File: why it may be longer.
LONG_FILES = {}

# Pictures for the documentation, and how large one may be.
PICTURE_FOLDER = pathlib.PurePath("docs")
MAX_PICTURE_BYTES = 1 << 20
# Inputs of the fuzz targets, of any form, and how large one may be.
CORPUS_FOLDER = pathlib.PurePath("tests/fuzz/corpus")
MAX_INPUT_BYTES = 64 << 10

CODE_SUFFIXES = (*tree.CPP_SUFFIXES, ".py", ".sh", ".proto", ".cmake", ".yaml", ".yml", ".service")
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "misc", "common_utils"}
# Spelled in parts, so that this file passes.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}*/:])/(wo" r"rk|fa" r"rm|ro" r"ot|ho" r"me)/")


def is_code(path):
    """Whether the rules for what people wrote apply."""
    return path.suffix in CODE_SUFFIXES or path.name == "CMakeLists.txt"


def is_picture(path, content):
    """Whether a binary file is a picture that the documentation may hold."""
    return (path.parent == PICTURE_FOLDER and path.suffix == ".png"
            and len(content) <= MAX_PICTURE_BYTES)


def is_fuzz_input(path, content):
    """Whether a file belongs to the corpus of a fuzz target."""
    return CORPUS_FOLDER in path.parents and len(content) <= MAX_INPUT_BYTES


def guard_of(path):
    """The include guard of a header."""
    return "SASQ_" + re.sub(r"[^A-Za-z0-9]", "_", str(path)).upper() + "_"


def problems_of(path, text):
    """What is wrong with one file."""
    lines = text.splitlines()
    if {part.split(".")[0].lower() for part in path.parts} & VAGUE_NAMES:
        yield f"{path}: a name that says nothing; name the purpose"
    for number, line in enumerate(lines, 1):
        if MACHINE_PATHS.search(line):
            yield f"{path}:{number}: a path of one machine: {line.strip()}"
        if is_code(path) and UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished: {line.strip()}"
        if is_code(path) and (line != line.rstrip() or "\t" in line):
            yield f"{path}:{number}: a tab, or white space at the end of the line"
    if not is_code(path):
        return
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    if len(lines) > MAX_LINES and str(path) not in LONG_FILES:
        yield f"{path}: {len(lines)} lines, want at most {MAX_LINES}; which second thing does it do?"
    if path.suffix == ".h" and f"#ifndef {guard_of(path)}\n#define {guard_of(path)}\n" not in text:
        yield f"{path}: want the include guard {guard_of(path)}"
    if path.name == "CMakeLists.txt" and not text.startswith("# "):
        yield f"{path}: the first line has to say the folder's purpose in a comment"


def check(root):
    """Every problem under `root`, and how many files were read."""
    paths = tree.files(root)
    problems, count = [], 0
    for path in paths:
        content = (root / path).read_bytes()
        if is_fuzz_input(path, content):
            continue
        if b"\0" in content:
            if not is_picture(path, content):
                problems.append(f"{path}: a binary file; builds, data and packages stay out")
            continue
        count += 1
        if content.startswith(b"#!") and not os.access(root / path, os.X_OK):
            problems.append(f"{path}: begins with #! and is not executable")
        problems += problems_of(path, content.decode("utf-8", errors="replace"))
    return problems, count


if __name__ == "__main__":
    found, files_read = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT)
    tree.finish(found, f"shape of {files_read} files")
