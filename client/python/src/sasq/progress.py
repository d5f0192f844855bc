"""How far a job is, on standard error: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from sasq import text
from sasq.v1 import job_pb2

PLAIN_PERIOD_SECONDS = 10.0
_BAR_WIDTH = 24


def describe(job: job_pb2.Job) -> str:
    """`running: train sasq, step 12 of 60, loss 2.913, 43%, 1m10s left`."""
    state = job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()
    if job.state == job_pb2.JOB_STATE_QUEUED:
        return f"{state}: {text.clean(job.waiting_reason)}" if job.waiting_reason else state
    if job.state != job_pb2.JOB_STATE_RUNNING or not job.HasField("progress"):
        return state
    progress = job.progress
    parts = [_activity(job)]
    if progress.step_count:
        parts.append(f"step {progress.step} of {progress.step_count}")
    if progress.HasField("loss"):
        parts.append(f"loss {progress.loss:.3f}")
    parts.append(f"{progress.fraction:.0%}")
    if progress.HasField("remaining"):
        parts.append(f"{text.duration(progress.remaining.ToTimedelta().total_seconds())} left")
    return f"{state}: {', '.join(parts)}"


def _activity(job: job_pb2.Job) -> str:
    stage = job_pb2.Stage.Name(job.progress.stage).removeprefix("STAGE_").lower()
    return f"{stage} {text.clean(job.progress.subject)}".rstrip()


class ProgressView:
    """Shows one job until it is closed."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_live = self._stream.isatty()
        self._activity = ""
        self._shown = 0.0

    def show(self, job: job_pb2.Job) -> None:
        line = describe(job)
        if self._is_live:
            done = round(job.progress.fraction * _BAR_WIDTH)
            line = f"[{'#' * done}{'.' * (_BAR_WIDTH - done)}] {line}"
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{line[:width]}")
            self._stream.flush()
            return
        # At each change of what is done, and now and then.
        activity = f"{job.state} {_activity(job)} {job.waiting_reason}"
        now = time.monotonic()
        if activity != self._activity or now - self._shown >= PLAIN_PERIOD_SECONDS:
            self._activity, self._shown = activity, now
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        if self._is_live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
