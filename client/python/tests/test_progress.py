"""What `wait(progress=True)` shows."""

import io
import sys

import pytest

from sasq import progress
from sasq.v1 import job_pb2

TRAINING = job_pb2.Job(state=job_pb2.JOB_STATE_RUNNING, progress=job_pb2.Progress(
    stage=job_pb2.STAGE_TRAIN, subject="sasq", step=12, step_count=60, loss=2.9134, fraction=0.43,
    remaining={"seconds": 70}))


@pytest.mark.parametrize("job, line", [
    (TRAINING, "running: train sasq, step 12 of 60, loss 2.913, 43%, 1m10s left"),
    (job_pb2.Job(state=job_pb2.JOB_STATE_QUEUED, waiting_reason="no worker\x1b[2J is connected"),
     "queued: no worker\N{REPLACEMENT CHARACTER}[2J is connected"),
    (job_pb2.Job(state=job_pb2.JOB_STATE_RUNNING), "running"),
    (job_pb2.Job(state=job_pb2.JOB_STATE_SUCCEEDED, progress=TRAINING.progress), "succeeded"),
])
def test_lines(job, line):
    assert progress.describe(job) == line


def show(monkeypatch, is_terminal, *jobs):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", stream)
    view = progress.ProgressView()
    for job in jobs:
        view.show(job)
    view.close()
    return stream.getvalue()


def test_elsewhere_a_line_comes_when_something_else_is_done(monkeypatch):
    later = job_pb2.Job()
    later.CopyFrom(TRAINING)
    later.progress.step = 13
    evaluating = job_pb2.Job()
    evaluating.CopyFrom(TRAINING)
    evaluating.progress.stage = job_pb2.STAGE_EVALUATE
    lines = show(monkeypatch, False, TRAINING, later, evaluating).splitlines()
    assert [line.split(",")[0] for line in lines] == ["running: train sasq", "running: evaluate sasq"]


def test_a_terminal_has_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = show(monkeypatch, True, TRAINING, TRAINING)
    assert "\n" not in shown and shown.endswith("\r\x1b[K"), "nothing is left behind"
    _, line, *_ = shown.split("\r\x1b[K")
    assert line == "[##########..............] running: tra"
