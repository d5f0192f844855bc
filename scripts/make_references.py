"""Makes the reference pages of docs/ from what they describe:

  docs/job_spec.md          from proto/sasq/v1/job_spec.proto, by protoc
  docs/cli_reference.md     from `sasq man --format markdown`
  docs/server_reference.md  from `sasqd --help` and `sasq-worker --help`

usage: make_references.py [--check] [--bin-dir FOLDER]
  --check           change nothing; exit with 1 and say what differs if a page is stale
  --bin-dir FOLDER  the programs (default: build/bin)
Wants protoc, and Python with protobuf: .deps/venv/bin/python once scripts/install_deps.sh --tests has run.
"""

import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROTO = "sasq/v1/job_spec.proto"
FIRST_MESSAGE = "JobSpec"
REMAKE = ".deps/venv/bin/python scripts/make_references.py"

Field = descriptor_pb2.FieldDescriptorProto
# Numbers of fields in descriptor.proto, of which the paths of comments consist.
MESSAGE, ENUM = 4, 5
MESSAGE_FIELD, ENUM_VALUE = 2, 2

CODE_SPAN = re.compile(r"(`[^`]*`)")
# Names in comments: of a field with its message, of an enum's value, of a field.
NAME = re.compile(r"(?<![\w.`])(?:[A-Z]\w+\.[a-z]\w*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z]+(?:_[a-z0-9]+)+)(?!\w)")


class Protos:
    """The messages and enums of a file of .proto, with their comments."""

    def __init__(self, file):
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        self.messages = {message.name: message for message in file.message_type}
        self.enums = {enum.name: enum for enum in file.enum_type}
        self.values = {value.name: enum.name for enum in file.enum_type for value in enum.value}
        self.comments = {}
        for kind, types, part in ((MESSAGE, file.message_type, MESSAGE_FIELD), (ENUM, file.enum_type, ENUM_VALUE)):
            for index, described in enumerate(types):
                self.comments[described.name] = comments.get((kind, index), "")
                members = described.field if kind == MESSAGE else described.value
                for number, member in enumerate(members):
                    self.comments[described.name, member.name] = comments.get((kind, index, part, number), "")

    def reachable(self, first):
        """Names of the messages, and of the enums, that `first` leads to, in the order in which a reader meets them."""
        messages, enums = [first], []
        for name in messages:
            for field in self.messages[name].field:
                kind = field.type_name.rpartition(".")[2]
                found = messages if kind in self.messages else enums if kind in self.enums else None
                if found is not None and kind not in found:
                    found.append(kind)
        return messages, enums

    def link(self, name):
        """A name of a comment as Markdown: code, and a link if this page tells what it is."""
        kind = self.values.get(name) or name.partition(".")[0]
        known = kind in self.messages or kind in self.enums
        return f"[`{name}`](#{kind.lower()})" if known else f"`{name}`"

    def text(self, comment):
        """A comment as Markdown on one line; indented lines are items of a list."""
        lines = []
        for line in comment.splitlines():
            depth = len(line) - len(line.lstrip())
            if lines and depth != 3:  # a blank, and two to indent by
                lines[-1] += " " + line.strip()
            else:
                lines.append(line.strip())
        return "<br>".join(self.words(line) for line in lines)

    def words(self, line):
        parts = CODE_SPAN.split(line)
        parts[::2] = [NAME.sub(lambda found: self.link(found[0]), escape(part)) for part in parts[::2]]
        return "".join(parts)

    def type_of(self, field):
        kind = field.type_name.rpartition(".")[2]
        if kind in self.messages or kind in self.enums:
            text = f"[{kind}](#{kind.lower()})"
        else:
            text = kind or Field.Type.Name(field.type).removeprefix("TYPE_").lower()
        if field.label == Field.LABEL_REPEATED:
            return f"list of {text}"
        return f"optional {text}" if field.proto3_optional else text


def escape(text):
    return re.sub(r"([|*<\[])", r"\\\1", text)


def made_from(what):
    return f"<!-- Made by {REMAKE} from {what}: change that. -->\n"


def read_protos():
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", "--include_source_info",
                        f"--descriptor_set_out={out.name}", PROTO], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    (file,) = [file for file in files.file if file.name == PROTO]
    return Protos(file)


def job_spec_page():
    protos = read_protos()
    messages, enums = protos.reachable(FIRST_MESSAGE)
    page = [
        made_from(f"proto/{PROTO}"),
        "# Job spec: reference",
        "Every field of a job spec, from `sasq.v1.JobSpec` on. [cli.md](cli.md#specs) shows spec files, "
        "[api.md](api.md) the calls that take specs.",
        "Where a type is `optional`, 0 can be said; of any other field, 0 and empty are the same as leaving it out. "
        "A Duration is text such as `90s`.",
        "Enums are written in full; in spec files and with the Python client also short.", "",
        "Messages: " + ", ".join(f"[{name}](#{name.lower()})" for name in messages) + ".", "",
        "Enums: " + ", ".join(f"[{name}](#{name.lower()})" for name in enums) + "."]
    for name in messages:
        page += ["", f"## {name}", protos.text(protos.comments[name]), "", "| field | type | |", "|---|---|---|"]
        page += [f"| `{field.name}` | {protos.type_of(field)} | {protos.text(protos.comments[name, field.name])} |"
                 for field in protos.messages[name].field]
    for name in enums:
        values = protos.enums[name].value
        prefix = values[0].name.removesuffix("UNSPECIFIED")
        page += ["", f"## {name}", protos.text(protos.comments[name]), "", "| value | short | |", "|---|---|---|"]
        for value in values:
            short = f"`{value.name.removeprefix(prefix).lower()}`" if value.number else ""
            page.append(f"| `{value.name}` | {short} | {protos.text(protos.comments[name, value.name])} |")
    return "\n".join(page) + "\n"


def output_of(bin_dir, program, *arguments):
    """What a program prints, called by its name and with the settings of nobody."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    return subprocess.run([program, *arguments], executable=bin_dir / program, env={**kept, "HOME": "~"},
                          check=True, capture_output=True, text=True).stdout


def cli_page(bin_dir):
    return made_from("`sasq man --format markdown`") + output_of(bin_dir, "sasq", "man", "--format", "markdown")


HELP_COLUMN = 30  # where meanings begin
FLAG = re.compile(r"(?P<names>-\S+)(?: (?P<value>[A-Z]+)(?::(?P<range>\{[^}]*\}|INT in \[[^]]*\]|[A-Z]+))?"
                  r"(?:=(?P<default>\S+))?(?: (?P<list>\.\.\.))?)?(?: (?P<required>REQUIRED))?")


def flags_of(help_text):
    """Flags in the help that CLI11 prints, and their meanings; a long flag has its meaning on the next line."""
    lines = [*help_text.partition("\nOptions:\n")[2].partition("\n\n")[0].splitlines(), ""]
    for line, below in zip(lines, lines[1:]):
        if not line.startswith("  -"):
            continue
        stands_alone = below.startswith(" " * HELP_COLUMN)
        flag, meaning = (line, below) if stands_alone else (line[:HELP_COLUMN], line[HELP_COLUMN:])
        found = FLAG.fullmatch(flag.strip())
        if not found:
            sys.exit(f"a flag that this script cannot read: {line}")
        yield found, meaning.strip()


def flag_rows(help_text):
    for flag, meaning in flags_of(help_text):
        name = " ".join(word for word in (flag["names"].replace(",", ", "), flag["value"]) if word)
        default = "required" if flag["required"] else f"`{flag['default']}`" if flag["default"] else ""
        yield f"| `{name}` | {default} | {escape(meaning)}{limits_of(flag['range'], meaning)} |"


def limits_of(text, meaning):
    """What CLI11 says of the values there are, {a,b}, INT in [1 - 256] or POSITIVE, where the meaning does not."""
    if not text or all(choice in meaning for choice in text.strip("{}").split(",")):
        return ""
    return "; " + (text.lower() if text.isalpha() else text.removeprefix("INT in ").strip("{}[]").replace(",", ", "))


def commands_below(help_text):
    lines = help_text.partition("\nSubcommands:\n")[2].splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ")]


def program_sections(bin_dir, *command):
    """The tables of a program or of its command, and of what is below."""
    text = output_of(bin_dir, *command, "--help")
    flags = [row for row in flag_rows(text) if not row.startswith("| `-h, --help`")]
    yield "\n".join(["", f"## {' '.join(command)}", escape(text.splitlines()[0])])
    if flags:
        yield "\n".join(["", "| flag | default | meaning |", "|---|---|---|", *flags])
    for name in commands_below(text):
        yield from program_sections(bin_dir, *command, name)


def server_page(bin_dir):
    head = [made_from("the programs' --help"), "# sasqd and sasq-worker: reference of the flags",
            "What they are for is in [operations.md](operations.md) and [security.md](security.md)."]
    sections = [*program_sections(bin_dir, "sasqd"), *program_sections(bin_dir, "sasq-worker")]
    return "\n".join([*head, *sections]) + "\n"


def main():
    parser = argparse.ArgumentParser(usage="make_references.py [--check] [--bin-dir FOLDER]")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / "build" / "bin")
    parser.add_argument("--docs-dir", type=pathlib.Path, default=ROOT / "docs", help="for tests")
    options = parser.parse_args()
    pages = {"job_spec.md": job_spec_page(), "cli_reference.md": cli_page(options.bin_dir),
             "server_reference.md": server_page(options.bin_dir)}
    stale = False
    for name, text in pages.items():
        path = options.docs_dir / name
        old = path.read_text() if path.exists() else ""
        if old == text:
            continue
        stale = True
        if options.check:
            print(f"docs/{name} is stale:")
            print("".join(difflib.unified_diff(old.splitlines(True), text.splitlines(True), "committed", "made", n=0)))
        else:
            path.write_text(text)
            print(f"wrote docs/{name}")
    if options.check and stale:
        sys.exit(f"Build the programs and run {REMAKE}, then commit the pages.")


if __name__ == "__main__":
    main()
