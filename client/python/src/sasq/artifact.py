"""The result of a job, and its files on the local disk: resumed, verified, put in place whole or not at all
(as client/download.h does)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import pathlib
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, BinaryIO

import grpc

from sasq import errors, text
from sasq.connection import Connection
from sasq.scale_pack import PACK_FILE_NAME, ScalePack, parse_pack
from sasq.v1 import artifact_service_pb2 as artifacts_pb

MAX_FILE_NAME_BYTES = 200  # leaves room for `.part` in a file system's 255
_PART_SUFFIX = ".part"
_BLOCK_BYTES = 1 << 20


class Artifact:
    """The immutable result of a job. One thread."""

    def __init__(self, connection: Connection, message: artifacts_pb.Artifact) -> None:
        self._connection = connection
        self._message = message

    def __repr__(self) -> str:
        return f"<sasq.Artifact {self.name}>"

    @property
    def message(self) -> artifacts_pb.Artifact:
        """Everything that the service says of it (proto/sasq/v1/artifact_service.proto)."""
        return self._message

    @property
    def name(self) -> str:
        """`artifacts/{id}`, with the id of the job."""
        return self._message.name

    @property
    def files(self) -> Mapping[str, artifacts_pb.Blob]:
        """Its files by name, with size and SHA-256."""
        return {blob.file_name: blob for blob in self._message.blobs}

    def read(self, file_name: str) -> bytes:
        """The bytes of a file, whose digest was checked. NotFound if the artifact has no such file."""
        memory = io.BytesIO()
        self._fetch(self._blob(file_name), _Part(memory))
        return memory.getvalue()

    def scales(self) -> ScalePack:
        """The scale pack. NotFound if the artifact has none, as that of a comparison."""
        return parse_pack(self.read(PACK_FILE_NAME))

    def download(self, folder: str | os.PathLike[str], files: Iterable[str] | None = None, *,
                 overwrite: bool = False,
                 on_progress: Callable[[str, int, int], object] | None = None) -> dict[str, pathlib.Path]:
        """Downloads files (all of them by default) into `folder`, which is made, and returns their paths.

        Each is written to FILE.part, resumed there (also by a later call), checked and renamed. A file with
        the same bytes is kept; one with others is replaced only with `overwrite`, otherwise FileExistsError.
        Nothing is written unless every file can be. `on_progress(file_name, bytes_there, size_bytes)`.
        DataLoss if a name is not a plain file name or bytes do not match their digest.
        """
        folder = pathlib.Path(folder)
        blobs = list(self.files.values()) if files is None else [self._blob(name) for name in files]
        for blob in blobs:
            _check_blob(blob)
        paths = {blob.file_name: folder / blob.file_name for blob in blobs}
        wanted = [blob for blob in blobs if not _is_there(paths[blob.file_name], blob, overwrite)]
        folder.mkdir(parents=True, exist_ok=True)
        for blob in wanted:
            self._download(blob, paths[blob.file_name], on_progress or (lambda *_: None))
        return paths

    def _blob(self, file_name: str) -> artifacts_pb.Blob:
        blob = self.files.get(file_name)
        if blob is None:
            raise errors.NotFound(f"{self.name} has no file {file_name}, only {', '.join(map(text.clean, self.files))}")
        return blob

    def _download(self, blob: artifacts_pb.Blob, path: pathlib.Path,
                  on_progress: Callable[[str, int, int], object]) -> None:
        part_path = path.with_name(path.name + _PART_SUFFIX)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(part_path, flags, 0o644), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.Conflict(f"{part_path} is being written by another download; wait for it to end",
                                      grpc.StatusCode.ABORTED) from None
            part = _Part(file, lambda size: on_progress(blob.file_name, size, blob.size_bytes))
            try:
                self._fetch(blob, part)
            except errors.DataLoss:
                part_path.unlink()
                raise
            file.flush()
            os.fsync(file.fileno())
            os.replace(part_path, path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _fetch(self, blob: artifacts_pb.Blob, part: _Part) -> None:
        """Completes the part and checks its digest."""
        if part.size > blob.size_bytes:
            part.restart()
        was_resumed = part.size > 0
        while True:
            self._append_rest(blob, part)
            if part.digest() == blob.sha256:
                return
            if not was_resumed:
                raise errors.DataLoss(f"the bytes of {text.clean(blob.file_name)} do not match their SHA-256 "
                                      f"{blob.sha256}; nothing was kept. Try again, and tell the service's operator "
                                      "if it stays", grpc.StatusCode.DATA_LOSS)
            was_resumed = False  # the earlier part may have been of another blob: once more, from nothing
            part.restart()

    def _append_rest(self, blob: artifacts_pb.Blob, part: _Part) -> None:
        reconnector = self._connection.reconnector()
        while part.size < blob.size_bytes:
            request = artifacts_pb.DownloadBlobRequest(sha256=blob.sha256, offset=part.size)
            try:
                with contextlib.closing(self._connection.download_blob(request)) as stream:
                    for response in stream:
                        reconnector.on_message()
                        left = blob.size_bytes - part.size
                        if response.offset != part.size or len(response.data) > left:
                            raise errors.DataLoss(
                                f"the service sent {len(response.data)} bytes of {text.clean(blob.file_name)} from "
                                f"{response.offset}, want at most {left} from {part.size}", grpc.StatusCode.DATA_LOSS)
                        part.append(response.data)
                error: errors.ApiError = errors.Unavailable("the stream ended before the file did",
                                                            grpc.StatusCode.UNAVAILABLE)
            except errors.DataLoss:
                raise
            except errors.ApiError as broken:
                error = broken
            if part.size < blob.size_bytes:
                reconnector.on_break(error)


class _Part:
    """What is there of one file, digested as it grows."""

    def __init__(self, file: BinaryIO | IO[Any], on_size: Callable[[int], object] = lambda _: None) -> None:
        self._file = file
        self._on_size = on_size
        self._sha256 = hashlib.sha256()
        self.size = 0
        while block := file.read(_BLOCK_BYTES):
            self._count(block)

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self._count(data)

    def restart(self) -> None:
        """Throws away what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._sha256 = hashlib.sha256()
        self.size = 0

    def digest(self) -> str:
        return self._sha256.hexdigest()

    def _count(self, data: bytes) -> None:
        self._sha256.update(data)
        self.size += len(data)
        self._on_size(self.size)


def _check_blob(blob: artifacts_pb.Blob) -> None:
    """Refuses, before anything is written, what is not a plain file name with a digest and a size."""
    name = blob.file_name
    is_plain = (0 < len(name.encode()) <= MAX_FILE_NAME_BYTES and name[0] != "." and "/" not in name
                and "\\" not in name and text.clean(name) == name and not name.endswith(_PART_SUFFIX))
    if not is_plain:
        raise errors.DataLoss(f'the service names a file "{text.clean(name)}", want a plain file name; '
                              "nothing was written", grpc.StatusCode.DATA_LOSS)
    if re.fullmatch("[0-9a-f]{64}", blob.sha256) is None or blob.size_bytes < 0:
        raise errors.DataLoss(f'the service describes {name} by the digest "{text.clean(blob.sha256)}" and '
                              f"{blob.size_bytes} bytes, want a SHA-256 and a size", grpc.StatusCode.DATA_LOSS)


def _is_there(path: pathlib.Path, blob: artifacts_pb.Blob, overwrite: bool) -> bool:
    """Whether the file has the blob's bytes. FileExistsError if something else is in the way."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError(errno.EEXIST, "is not a regular file; move it, or choose another folder", str(path))
    if status.st_size == blob.size_bytes:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == blob.sha256:
                return True
    if not overwrite:
        raise FileExistsError(errno.EEXIST, "holds other bytes; overwrite=True replaces it", str(path))
    return False
