"""Checks the commands that the Markdown files name, in blocks that no test runs and in text too: that `sasq`,
`sasqd` and `sasq-worker` have such commands and flags, by the generated references, and that files of the tree exist.

usage: check_commands.py [ROOT]
"""

import dataclasses
import pathlib
import re
import sys

import pages
import tree

CLI_REFERENCE = pathlib.PurePosixPath("docs/cli_reference.md")
SERVER_REFERENCE = pathlib.PurePosixPath("docs/server_reference.md")
GLOBAL_FLAGS, SPEC_FLAGS = "Flags of every command", "Flags of a spec"
# Where flags of other programs are defined, of which the text tells too.
FOREIGN_FLAGS = {"--fmad", "--cacert", "--header"}  # of nvcc and buf
OTHER_FLAGS = ("scripts/*", "deploy/**/*.sh", "tests/bench/**/*.cc", "tests/chaos/*.py", "tests/fuzz/*")

SECTION = re.compile(r"^#+ (.*)$")
COMMAND_PATH = re.compile(r"(?:sasq|sasqd|sasq-worker)(?: [a-z-]+)*")
NAMES = re.compile(r"-[^\s,]+(?:, -[^\s,]+)*")
ROW = re.compile(r"^\| `(-[^`]*)` \|")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*|(?<![\w-])-[a-z]\b")
# A program where a shell reads the name of a command, and its words.
CALL = re.compile(
    r"(?:^|[;|&(]|\b(?:do|then|until|while|if|else|exec|sudo|time)\s|!\s)\s*(?:\w+=\S*\s+)*"
    r"(?:[\w./${}\"-]*/)?(?P<program>sasqd|sasq-worker|sasq)(?=\s|$)"
    r"(?P<words>(?:\"[^\"]*\"|'[^']*'|\\.|[^|;&<>()`\"'#])*)")
WORD = re.compile(r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])+")
COMMAND_NAME = re.compile(r"[a-z][a-z-]*")
DIAGRAM = re.compile(r"\S {3,}\S")
COMMENT = re.compile(r"(?:^|\s)#\s.*$")
TREE_PATH = re.compile(r"(?<![\w./$}-])"
                       r"(?:scripts|docs|tests|deploy|proto|client|server|worker|quant|kernels|common)/[\w./*-]+")
PLACEHOLDER = re.compile(r"\*|\.\.\.|(?:^|[/.])[A-Z_]+(?:[/.]|$)")


@dataclasses.dataclass
class Command:
    """Flags by name, with whether each takes a value, and the names of the commands below."""

    flags: dict[str, bool] = dataclasses.field(default_factory=dict)
    below: set[str] = dataclasses.field(default_factory=set)


def read_reference(text):
    """The commands of a generated reference, by the words that call them."""
    sections, current = {}, Command()
    for line in text.splitlines():
        section, row = SECTION.match(line), ROW.match(line)
        if section:
            current = sections.setdefault(section[1], Command())
        elif row:
            names = NAMES.match(row[1])[0]
            current.flags.update(dict.fromkeys(names.split(", "), names != row[1]))
        elif f"](#{pages.anchor_of(SPEC_FLAGS)})" in line:
            current.flags.update(sections[SPEC_FLAGS].flags)
    commands = {name: command for name, command in sections.items() if COMMAND_PATH.fullmatch(name)}
    for name in list(commands):
        above, _, last = name.rpartition(" ")
        if above:
            commands.setdefault(above, Command()).below.add(last)
    if GLOBAL_FLAGS in sections:
        for command in commands.values():
            command.flags = {**sections[GLOBAL_FLAGS].flags, **command.flags}
    return commands


def read_commands(root):
    return {name: command for path in (CLI_REFERENCE, SERVER_REFERENCE)
            for name, command in read_reference((root / path).read_text()).items()}


def logical_lines(block):
    """The commands of a shell block, with their lines: continued lines joined, prompts and comments left out. Where
    there are prompts, the other lines are what was printed."""
    has_prompts = any(line.startswith("$ ") for line in block.lines)
    joined, begin = "", block.line
    for number, line in enumerate(block.lines, block.line):
        begin = begin if joined else number
        joined += line.lstrip() if joined else line
        if joined.endswith("\\"):
            joined = joined[:-1].rstrip() + " "
            continue
        if not has_prompts or joined.startswith("$ "):
            yield begin, COMMENT.sub("", joined.removeprefix("$ "))
        joined = ""


def problems_of_call(commands, program, words):
    """What is wrong with a call of a program."""
    path, waiting = program, False  # waiting: for the value of the flag before
    for word in words:
        command = commands[path]
        if waiting:
            waiting = False
        elif FLAG.match(word):
            name, equals, _ = word.partition("=")
            if name not in command.flags and name not in ("-h", "--help"):
                yield f"{path} has no flag {name}"
                return
            waiting = command.flags.get(name, False) and not equals
        elif word in command.below:
            path += f" {word}"
        elif path == "sasq" and COMMAND_NAME.fullmatch(word):
            yield f"{path} has no command {word}"
            return


def calls_of(text):
    for call in CALL.finditer(text):
        yield call["program"], WORD.findall(call["words"])


def problems_of_page(root, commands, other_flags, page):
    """(line, problem) for every mistake of a page."""
    known = FOREIGN_FLAGS.union(other_flags, *(command.flags for command in commands.values()))
    texts = [(line, text) for block in page.blocks if block.info in ("", "sh", "sh run", "bash", "console")
             for line, text in logical_lines(block) if block.info or not DIAGRAM.search(text)]
    for line, text in texts + page.spans:
        for program, words in calls_of(text):
            for problem in problems_of_call(commands, program, words):
                yield line, problem
    for line, span in page.spans:
        words = span.split()
        if f"sasq {words[0]}" in commands and len(words) > 1:
            for problem in problems_of_call(commands, "sasq", words):
                yield line, problem
        name = FLAG.match(span)
        if name and name[0] not in known:
            yield line, f"no program here has a flag {name[0]}"
    everything = page.spans + [(block.line + index, line) for block in page.blocks
                               for index, line in enumerate(block.lines)]
    for line, text in everything:
        for path in TREE_PATH.findall(text):
            if not PLACEHOLDER.search(path) and not exists(root, page, path.rstrip(".")):
                yield line, f"there is no {path}"


def exists(root, page, path):
    """Whether there is such a file, or one of that name with an extension, as programs and headers are named."""
    for folder in (root, root / page.path.parent):
        if (folder / path).exists() or any(folder.glob(f"{path}.*")):
            return True
    return False


def flags_in_files(root, patterns):
    files = [path for pattern in patterns for path in root.glob(pattern) if path.is_file()]
    return {flag for path in files for flag in FLAG.findall(path.read_text(errors="replace"))}


def check(root):
    """Every problem under `root`, and how many pages were read."""
    commands, other_flags = read_commands(root), flags_in_files(root, OTHER_FLAGS)
    known = pages.read_all(root)
    problems = [f"{page.path}:{line}: {problem}" for page in known.values()
                for line, problem in problems_of_page(root, commands, other_flags, page)]
    return problems, len(known)


if __name__ == "__main__":
    found, read = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tree.ROOT)
    tree.finish(found, f"commands of {read} pages")
