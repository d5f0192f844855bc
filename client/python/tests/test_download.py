"""Files of artifacts on the local disk: resumed, verified, put in place whole or not at all."""

import fcntl
import os

import pytest

import sasq
from fake_connection import BREAK, CHUNK_BYTES, FakeConnection, blob_of
from sasq.v1 import artifact_service_pb2 as artifacts_pb

CONTENT = bytes(range(256)) * 40


def artifact_of(connection, *blobs):
    return sasq.Artifact(connection, artifacts_pb.Artifact(name="artifacts/1", blobs=blobs))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_files_that_are_there_are_kept(finished, tmp_path):
    first = finished.artifact.download(tmp_path, files=["report.json"])
    before = first["report.json"].stat()
    every = finished.artifact.download(tmp_path)
    assert every["report.json"].stat().st_mtime_ns == before.st_mtime_ns
    assert names_in(tmp_path) == sorted(every)


def test_files_with_other_bytes_are_kept_unless_told_otherwise(finished, tmp_path):
    (tmp_path / "report.md").write_text("mine")
    with pytest.raises(FileExistsError, match="report.md"):
        finished.artifact.download(tmp_path)
    assert names_in(tmp_path) == ["report.md"], "nothing is written unless every file can be"
    path = finished.artifact.download(tmp_path, files=["report.md"], overwrite=True)["report.md"]
    assert path.read_bytes() == finished.artifact.read("report.md")


def test_no_such_file(finished, tmp_path):
    with pytest.raises(sasq.NotFound, match="has no file weights.bin, only .*scales.safetensors"):
        finished.artifact.download(tmp_path, files=["weights.bin"])


def test_damaged_blob(service, client, make_spec, tmp_path):
    job = client.submit(make_spec()).wait(timeout=300)
    digest = job.artifact.files["report.json"].sha256
    (stored,) = (path for path in service.data_dir.rglob("*") if path.is_file() and digest in path.name)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(content)
    with pytest.raises(sasq.DataLoss) as error:
        job.artifact.download(tmp_path / "out", files=["report.json"])
    assert error.value.reason == "BLOB_DAMAGED"
    assert names_in(tmp_path / "out") == []


def test_broken_stream_goes_on_from_its_byte(tmp_path):
    connection = FakeConnection(CONTENT, break_after=3)
    sizes = []
    path = artifact_of(connection, blob_of(CONTENT)).download(
        tmp_path, on_progress=lambda name, there, size: sizes.append((name, there, size)))["file.bin"]
    assert path.read_bytes() == CONTENT
    assert connection.offsets == [0, 3 * CHUNK_BYTES]
    assert sizes[-1] == ("file.bin", len(CONTENT), len(CONTENT))


def test_part_of_an_earlier_run_is_resumed(tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:4321])
    connection = FakeConnection(CONTENT)
    artifact_of(connection, blob_of(CONTENT)).download(tmp_path)
    assert connection.offsets == [4321]
    assert names_in(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("part", [b"x" * 4321, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_part_of_another_blob_is_thrown_away(tmp_path, part):
    (tmp_path / "file.bin.part").write_bytes(part)
    connection = FakeConnection(CONTENT)
    path = artifact_of(connection, blob_of(CONTENT)).download(tmp_path)["file.bin"]
    assert path.read_bytes() == CONTENT and connection.offsets[-1] == 0


def test_wrong_bytes_are_not_kept(tmp_path):
    artifact = artifact_of(FakeConnection(b"x" * len(CONTENT)), blob_of(CONTENT))
    for fetch in (lambda: artifact.download(tmp_path), lambda: artifact.read("file.bin")):
        with pytest.raises(sasq.DataLoss, match="do not match their SHA-256"):
            fetch()
    assert names_in(tmp_path) == []


def test_more_bytes_than_announced(tmp_path):
    with pytest.raises(sasq.DataLoss, match="want at most 10 from 0"):
        artifact_of(FakeConnection(CONTENT), blob_of(CONTENT[:10])).download(tmp_path)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", ".hidden", "a\nb", "a\0b",
                                  "a\x1b[2Jb", "\u202egpj.exe", "file.bin.part", "n" * 201])
def test_hostile_file_names(tmp_path, name):
    artifact = artifact_of(FakeConnection(CONTENT), blob_of(CONTENT), blob_of(CONTENT, file_name=name))
    with pytest.raises(sasq.DataLoss, match="want a plain file name"):
        artifact.download(tmp_path / "out")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("changes", [{"sha256": "../../etc"}, {"sha256": "A" * 64}, {"size_bytes": -1}])
def test_hostile_descriptions(tmp_path, changes):
    with pytest.raises(sasq.DataLoss, match="want a SHA-256 and a size"):
        artifact_of(FakeConnection(CONTENT), blob_of(CONTENT, **changes)).download(tmp_path / "out")
    assert names_in(tmp_path) == []


def test_links_are_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    artifact = artifact_of(FakeConnection(CONTENT), blob_of(CONTENT))
    os.symlink(victim, out / "file.bin.part")
    with pytest.raises(OSError):
        artifact.download(out)
    (out / "file.bin.part").unlink()
    os.symlink(victim, out / "file.bin")
    with pytest.raises(FileExistsError, match="not a regular file"):
        artifact.download(out, overwrite=True)
    assert victim.read_text() == "mine"


def test_two_downloads_of_one_file(tmp_path):
    with (tmp_path / "file.bin.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(sasq.Conflict, match="another download"):
            artifact_of(FakeConnection(CONTENT), blob_of(CONTENT)).download(tmp_path)


def test_a_connection_that_stays_lost(tmp_path):
    class Lost(FakeConnection):
        def reconnector(self, timeout=None):
            return sasq.reconnect.Reconnector(give_up_after=0)

        def download_blob(self, request):
            yield from ()
            raise BREAK

    with pytest.raises(sasq.Unavailable, match="gave up"):
        artifact_of(Lost(CONTENT), blob_of(CONTENT)).download(tmp_path)
    assert names_in(tmp_path) == ["file.bin.part"], "a later call goes on from it"
