"""What the tests share: the package as its wheel installs it, and the service and tiny model of tests/e2e."""

import atexit
import contextlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
E2E = ROOT / "tests" / "e2e"


def unpack_wheel():
    """Returns a folder with the content of the wheel in $SASQ_WHEEL_DIR, or of one that is built now."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sasq-wheel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    built = os.environ.get("SASQ_WHEEL_DIR")
    if not built:
        built = folder
        subprocess.run([ROOT / "scripts" / "build_python.sh", built], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = pathlib.Path(built).glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def load_conftest(folder):
    """The conftest.py of another folder, whose name is taken here."""
    description = importlib.util.spec_from_file_location("e2e_conftest", folder / "conftest.py")
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


os.environ.setdefault("SASQ_BIN_DIR", str(ROOT / "build" / "bin"))
SITE = unpack_wheel()
sys.path[:0] = [str(SITE), str(E2E)]

_e2e = load_conftest(E2E)
inputs, make_spec = _e2e.inputs, _e2e.make_spec
bare_service, coordinator_only, service = _e2e.bare_service, _e2e.coordinator_only, _e2e.service

from service import Service  # noqa: E402

import sasq  # noqa: E402

RECONNECT_SECONDS = 60


@pytest.fixture
def client(coordinator_only):
    """A client of the test's service, with or without workers."""
    with sasq.Client(coordinator_only.endpoint, reconnect_timeout=RECONNECT_SECONDS) as made:
        yield made


@contextlib.contextmanager
def running_service(folder):
    """A service with one worker, for tests that share it; a client of it."""
    running = Service(folder)
    try:
        running.start_coordinator()
        running.start_worker()
        with sasq.Client(running.endpoint) as made:
            yield made
    finally:
        running.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory, inputs):
    """A job that succeeded, on a service that all read-only tests of a file share."""
    with running_service(tmp_path_factory.mktemp("finished")) as made:
        yield made.submit(
            model=inputs / "model", training_text=inputs / "train.txt", evaluation_text=inputs / "eval.txt",
            recipe={"method": "sasq", "training": {"step_count": 8, "window_tokens": 32, "learning_rate": 0.02}},
            calibration={"window_count": 4, "window_tokens": 64},
            evaluation={"window_count": 2, "window_tokens": 128}).wait(timeout=300)
