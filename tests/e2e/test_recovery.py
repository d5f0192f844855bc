"""Processes that die: nothing is lost, and the result is the same bytes."""

import os
import signal

import pytest

LONG_STEPS = 1500  # seconds of training, so that there is a middle to die in


def in_mid_training(job):
    """Whether enough steps are done that a checkpoint of training was sent."""
    progress = job.get("progress") or {}
    return progress.get("stage") == "STAGE_TRAIN" and int(progress["step"]) >= LONG_STEPS // 10


def pack_of(client, name, folder):
    return client.download(name, folder)["scales.safetensors"].read_bytes()


@pytest.fixture
def long_spec(make_spec):
    return make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}])


def test_killed_worker(service, client, long_spec, tmp_path):
    whole = client.watch(client.submit(long_spec))
    assert whole["state"] == "JOB_STATE_SUCCEEDED", whole

    name = client.submit(long_spec)
    job = client.watch(name, until=in_mid_training)
    assert job["state"] == "JOB_STATE_RUNNING", job
    service.programs[-1].kill()
    service.start_worker("another")
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["attempt_count"] == 2
    assert "going on from a checkpoint" in client.log(name)
    assert pack_of(client, name, tmp_path / "killed") == pack_of(client, whole["name"], tmp_path / "whole")


def test_killed_coordinator_while_the_cli_watches(service, client, long_spec):
    name = client.submit(long_spec)
    client.watch(name, until=in_mid_training)
    watcher = service.start_cli("watch", name)
    watcher.stdout.readline()  # it has reached the job
    service.coordinator.kill()
    service.start_coordinator()
    output, _ = watcher.communicate(timeout=240)
    assert watcher.returncode == 0, output
    assert "succeeded" in output

    reconnected = service.client()
    job = reconnected.job(name)
    reconnected.close()
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["attempt_count"] == 1, "the worker kept its lease"


def test_submitted_job_outlives_the_coordinator(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    coordinator_only.coordinator.kill()
    coordinator_only.start_coordinator()
    coordinator_only.start_worker()
    again = coordinator_only.client()
    assert again.watch(name)["state"] == "JOB_STATE_SUCCEEDED"
    again.close()


def test_drained_worker_hands_its_job_back(service, client, long_spec, tmp_path):
    whole = client.watch(client.submit(long_spec))
    name = client.submit(long_spec)
    client.watch(name, until=in_mid_training)
    assert service.programs[-1].stop() == 0
    job = client.job(name)
    assert job["state"] == "JOB_STATE_QUEUED", job
    service.start_worker("another")
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert pack_of(client, name, tmp_path / "drained") == pack_of(client, whole["name"], tmp_path / "whole")


def test_vanished_workers_end_the_job(coordinator_only, client, make_spec):
    name = client.submit(make_spec(steps=100000, max_attempts=1))
    worker = coordinator_only.start_worker()
    client.watch(name, until=lambda job: job["state"] == "JOB_STATE_RUNNING")
    os.kill(worker.process.pid, signal.SIGKILL)
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_WORKER_LOST", job["error"]


def test_coordinator_stops_in_order(service, client, make_spec):
    client.submit(make_spec())
    assert service.coordinator.stop() == 0
