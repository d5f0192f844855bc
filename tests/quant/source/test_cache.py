"""The cache between processes: one fetch for all, a bound, a full disk, and a file system without room."""

import json
import subprocess

import pytest

import servers
from servers import Hub, digests

WEIGHTS = bytes(range(256)) * 400
MODEL = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": WEIGHTS}


@pytest.fixture
def hub():
    served = Hub()
    for number in range(3):
        served.add(f"models/org/m{number}", {**MODEL, "model.safetensors": WEIGHTS + bytes([number])})
    yield served
    served.close()


def size_of(cache):
    return sum(path.stat().st_size for path in (cache / "files").iterdir())


def test_many_processes_fetch_a_file_once(hub, tmp_path):
    command = servers.fetch_command("model", "hf:org/m0", hub=hub.url, cache=tmp_path)
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                             env=servers.ENVIRONMENT) for _ in range(6)]
    for run in runs:
        told = json.loads(run.communicate(timeout=60)[0])
        assert told["code"] == "OK" and told["files"] == digests({**MODEL, "model.safetensors": WEIGHTS + b"\0"})
    assert sum(path.startswith("/store") for path in hub.paths()) == 1
    assert not list((tmp_path / "tasks").iterdir()) and not list((tmp_path / "parts").iterdir())


def test_bound_is_kept_and_what_is_in_use_stays(hub, tmp_path):
    settings = {"hub": hub.url, "cache": tmp_path, "max_bytes": 2 * len(WEIGHTS) + 1000}
    holder = subprocess.Popen(servers.fetch_command("model", "hf:org/m0", hold=1, **settings),
                              stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=servers.ENVIRONMENT)
    assert json.loads(holder.stdout.readline())["code"] == "OK"
    for number in (1, 2):
        assert servers.fetch("model", f"hf:org/m{number}", **settings)["code"] == "OK"
        assert size_of(tmp_path) <= settings["max_bytes"]
    hub.requests.clear()
    assert servers.fetch("model", "hf:org/m0", **settings)["code"] == "OK"
    assert not any(path.startswith("/store") for path in hub.paths()), "m0 was in use and stayed"
    holder.communicate()
    for number in (1, 2):
        assert servers.fetch("model", f"hf:org/m{number}", **settings)["code"] == "OK"
    hub.requests.clear()
    assert servers.fetch("model", "hf:org/m0", **settings)["code"] == "OK"
    assert any(path.startswith("/store") for path in hub.paths()), "m0 was used longest ago and went"


def test_killed_holder_lets_go(hub, tmp_path):
    settings = {"hub": hub.url, "cache": tmp_path, "max_bytes": len(WEIGHTS) + 1000}
    holder = subprocess.Popen(servers.fetch_command("model", "hf:org/m0", hold=1, **settings),
                              stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=servers.ENVIRONMENT)
    holder.stdout.readline()
    told = servers.fetch("model", "hf:org/m1", **settings)
    assert told["code"] == "RESOURCE_EXHAUSTED" and "--cache_max_bytes" in told["message"]
    holder.kill()
    holder.communicate()
    assert servers.fetch("model", "hf:org/m1", **settings)["code"] == "OK"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={len(WEIGHTS) // 2}", "tmpfs", folder],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_full_disk(hub, small_disk):
    told = servers.fetch("model", "hf:org/m0", hub=hub.url, cache=small_disk)
    assert told["code"] == "RESOURCE_EXHAUSTED" and "free some space" in told["message"]
    assert told["waits"] == []
    subprocess.run(["mount", "-o", f"remount,size={8 * len(WEIGHTS)}", small_disk], check=True)
    told = servers.fetch("model", "hf:org/m0", hub=hub.url, cache=small_disk)
    assert told["code"] == "OK" and any("going on from" in line for line in told["log"])


def test_folder_that_cannot_be_made(hub, tmp_path):
    (tmp_path / "file").write_text("")
    told = servers.fetch("model", "hf:org/m0", hub=hub.url, cache=tmp_path / "file" / "cache")
    assert told["code"] != "OK" and str(tmp_path / "file" / "cache") in told["message"]


def test_no_folder(hub):
    told = servers.fetch("model", "hf:org/m0", hub=hub.url, cache="")
    assert told["code"] == "FAILED_PRECONDITION" and "--cache_dir" in told["message"]
