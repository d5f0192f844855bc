"""Cancelling, and workers that are missing or double."""

import time

import pytest

from api import QUANTIZATION, ApiError

# The worker obeys within two seconds; a heartbeat and a busy machine come on top.
OBEYED_WITHIN_SECONDS = 5


def test_cancel_before_it_runs(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    assert client.cancel(name)["state"] == "JOB_STATE_CANCELLED"
    assert client.cancel(name)["state"] == "JOB_STATE_CANCELLED", "a repeat is no error"


@pytest.mark.parametrize("stage", ["STAGE_CALIBRATE", "STAGE_TRAIN", "STAGE_EVALUATE"])
def test_cancel_while_it_runs(service, client, make_spec, stage):
    # A stage that would last minutes.
    spec = make_spec(steps=100000)
    if stage == "STAGE_CALIBRATE":
        spec["calibration"] = {"window_count": 4096, "window_tokens": 64}
    if stage == "STAGE_EVALUATE":
        spec["evaluation"] = {"window_count": 0, "window_tokens": 8}
        spec["baselines"] = [{"method": "METHOD_RTN_DYNAMIC"}]
    name = client.submit(spec)
    job = client.watch(name, until=lambda job: (job.get("progress") or {}).get("stage") == stage)
    assert job["state"] == "JOB_STATE_RUNNING", job
    start = time.monotonic()
    client.cancel(name)
    assert client.watch(name)["state"] == "JOB_STATE_CANCELLED"
    assert time.monotonic() - start < OBEYED_WITHIN_SECONDS
    assert client.watch(client.submit(make_spec()))["state"] == "JOB_STATE_SUCCEEDED", "the worker lives"


def test_cancel_after_it_ended(service, client, make_spec):
    name = client.submit(make_spec())
    assert client.watch(name)["state"] == "JOB_STATE_SUCCEEDED"
    with pytest.raises(ApiError, match="FAILED_PRECONDITION") as error:
        client.cancel(name)
    assert error.value.reason == "JOB_ENDED"


def test_no_worker_at_all(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    job = client.job(name)
    assert job["state"] == "JOB_STATE_QUEUED"
    assert "no worker is connected" in job["waiting_reason"]
    shown = coordinator_only.cli("get", name)
    assert shown.returncode == 0 and "no worker is connected" in shown.stdout
    coordinator_only.start_worker()
    assert client.watch(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_two_workers_with_one_id(service, client, make_spec):
    """The second one waits for the id and says so; it takes over when the first one is gone."""
    first = service.programs[-1]
    second = service.start_worker("worker")
    second.await_log("worker_id_taken")
    workers = client.call(QUANTIZATION, "ListWorkers")["workers"]
    assert [worker["id"] for worker in workers] == ["worker"]
    assert client.watch(client.submit(make_spec()))["state"] == "JOB_STATE_SUCCEEDED"

    first.kill()
    assert client.watch(client.submit(make_spec()))["state"] == "JOB_STATE_SUCCEEDED"
    assert "worker_registered" in second.log()
