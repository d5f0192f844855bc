"""The connection of an artifact whose service sends what a test wants."""

import hashlib

import grpc

from sasq import errors
from sasq.reconnect import Reconnector
from sasq.v1 import artifact_service_pb2 as artifacts_pb

CHUNK_BYTES = 1000
BREAK = errors.Unavailable("broken", grpc.StatusCode.UNAVAILABLE)


def blob_of(content, file_name="file.bin", **changes):
    fields = {"file_name": file_name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    return artifacts_pb.Blob(**{**fields, **changes})


class FakeConnection:
    """Streams `content` in chunks, from the offset that is asked for."""

    def __init__(self, content, break_after=None):
        self.content = content
        self.break_after = break_after  # chunks; the first stream breaks there
        self.offsets = []  # of the calls

    def reconnector(self, timeout=None):
        return Reconnector(give_up_after=60, timeout=timeout)

    def download_blob(self, request):
        self.offsets.append(request.offset)
        for number, begin in enumerate(range(request.offset, len(self.content), CHUNK_BYTES)):
            if number == self.break_after:
                self.break_after = None
                raise BREAK
            yield artifacts_pb.DownloadBlobResponse(offset=begin, data=self.content[begin:begin + CHUNK_BYTES])
