"""The coordinator's disk: damaged and full."""

import os
import subprocess

import pytest

from api import ARTIFACTS, ApiError

FULL_DISK_BYTES = 4 << 20


def test_damaged_blob_is_never_sent(service, client, make_spec, tmp_path):
    job = client.watch(client.submit(make_spec()))
    artifact = client.call(ARTIFACTS, "GetArtifact", {"name": job["name"]})["artifact"]
    digest = next(blob["sha256"] for blob in artifact["blobs"] if blob["file_name"] == "report.json")
    stored = [path for path in service.data_dir.rglob("*") if path.is_file() and digest in path.name]
    assert len(stored) == 1, stored
    content = bytearray(stored[0].read_bytes())
    content[len(content) // 2] ^= 1
    stored[0].chmod(0o644)
    stored[0].write_bytes(content)

    with pytest.raises(ApiError, match="DATA_LOSS") as error:
        client.blob(digest)
    assert error.value.reason == "BLOB_DAMAGED"
    downloaded = service.cli("download", job["name"], "--dir", tmp_path / "out")
    assert downloaded.returncode == 1, downloaded
    assert digest[:12] in downloaded.stderr
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of FULL_DISK_BYTES."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK_BYTES}", "tmpfs", folder],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Takes all space and returns the file that holds it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (1 << 16, 1 << 9):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                pass
    return ballast


def test_full_disk_of_the_coordinator(bare_service, small_disk, make_spec):
    bare_service.data_dir = small_disk / "data"
    bare_service.start_coordinator()
    client = bare_service.client()
    first = client.submit(make_spec())
    ballast = fill(small_disk)
    accepted = [first]
    with pytest.raises(ApiError) as error:
        for seed in range(1000):  # the database may have room inside its files
            accepted.append(client.submit(make_spec(seed=seed)))
    assert (error.value.code.name, error.value.reason) == ("RESOURCE_EXHAUSTED", "STORAGE_FULL")
    assert bare_service.coordinator.is_running()

    os.unlink(ballast)
    for name in accepted[1:]:
        client.cancel(name)
    bare_service.start_worker()
    assert client.watch(first)["state"] == "JOB_STATE_SUCCEEDED", "what was accepted is there"
    client.close()


def test_disk_that_is_full_when_the_artifact_comes(bare_service, small_disk, make_spec):
    """The worker keeps the result and tries again until there is room."""
    bare_service.data_dir = small_disk / "data"
    bare_service.start_coordinator()
    client = bare_service.client()
    bare_service.start_worker()
    name = client.submit(make_spec(steps=300))
    client.watch(name, until=lambda job: (job.get("progress") or {}).get("stage") == "STAGE_TRAIN")
    ballast = fill(small_disk)
    worker = bare_service.programs[-1]
    with pytest.raises(subprocess.TimeoutExpired):
        worker.process.wait(3)
    os.unlink(ballast)
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    client.close()
