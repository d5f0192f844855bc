"""Checks that every relative link of the Markdown files leads to a file, an anchor or a line that is there.

usage: check_links.py [ROOT]
Links to other hosts are not followed.
"""

import pathlib
import posixpath
import re
import sys

import pages
import tree

ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")
LINES = re.compile(r"L(\d+)(?:-L(\d+))?")


def problem_of(root, known, page, target):
    """What is wrong with a link of `page`, or None."""
    name, _, anchor = target.partition("#")
    path = pathlib.PurePosixPath(posixpath.normpath(page.path.parent / name)) if name else page.path
    if name.startswith("/") or path.parts[:1] == ("..",):
        return "leads out of the tree"
    if not (root / path).exists():
        return "there is no such file"
    if not anchor:
        return None
    if path in known:
        return None if anchor in known[path].anchors else "there is no such heading"
    lines = LINES.fullmatch(anchor)
    if not lines or not (root / path).is_file():
        return "only Markdown has headings"
    last = int(lines[2] or lines[1])
    count = len((root / path).read_text().splitlines())
    return None if last <= count else f"the file has {count} lines"


def check(root):
    """Every problem under `root`, and how many links were followed."""
    known = pages.read_all(root)
    problems, count = [], 0
    for page in known.values():
        for line, target in page.links:
            if ELSEWHERE.match(target):
                continue
            count += 1
            problem = problem_of(root, known, page, target)
            if problem:
                problems.append(f"{page.path}:{line}: {target}: {problem}")
    return problems, count


if __name__ == "__main__":
    found, followed = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT)
    tree.finish(found, f"{followed} links")
