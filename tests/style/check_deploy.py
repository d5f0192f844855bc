"""Checks deploy/ with the tools that will read it: systemd-analyze and promtool.

usage: check_deploy.py BUILD_FOLDER
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tree

INSTALLED_BIN = "/opt/sasq/build/bin/"
# systemd's measure of what a unit may do, 0 (nothing) to 100.
MAX_EXPOSURE = 25


def run(*command):
    """The complaints of a command that ended badly or warned."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 and not done.stderr.strip():
        return []
    return [f"{' '.join(map(str, command[:2]))}: {(done.stderr or done.stdout).strip()}"]


def check_units(build):
    """Verifies the units with the programs of this build in place of the installed ones."""
    for unit in sorted((tree.ROOT / "deploy" / "systemd").glob("*.service")):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / unit.name
            text = unit.read_text().replace(INSTALLED_BIN, f"{build}/bin/")
            # The machine that checks need not have the user or the documentation.
            copy.write_text(re.sub(r"^(User|Group|Documentation)=.*\n", "", text, flags=re.MULTILINE))
            yield from run("systemd-analyze", "verify", "--man=no", copy)
            shutil.copy(unit, copy)
            yield from run("systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}",
                           "--no-pager", copy)


def check_prometheus():
    """Checks the scrape configuration."""
    local = tree.ROOT / ".deps" / "tools" / "promtool"
    promtool = local if os.access(local, os.X_OK) else "promtool"
    for config in sorted((tree.ROOT / "deploy" / "prometheus").glob("*.yml")):
        yield from run(promtool, "check", "config", config)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = list(check_prometheus())
    if shutil.which("systemd-analyze"):
        problems += check_units(pathlib.Path(sys.argv[1]).resolve())
    else:
        print("there is no systemd-analyze here: the units are not checked")
    tree.finish(problems, "deploy/")


if __name__ == "__main__":
    main()
