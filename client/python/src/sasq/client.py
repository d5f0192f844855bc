"""The way in: one service, its jobs and workers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from sasq import errors
from sasq.connection import Connection
from sasq.job import Job
from sasq.settings import Settings, resolve
from sasq.spec import SpecLike, enum_number, make_spec
from sasq.v1 import job_pb2
from sasq.v1 import quantization_service_pb2 as jobs_pb

MIN_PREFIX_DIGITS = 6
_PAGE_SIZE = 200

Path = str | os.PathLike[str]


class SpecFields(TypedDict, total=False):
    """Fields of sasq.v1.JobSpec (proto/sasq/v1/job_spec.proto), in the forms of sasq.spec."""

    display_name: str
    model: Path | Mapping[str, Any]
    training_text: Path | Mapping[str, Any]
    evaluation_text: Path | Mapping[str, Any]
    recipe: str | Mapping[str, Any]
    baselines: Sequence[str | Mapping[str, Any]]
    calibration: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    max_attempts: int
    device_kind: str
    seed: int
    kind: str
    gates: Mapping[str, Any]
    priority: int
    retry: Mapping[str, Any]
    attempt_timeout: str
    min_worker_memory_bytes: int
    no_cache: bool


class Client:
    """One service. Thread-safe; close it, or use it as a context manager."""

    def __init__(self, endpoint: str | None = None, *, token: str | None = None, tls: bool = False,
                 tls_ca: Path | None = None, tls_cert: Path | None = None, tls_key: Path | None = None,
                 call_timeout: float = 30, reconnect_timeout: float = 300) -> None:
        """`endpoint`: `HOST:PORT`, otherwise that of $SASQ_ENDPOINT or of the command line's config file,
        otherwise 127.0.0.1:7433. `token`: of the service's operator; it is sent with TLS or to this machine
        only. `tls`: connect with TLS; `tls_ca`: with the authorities in this PEM file; `tls_cert`, `tls_key`:
        PEM files of a certificate to show. What is not given is looked for as the endpoint is: $SASQ_TOKEN,
        $SASQ_TLS_CA ..., then the config file. `call_timeout`: seconds of a call that is not a stream.
        `reconnect_timeout`: seconds for which a stream tries to get a lost connection back.
        """
        settings = resolve(Settings(endpoint or "", tls, os.fspath(tls_ca or ""), os.fspath(tls_cert or ""),
                                    os.fspath(tls_key or ""), token or ""))
        self._connection = Connection(settings, call_timeout, reconnect_timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; jobs live on."""
        self._connection.close()

    @property
    def endpoint(self) -> str:
        return self._connection.endpoint

    def submit(self, spec: SpecLike | None = None, *, request_id: str = "", **fields: Unpack[SpecFields]) -> Job:
        """Submits a job, which is on the service's disk when this returns.

        `spec`: a mapping, a JobSpec or the path of a YAML or JSON file; `fields` win over its own.
        `request_id` makes the call safe to repeat: the same id and spec give the job of the first call.
        Raises InvalidSpec with every wrong field.
        """
        request = jobs_pb.SubmitJobRequest(spec=make_spec(spec, fields), request_id=request_id)
        return Job(self._connection, self._connection.submit_job(request).job)

    def plan(self, spec: SpecLike | None = None, **fields: Unpack[SpecFields]) -> jobs_pb.Plan:
        """Checks a spec and says what the job would do, without making one."""
        request = jobs_pb.SubmitJobRequest(spec=make_spec(spec, fields), validate_only=True)
        return self._connection.submit_job(request).plan

    def job(self, name: str) -> Job:
        """The job of a name: `jobs/ID`, `ID`, or its first digits, at least 6, if only one job begins so."""
        digits = name.removeprefix("jobs/").removeprefix("artifacts/")
        if re.fullmatch(f"[0-9a-f]{{{MIN_PREFIX_DIGITS},31}}", digits) is None:
            return Job(self._connection, self._connection.get_job(f"jobs/{digits}"))
        found = [job for job in self.jobs() if job.id.startswith(digits)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise errors.NotFound(f"no job begins with {digits}")
        raise errors.InvalidRequest(f"{len(found)} jobs begin with {digits}; give more digits")

    def jobs(self, *, states: Sequence[str] = ()) -> Iterator[Job]:
        """Yields jobs, newest first; with `states` (`queued`, `running`, ...) only those in one of them."""
        try:
            wanted = [enum_number(job_pb2.JobState.DESCRIPTOR, state) for state in states]
        except ValueError as error:
            raise errors.InvalidRequest(f"a state {error}") from None
        request = jobs_pb.ListJobsRequest(page_size=_PAGE_SIZE, states=wanted)  # type: ignore[arg-type]
        while True:
            page = self._connection.list_jobs(request)
            for message in page.jobs:
                yield Job(self._connection, message)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def workers(self) -> Sequence[jobs_pb.Worker]:
        """The workers that the service has heard of, by id."""
        return self._connection.list_workers().workers
