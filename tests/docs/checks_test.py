"""The checks find what they are for: each is run on a small tree, or page, with one fault planted."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

import check_commands
import check_links
import pages
import run_page
from conftest import ROOT

CLI = """
## Flags of every command

| flag | meaning |
|---|---|
| `-e, --endpoint HOST:PORT` | The service |
| `-q, --quiet` | No notes |

## Flags of a spec

| flag | meaning | field |
|---|---|---|
| `--steps N` | Steps | `recipe.training.step_count` |

## Commands

### sasq submit
`sasq submit [FILE]`: Submit. Takes the [flags of a spec](#flags-of-a-spec).

| flag | meaning |
|---|---|
| `-w, --wait` | Follow it |

### sasq artifacts
`sasq artifacts [JOB]`: Show.

### sasq artifacts verify
`sasq artifacts verify JOB|DIR`: Verify.

| flag | meaning |
|---|---|
| `--model DIR` | The model |
"""
SERVER = """
## sasqd

| flag | default | meaning |
|---|---|---|
| `--data_dir TEXT` | | folder |

## sasqd token
## sasqd token add

| flag | default | meaning |
|---|---|---|
| `--role TEXT` | required | role |

## sasq-worker

| flag | default | meaning |
|---|---|---|
| `--coordinator TEXT` | | host:port |
"""


@pytest.fixture
def root(tmp_path):
    """A small tree with references, without faults."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for path, text in (("docs/cli_reference.md", CLI), ("docs/server_reference.md", SERVER),
                       ("scripts/there.sh", "# usage: there.sh [--long]\n")):
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    return tmp_path


def problems(check, root, text):
    (root / "docs" / "page.md").write_text(text)
    return check.check(root)[0]


GOOD_LINKS = """# One `two` (three)
## Same
## Same
[a](#one-two-three) [b](#same-1) [c](../scripts/there.sh) [d](../scripts/there.sh#L1) [e](cli_reference.md#sasq-submit)
![f](.) [g](https://example.org/x) `[h](none.md)` [`i`](../scripts)

    [j](none.md)
"""


def test_good_links(root):
    assert problems(check_links, root, GOOD_LINKS) == []


@pytest.mark.parametrize("link, words", [
    ("none.md", "no such file"), ("#none", "no such heading"), ("cli_reference.md#none", "no such heading"),
    ("../scripts/there.sh#L2", "the file has 1 lines"), ("../scripts/there.sh#here", "only Markdown has headings"),
    ("../../there", "out of the tree"), ("/docs/page.md", "out of the tree"),
])
def test_bad_link(root, link, words):
    (found,) = problems(check_links, root, f"# Page\n\ntext [a]({link})\n")
    assert found.startswith("docs/page.md:3: ") and words in found


GOOD_COMMANDS = """
Text `sasq submit JOB --wait`, `submit --steps`, `--quiet`, `--long`, `scripts/there.sh`, `scripts/NAME.sh`.

    sasq --endpoint list submit job.yaml -w --steps 3 \\
      --wait | jq .submit              # --none
    job=$(sasq artifacts verify JOB --model none)
    $SASQ/build/bin/sasqd --data_dir "$(pwd)/a b" --help && sasqd token add --role worker
    sasq     22.455
    sasq      calls     sasqd

```sh
$ sasq-worker --coordinator=host:1
sasq none
```

```yaml
sasq: none
```
"""


def test_good_commands(root):
    assert problems(check_commands, root, GOOD_COMMANDS) == []


@pytest.mark.parametrize("text, line, words", [
    ("\n    sasq submit --none", 2, "sasq submit has no flag --none"),
    ("\n    sasq submit --wait \\\n      x.yaml --none", 2, "sasq submit has no flag --none"),
    ("\n    sasq none", 2, "sasq has no command none"),
    ("```sh\nX=1 build/bin/sasq artifacts verify A --steps 3\n```", 2, "sasq artifacts verify has no flag --steps"),
    ("```sh run\njob=$(sasq submit --model m)\n```", 2, "sasq submit has no flag --model"),
    ("```sh\nuntil sasq -q none; do :; done\n```", 2, "sasq has no command none"),
    ("\n    sasqd --data-dir x", 2, "sasqd has no flag --data-dir"),
    ("\n    sasqd token add --tenant x", 2, "sasqd token add has no flag --tenant"),
    ("\n    sasq-worker --data_dir x", 2, "sasq-worker has no flag --data_dir"),
    ("ask `sasq none`", 1, "sasq has no command none"),
    ("ask `submit --none`", 1, "sasq submit has no flag --none"),
    ("the flag `--none`", 1, "no program here has a flag --none"),
    ("\n    scripts/none.sh", 2, "there is no scripts/none.sh"),
    ("run `docs/none.py --long`", 1, "there is no docs/none.py"),
])
def test_bad_command(root, text, line, words):
    (found,) = problems(check_commands, root, text + "\n")
    assert found == f"docs/page.md:{line}: {words}"


def run(text, folder, **options):
    page = pages.read(pathlib.PurePosixPath("docs/page.md"), text)
    return run_page.run(page, folder, {"PATH": os.environ["PATH"]}, **options)


def test_blocks_run_in_one_shell(tmp_path):
    text = "# Page\n```sh run\nx=3\n```\n\n    false\n\n```sh\nfalse\n```\n```sh run\ncat > out <<EOF\n$x\nEOF\n```\n"
    failure, output = run(text, tmp_path)
    assert failure is None, output
    assert (tmp_path / "out").read_text() == "3\n"


@pytest.mark.parametrize("command, reason, printed", [
    ("echo no; false", "ended with 1", "no\ndocs/page.md:6: this line failed"),
    ("false | true", "ended with 1", "docs/page.md:6: this line failed"),
    ("echo $unset", "ended with 1", "docs/page.md: line 6: unset: unbound variable"),
    ("sleep 100", "did not end within 1 s", ""),
])
def test_block_that_fails(tmp_path, command, reason, printed):
    failure, _ = run(f"# Page\n```sh run\necho yes\n```\n```sh run\n{command}\necho never\n```\n", tmp_path,
                     timeout=1 if "sleep" in command else 60)
    assert (failure.line, failure.reason, failure.output.strip()) == (6, reason, printed)
    assert failure.text("docs/page.md").startswith(f"docs/page.md:6: the block that begins here {reason}; it printed:")


def test_what_a_page_starts_ends_with_it(tmp_path):
    failure, _ = run("# Page\n```sh run\nsleep 100 &\necho $! > pid\n```\n", tmp_path)
    assert failure is None
    process = pathlib.Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while process.exists() and process.read_text().rsplit(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def make_references(*arguments):
    return subprocess.run([sys.executable, "-B", ROOT / "scripts" / "make_references.py", "--bin-dir",
                           os.environ["SASQ_BIN_DIR"], *arguments], capture_output=True, text=True)


def test_stale_reference(tmp_path):
    assert make_references("--docs-dir", tmp_path).returncode == 0
    assert make_references("--docs-dir", tmp_path, "--check").returncode == 0
    page = tmp_path / "cli_reference.md"
    page.write_text(page.read_text().replace("`--no-cache`", "`--no-cash`"))
    found = make_references("--docs-dir", tmp_path, "--check")
    assert found.returncode == 1
    assert "cli_reference.md is stale" in found.stdout and "-| `--no-cash`" in found.stdout
    assert "scripts/make_references.py" in found.stderr
    assert "--no-cash" in page.read_text()
