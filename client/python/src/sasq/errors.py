"""What goes wrong, as exceptions. Everything that this package raises of its own is a SasqError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

if TYPE_CHECKING:
    from sasq.job import Job

DOMAIN = "sasq"


class SasqError(Exception):
    """The base of all."""


class ApiError(SasqError):
    """A call that failed."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN, reason: str = "",
                 fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        # The service's own word for the cause, such as JOB_NOT_FOUND (docs/api.md); empty if the
        # service did not speak.
        self.reason = reason
        # What is wrong, by the path of the field: {"spec.evaluation.window_tokens": "is 4, want ..."}.
        self.fields = dict(fields or {})


class InvalidRequest(ApiError):
    """The service refuses what it was asked, whatever its state."""


class InvalidSpec(InvalidRequest):
    """A spec is wrong: `fields` says where and what is wanted."""


class NotFound(ApiError):
    """There is no such job, artifact or blob."""


class Denied(ApiError):
    """The caller may not do this."""


class Conflict(ApiError):
    """What was asked contradicts what is there: a request_id with another spec, a job in another state."""


class Unavailable(ApiError):
    """The service cannot be reached, or is too busy. Trying again later may help."""


class CallTimeout(Unavailable):
    """The service did not answer in time."""


class DataLoss(ApiError):
    """Bytes that do not match their digest, or names that are no file names. Nothing of them was kept."""


class WaitTimeout(SasqError, TimeoutError):
    """The wait is over and the job is not. The job lives on."""


class JobCancelled(SasqError):
    """The job that was waited for was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job.name} was cancelled")
        self.job = job


class JobFailed(SasqError):
    """The job that was waited for failed."""

    def __init__(self, message: str, reason: str, job: Job) -> None:
        super().__init__(f"{job.name} failed ({reason}): {message}")
        self.reason = reason  # JobFailureReason without its prefix, such as DIVERGED
        self.message = message  # for people: names the thing and the remedy
        self.job = job


class QualityGateFailed(JobFailed):
    """The job ran to its end, and its result is not as good as the spec demands."""


class InvalidPack(SasqError, ValueError):
    """A scale pack that is damaged, or of another format."""


class CannotApply(SasqError):
    """A pack that does not fit a model, or asks for what a model in transformers cannot do."""


_FAILURES: dict[str, type[JobFailed]] = {"QUALITY_GATE": QualityGateFailed}

_CODES: dict[grpc.StatusCode, type[ApiError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: Denied,
    grpc.StatusCode.UNAUTHENTICATED: Denied,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
    grpc.StatusCode.UNIMPLEMENTED: Unavailable,  # something else listens at the endpoint
    grpc.StatusCode.DEADLINE_EXCEEDED: CallTimeout,
    grpc.StatusCode.DATA_LOSS: DataLoss,
}


def job_failed(message: str, reason: str, job: Job) -> JobFailed:
    """The exception of a failed job, by the reason without its prefix."""
    return _FAILURES.get(reason, JobFailed)(message, reason, job)


def invalid_spec(fields: Mapping[str, str]) -> InvalidSpec:
    """The exception of a spec that was found wrong before it was sent."""
    listed = "; ".join(f"{field} {problem}" for field, problem in fields.items())
    return InvalidSpec(listed, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SPEC", fields)


def from_call(error: grpc.RpcError, endpoint: str) -> ApiError:
    """The exception of a failed call, worded for the person who made it."""
    code: grpc.StatusCode = error.code()
    message: str = error.details() or code.name
    reason, fields = _details(error)
    if reason:  # the service itself has spoken
        kind = InvalidSpec if reason == "INVALID_SPEC" else _CODES.get(code, ApiError)
        return kind(message, code, reason, fields)
    if code is grpc.StatusCode.UNAVAILABLE:
        cause = message.rsplit(": ", 1)[-1]  # before it stand gRPC's layers and addresses
        message = f"cannot reach sasqd at {endpoint} ({cause}); start it, or name another endpoint"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"sasqd at {endpoint} did not answer in time; try again, or allow more with call_timeout"
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        message = f"{endpoint} does not know this call; is it a sasqd of this version?"
    return _CODES.get(code, ApiError)(message, code)


def _details(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """The reason and the field violations that the service sent, if it did."""
    reason, fields = "", {}
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # details that contradict the status: somebody else's
        return "", {}
    for detail in status.details if status else ():
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            reason = info.reason
        elif detail.Unpack(bad_request):
            fields = {violation.field: violation.description for violation in bad_request.field_violations}
    return reason, fields
