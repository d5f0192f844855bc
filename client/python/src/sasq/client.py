"""The way in: one service, its jobs and workers."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import yaml

from sasq import errors
from sasq.connection import Connection
from sasq.job import Job
from sasq.spec import SpecLike, enum_number, make_spec
from sasq.v1 import job_pb2
from sasq.v1 import quantization_service_pb2 as jobs_pb

DEFAULT_ENDPOINT = "127.0.0.1:7433"
DEFAULT_PORT = 7433
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


class Client:
    """One service. Thread-safe; close it, or use it as a context manager."""

    def __init__(self, endpoint: str | None = None, *, call_timeout: float = 30,
                 reconnect_timeout: float = 300) -> None:
        """`endpoint`: `HOST:PORT`, otherwise that of $SASQ_ENDPOINT or of the command line's config file,
        otherwise 127.0.0.1:7433. `call_timeout`: seconds of a call that is not a stream.
        `reconnect_timeout`: seconds for which a stream tries to get a lost connection back.
        """
        self._connection = Connection(_find_endpoint(endpoint), call_timeout, reconnect_timeout)

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


def _find_endpoint(given: str | None) -> str:
    endpoint = given or os.environ.get("SASQ_ENDPOINT") or _configured_endpoint() or DEFAULT_ENDPOINT
    return endpoint if ":" in endpoint else f"{endpoint}:{DEFAULT_PORT}"


def _configured_endpoint() -> str:
    """`endpoint` of the command line's config file, if there is one."""
    named = os.environ.get("SASQ_CONFIG")
    path = pathlib.Path(named) if named else pathlib.Path.home() / ".config" / "sasq" / "config.yaml"
    if not named and not path.exists():
        return ""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise errors.SasqError(f"the config file cannot be used: {path}: {error}") from None
    if config is None:
        return ""
    if not isinstance(config, dict) or set(config) != {"endpoint"} or not isinstance(config["endpoint"], str):
        raise errors.SasqError(f"{path} holds something else than a line `endpoint: HOST:PORT`")
    return config["endpoint"]
