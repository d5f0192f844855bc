"""The service's API as functions that raise SasqErrors. The one place that knows gRPC's stubs."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any

import grpc

from sasq import errors
from sasq.reconnect import Reconnector
from sasq.settings import Settings, read_file
from sasq.v1 import artifact_service_pb2 as artifacts_pb
from sasq.v1 import artifact_service_pb2_grpc, quantization_service_pb2_grpc
from sasq.v1 import job_pb2, quantization_service_pb2 as jobs_pb

MAX_MESSAGE_BYTES = 16 << 20
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A stream whose peer vanished without a word (power loss, a cut cable) is noticed after both.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),  # a web proxy is never meant for the service
]


def _make_channel(settings: Settings) -> grpc.Channel:
    if not settings.uses_tls:
        return grpc.insecure_channel(settings.endpoint, options=_CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(read_file(settings.tls_ca), read_file(settings.tls_key),
                                               read_file(settings.tls_cert))
    return grpc.secure_channel(settings.endpoint, credentials, options=_CHANNEL_OPTIONS)


class Connection:
    """One connection, made at the first call. Thread-safe."""

    def __init__(self, settings: Settings, call_timeout: float, reconnect_timeout: float) -> None:
        self.endpoint = settings.endpoint
        self._call_timeout = call_timeout
        self._reconnect_timeout = reconnect_timeout
        # Not call credentials of gRPC: those want TLS on this machine too.
        self._metadata = (("authorization", f"Bearer {settings.token}"),) if settings.token else ()
        self._channel = _make_channel(settings)
        self._jobs: Any = quantization_service_pb2_grpc.QuantizationServiceStub(self._channel)
        self._artifacts: Any = artifact_service_pb2_grpc.ArtifactServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def reconnector(self, timeout: float | None = None) -> Reconnector:
        """For one stream; `timeout` in seconds limits the whole wait."""
        return Reconnector(self._reconnect_timeout, timeout)

    def submit_job(self, request: jobs_pb.SubmitJobRequest) -> jobs_pb.SubmitJobResponse:
        # The job becomes a part of the trace of $TRACEPARENT (W3C Trace Context), if that is one.
        trace = os.environ.get("TRACEPARENT", "")
        metadata = (("traceparent", trace),) if re.fullmatch("[0-9a-f-]{55,}", trace) else ()
        response: jobs_pb.SubmitJobResponse = self._ask(self._jobs.SubmitJob, request, metadata)
        return response

    def get_job(self, name: str) -> job_pb2.Job:
        response: jobs_pb.GetJobResponse = self._ask(self._jobs.GetJob, jobs_pb.GetJobRequest(name=name))
        return response.job

    def list_jobs(self, request: jobs_pb.ListJobsRequest) -> jobs_pb.ListJobsResponse:
        response: jobs_pb.ListJobsResponse = self._ask(self._jobs.ListJobs, request)
        return response

    def cancel_job(self, name: str) -> job_pb2.Job:
        response: jobs_pb.CancelJobResponse = self._ask(self._jobs.CancelJob, jobs_pb.CancelJobRequest(name=name))
        return response.job

    def delete_job(self, name: str) -> None:
        self._ask(self._jobs.DeleteJob, jobs_pb.DeleteJobRequest(name=name))

    def list_workers(self) -> jobs_pb.ListWorkersResponse:
        response: jobs_pb.ListWorkersResponse = self._ask(self._jobs.ListWorkers, jobs_pb.ListWorkersRequest())
        return response

    def get_artifact(self, name: str) -> artifacts_pb.Artifact:
        response: artifacts_pb.GetArtifactResponse = self._ask(
            self._artifacts.GetArtifact, artifacts_pb.GetArtifactRequest(name=name))
        return response.artifact

    # Streams end where the service ends them, and are cancelled when the caller stops reading.

    def watch_job(self, request: jobs_pb.WatchJobRequest,
                  timeout: float | None) -> Generator[jobs_pb.WatchJobResponse, None, None]:
        return self._stream(self._jobs.WatchJob, request, timeout)

    def read_job_log(self, request: jobs_pb.ReadJobLogRequest) -> Generator[jobs_pb.ReadJobLogResponse, None, None]:
        return self._stream(self._jobs.ReadJobLog, request, None)

    def download_blob(self, request: artifacts_pb.DownloadBlobRequest,
                      ) -> Generator[artifacts_pb.DownloadBlobResponse, None, None]:
        return self._stream(self._artifacts.DownloadBlob, request, None)

    def _ask(self, method: Any, request: object, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        try:
            return method(request, timeout=self._call_timeout, metadata=(*self._metadata, *metadata))
        except grpc.RpcError as error:
            raise errors.from_call(error, self.endpoint) from None

    def _stream(self, method: Any, request: object, timeout: float | None) -> Generator[Any, None, None]:
        call = method(request, timeout=timeout, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise errors.from_call(error, self.endpoint) from None
        finally:
            call.cancel()
