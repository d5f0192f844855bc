"""Runs the blocks of a page that are marked to be run, as a reader would: in order, in one shell, in an empty folder.

A script is made that has each line of a block at its own line of the page, so that the shell's messages name it.
"""

import dataclasses
import os
import signal
import subprocess
import tempfile

TIMEOUT_SECONDS = 300
MARK = "\x1e"  # before the output of each block: with it comes the block's line


@dataclasses.dataclass
class Failure:
    """A block that failed, and what it printed."""

    line: int
    reason: str
    output: str

    def text(self, path):
        return f"{path}:{self.line}: the block that begins here {self.reason}; it printed:\n{self.output.rstrip()}"


def script_of(page):
    """The shell script of a page. Its first line, where pages have their title, lets the shell name what failed."""
    lines = [""] * page.line_count
    lines[0] = f"trap 'echo \"{page.path}:$LINENO: this line failed\" >&2' ERR; "
    for block in page.blocks:
        if block.is_run:
            # In the place of the fence.
            lines[block.line - 2] += f"printf '\\036%s\\n' {block.line}"
            lines[block.line - 1:block.line - 1 + len(block.lines)] = block.lines
    return "\n".join(lines) + "\n"


def run(page, folder, environment, timeout=TIMEOUT_SECONDS):
    """Runs the page in `folder` and returns (None, output), or (Failure, output). Nothing that it started lives on."""
    with (tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile("w", suffix=f"-{page.path.name}") as script):
        script.write(script_of(page))
        script.flush()
        process = subprocess.Popen(["bash", "-euo", "pipefail", script.name], cwd=folder, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                   preexec_fn=use_one_core)
        try:
            status = process.wait(timeout)
            reason = f"ended with {status}"
        except subprocess.TimeoutExpired:
            status, reason = None, f"did not end within {timeout} s"
        finally:
            end_session(process)
        out.seek(0)
        output = out.read().decode(errors="replace").replace(script.name, str(page.path))
    if status == 0:
        return None, output
    line, _, printed = output.rpartition(MARK)[2].partition("\n")
    return Failure(int(line or 1), reason, printed), output


def use_one_core():
    """A worker that the page starts takes every usable core, and its threads wait for each other where others compute
    too: with a tiny model that costs more than it brings."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def end_session(process):
    """Ends the shell and what it left in the background."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
