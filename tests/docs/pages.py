"""Markdown as the checks of the documentation need it: headings, links, code spans and code blocks with their lines."""

import dataclasses
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "style"))
import tree  # noqa: E402

FENCE = re.compile(r"^(`{3,})\s*(.*)$")
HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$")
INDENT = " " * 4
CODE_SPAN = re.compile(r"(`+)(.+?)\1")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)(?: +\"[^\"]*\")?\)")
LINK_TEXT = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
# What GitHub drops from a heading to make its anchor.
DROPPED = re.compile(r"[^\w\- ]")


@dataclasses.dataclass
class Block:
    """A code block. `line` is that of its first line, from 1; `info` is empty where it is indented."""

    line: int
    info: str
    lines: list[str]

    @property
    def is_run(self) -> bool:
        return self.info.split() == ["sh", "run"]


@dataclasses.dataclass
class Page:
    """One file of Markdown."""

    path: pathlib.PurePosixPath
    line_count: int
    anchors: set[str] = dataclasses.field(default_factory=set)
    blocks: list[Block] = dataclasses.field(default_factory=list)
    links: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    spans: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def anchor_of(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    text = LINK_TEXT.sub(r"\1", heading).replace("`", "")
    return DROPPED.sub("", text.lower()).replace(" ", "-")


def add_anchor(page: Page, heading: str) -> None:
    anchor, count = anchor_of(heading), 0
    unique = anchor
    while unique in page.anchors:
        count += 1
        unique = f"{anchor}-{count}"
    page.anchors.add(unique)


def add_text(page: Page, number: int, line: str) -> None:
    """A line outside of blocks."""
    heading = HEADING.match(line)
    if heading:
        add_anchor(page, heading[1])
    page.spans += [(number, span[2].strip()) for span in CODE_SPAN.finditer(line)]
    # What looks like a link within code is none.
    page.links += [(number, link[1]) for link in LINK.finditer(CODE_SPAN.sub(r"\1\1", line))]


def read(path: pathlib.PurePosixPath, text: str) -> Page:
    """Reads one file."""
    lines = text.splitlines()
    page = Page(path, len(lines))
    block, fence, may_indent = None, "", True  # may_indent: no paragraph is open, so that four blanks begin a block
    for number, line in enumerate(lines, 1):
        found = FENCE.match(line.strip())
        if fence:
            if found and found[1].startswith(fence) and not found[2]:
                block, fence = None, ""
            else:
                block.lines.append(line)
        elif found:
            block, fence = Block(number + 1, found[2], []), found[1]
            page.blocks.append(block)
        elif line.startswith(INDENT) and (block or may_indent):
            if not block:
                block = Block(number, "", [])
                page.blocks.append(block)
            block.lines.append(line.removeprefix(INDENT))
        elif block and not line.strip():
            block.lines.append("")
        else:
            block = None
            may_indent = not line.strip() or bool(HEADING.match(line))
            add_text(page, number, line)
    return page


def read_all(root: pathlib.Path = tree.ROOT) -> dict[pathlib.PurePosixPath, Page]:
    """Every Markdown file of the tree, by its path."""
    return {path: read(path, (root / path).read_text()) for path in tree.files(root) if path.suffix == ".md"}
