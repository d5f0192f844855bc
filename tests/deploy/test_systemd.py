"""The units, verified by systemd with the programs of this build in place of the installed ones."""

import os
import re
import shutil

import pytest

from tree import DEPLOY, check

INSTALLED_BIN = "/opt/sasq/build/bin/"
# systemd's measure of what a unit may do, 0 (nothing) to 100.
MAX_EXPOSURE = 25

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.fixture(params=sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda path: path.name)
def unit(request):
    return request.param


def test_a_unit_is_understood(unit, tmp_path):
    text = unit.read_text().replace(INSTALLED_BIN, f"{os.environ['SASQ_BIN_DIR']}/")
    # The machine that checks need not have the user or the documentation.
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^(User|Group|Documentation)=.*\n", "", text, flags=re.MULTILINE))
    check("systemd-analyze", "verify", "--man=no", copy)


def test_a_unit_may_do_little(unit):
    check("systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", unit)
