"""Where things are, and how a checking program is run."""

import pathlib
import shutil
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def promtool():
    unpacked = ROOT / ".deps" / "tools" / "promtool"
    return str(unpacked) if unpacked.exists() else shutil.which("promtool")


def check(*command, **options):
    """Runs a program that has to find nothing to complain about; returns its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0 and not done.stderr.strip(), f"{command[:2]}: {done.stderr}{done.stdout}"
    return done.stdout


def documents(path):
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]
