"""A job of the service."""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import grpc

from sasq import errors, table
from sasq.artifact import Artifact
from sasq.connection import Connection
from sasq.progress import ProgressView
from sasq.v1 import job_pb2, job_spec_pb2
from sasq.v1 import quantization_service_pb2 as jobs_pb

_ENDED = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)


class Job:
    """A job as it was when the service was last asked. One thread."""

    def __init__(self, connection: Connection, message: job_pb2.Job) -> None:
        self._connection = connection
        self._message = message

    def __repr__(self) -> str:
        return f"<sasq.Job {self.name} {self.state}>"

    @property
    def message(self) -> job_pb2.Job:
        """Everything that the service says of it (proto/sasq/v1/job.proto)."""
        return self._message

    @property
    def name(self) -> str:
        """`jobs/{id}`."""
        return self._message.name

    @property
    def id(self) -> str:
        return self.name.removeprefix("jobs/")

    @property
    def state(self) -> str:
        """`QUEUED`, `RUNNING`, `CANCELLING`, `SUCCEEDED`, `FAILED` or `CANCELLED`."""
        return job_pb2.JobState.Name(self._message.state).removeprefix("JOB_STATE_")

    @property
    def is_ended(self) -> bool:
        """Whether it will not change any more."""
        return self._message.state in _ENDED

    @property
    def spec(self) -> job_spec_pb2.JobSpec:
        """What was asked for, with every default written out."""
        return self._message.spec

    @property
    def progress(self) -> job_pb2.Progress:
        """How far the running attempt is."""
        return self._message.progress

    @property
    def rows(self) -> Sequence[job_pb2.ReportRow]:
        """The rows of the comparison measured so far."""
        return self._message.rows

    @property
    def result(self) -> job_pb2.ReportRow | None:
        """The row of the job's own recipe, once it is measured; None in a comparison."""
        if not self.spec.HasField("recipe"):
            return None
        return next((row for row in self.rows if row.name == self.spec.recipe.name), None)

    def ratio_to_float(self, row: job_pb2.ReportRow) -> float | None:
        """Perplexity divided by that of the float row scored on the same tokens, if there is one."""
        return table.ratio_to_float(self.rows, row)

    def table(self, form: str = "text") -> str:
        """The comparison as a table, `text` or `markdown`."""
        return table.render(self._message, form)

    def refresh(self) -> Job:
        """Asks the service anew; returns this job."""
        self._message = self._connection.get_job(self.name)
        return self

    def watch(self, timeout: float | None = None) -> Iterator[Job]:
        """Yields the job, as it is and whenever it changed, until it ended.

        Each yielded job is a picture of its own; this one follows. A lost connection is opened again and
        nothing is yielded twice. `timeout`: seconds after which WaitTimeout is raised.
        """
        reconnector = self._connection.reconnector(timeout)
        sequence = 0
        while True:
            request = jobs_pb.WatchJobRequest(name=self.name, after_sequence=sequence)
            try:
                with contextlib.closing(self._connection.watch_job(request, reconnector.remaining())) as stream:
                    for response in stream:
                        reconnector.on_message()
                        if response.job.sequence > sequence:
                            sequence = response.job.sequence
                            self._message = response.job
                            yield Job(self._connection, response.job)
                error: errors.ApiError = errors.Unavailable("the stream ended before the job did",
                                                            grpc.StatusCode.UNAVAILABLE)
            except errors.ApiError as broken:
                error = broken
            if sequence and self.is_ended:
                return
            reconnector.on_break(error)

    def wait(self, timeout: float | None = None, progress: bool = False) -> Job:
        """Waits until the job ended and returns it.

        `timeout`: seconds, then WaitTimeout; the job lives on. `progress`: shows on standard error how far
        it is. Raises JobFailed (QualityGateFailed) or JobCancelled if it did not succeed.
        """
        view = ProgressView() if progress else None
        try:
            for job in self.watch(timeout):
                if view:
                    view.show(job.message)
        finally:
            if view:
                view.close()
        if self._message.state == job_pb2.JOB_STATE_CANCELLED:
            raise errors.JobCancelled(self)
        if self._message.state == job_pb2.JOB_STATE_FAILED:
            error = self._message.error
            raise errors.job_failed(error.message, _reason_name(error.reason), self)
        return self

    def cancel(self) -> Job:
        """Asks for the job's end; `wait` tells when it came. Conflict if the job succeeded or failed."""
        self._message = self._connection.cancel_job(self.name)
        return self

    def delete(self) -> None:
        """Deletes an ended job with its log and artifact."""
        self._connection.delete_job(self.name)

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields the lines of the log, without line ends; with `follow`, until the job ended.

        A lost connection is opened again at the byte where it broke.
        """
        reconnector = self._connection.reconnector()
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        offset, rest, is_whole = 0, "", False
        while not is_whole:
            request = jobs_pb.ReadJobLogRequest(name=self.name, offset=offset, follow=follow)
            try:
                with contextlib.closing(self._connection.read_job_log(request)) as stream:
                    for response in stream:
                        reconnector.on_message()
                        if response.offset != offset:
                            raise errors.DataLoss(f"the log of {self.name} came from byte {response.offset}, "
                                                  f"want {offset}; try again", grpc.StatusCode.DATA_LOSS)
                        offset += len(response.data)
                        *lines, rest = (rest + decoder.decode(response.data)).split("\n")
                        yield from lines
                is_whole = True
            except errors.ApiError as error:
                reconnector.on_break(error)
        rest += decoder.decode(b"", final=True)
        if rest:
            yield rest

    @property
    def artifact(self) -> Artifact:
        """The job's result. Conflict (JOB_NOT_SUCCEEDED) if there is none, or none yet."""
        return Artifact(self._connection, self._connection.get_artifact(self.name))

    def report(self) -> dict[str, Any]:
        """`report.json` of the artifact: every number that was measured."""
        report: dict[str, Any] = json.loads(self.artifact.read("report.json"))
        return report


def _reason_name(reason: int) -> str:
    """The name of a JobFailureReason without its prefix; the number of one that this version does not know."""
    if reason in job_pb2.JobFailureReason.values():
        return job_pb2.JobFailureReason.Name(reason).removeprefix("JOB_FAILURE_REASON_")
    return str(reason)
