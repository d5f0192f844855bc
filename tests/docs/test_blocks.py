"""The pages say what is true: their blocks ```sh run are run against the real service, on the tiny model."""

import os
import socket
import sys

import pytest

import pages
import run_page
from service import Service, bin_path

# They start a service of their own, at $SASQ_ENDPOINT.
STARTS_A_SERVICE = {"docs/quickstart.md", "docs/security.md"}
PAGES = {str(path): page for path, page in pages.read_all().items() if any(block.is_run for block in page.blocks)}


def free_endpoint():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def environment_of(inputs, home, endpoint):
    """What docs/testing.md promises to a block, and little else of the one who runs the test."""
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    path = [bin_path("sasq").parent, os.path.dirname(sys.executable), os.environ["PATH"]]
    return {**kept, "PATH": ":".join(map(str, path)), "HOME": str(home), "NO_COLOR": "1", "SASQ_ENDPOINT": endpoint,
            "MODEL": str(inputs / "model"), "TRAIN_TEXT": str(inputs / "train.txt"),
            "EVAL_TEXT": str(inputs / "eval.txt")}


@pytest.mark.parametrize("path", PAGES)
def test_page(path, inputs, tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    service = Service(tmp_path / "service")
    try:
        if path in STARTS_A_SERVICE:
            service.endpoint = free_endpoint()
        else:
            service.start_coordinator()
            service.start_worker()
        failure, output = run_page.run(PAGES[path], work, environment_of(inputs, home, service.endpoint))
    finally:
        service.close()
    print(output)
    if failure:
        pytest.fail(failure.text(path), pytrace=False)


def test_the_pages_that_start_a_service_are_there():
    assert STARTS_A_SERVICE <= PAGES.keys()
