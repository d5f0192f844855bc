"""The package as it is installed."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

import sasq
from conftest import ROOT, SITE

PACKAGE = ROOT / "client" / "python"


def run(*command, **options):
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_version_is_that_of_the_project():
    project = re.search(r"project\(sasq VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert sasq.__version__ == importlib.metadata.version("sasq") == project


def test_tests_read_the_wheel():
    assert pathlib.Path(sasq.__file__).is_relative_to(SITE)
    assert (SITE / "sasq" / "py.typed").exists()


def test_importing_brings_in_no_extra():
    run("-c", "import sys, sasq; assert not {'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules)",
        env={**os.environ, "PYTHONPATH": str(SITE)})


def test_apply_scales_names_the_extra_that_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "sasq.apply", raising=False)
    monkeypatch.delitem(sys.modules, "sasq.rotation", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'sasq\[torch\]'"):
        sasq.apply_scales
    with pytest.raises(AttributeError):
        sasq.no_such_name


def test_types():
    """mypy, strict, over the package."""
    run("-m", "mypy", "--config-file", PACKAGE / "pyproject.toml", "--cache-dir", os.devnull, "-p", "sasq",
        env={**os.environ, "MYPYPATH": str(SITE)})


def test_source_distribution_builds_alone(tmp_path):
    """It brings the contract along, and gives the same wheel as the checkout."""
    run("-c", f"import setuptools.build_meta as build; build.build_sdist({str(tmp_path)!r})", cwd=PACKAGE)
    (archive,) = tmp_path.glob("sasq-*.tar.gz")
    run("-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--no-build-isolation", "--wheel-dir", tmp_path, archive)
    (wheel,) = tmp_path.glob("*.whl")
    installed = {str(path.relative_to(SITE)) for path in (SITE / "sasq").rglob("*") if path.suffix != ".pyc"
                 and path.is_file()}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("sasq/")} == installed
