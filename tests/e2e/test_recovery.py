"""Processes that die: nothing is lost, and the result is the same bytes."""

import hashlib
import os
import random
import signal

import pytest
import safetensors

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


def test_five_kills_give_the_same_bytes(service, client, make_spec, tmp_path):
    """Each worker is killed at a random step; the next one, another process, goes on."""
    spec = make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}], max_attempts=6)
    whole = client.watch(client.submit(spec))
    name = client.submit(spec)
    chosen = random.Random(os.environ.get("SASQ_TEST_SEED", "5"))
    stops = sorted(chosen.sample(range(LONG_STEPS // 20, LONG_STEPS * 9 // 10), 5))
    holder = "worker"
    for i, stop in enumerate(stops):
        client.watch(name, until=lambda job: job["worker"] == holder and (job.get("progress") or {}).get(
            "stage") == "STAGE_TRAIN" and int(job["progress"]["step"]) >= stop)
        service.programs[-1].kill()
        holder = f"worker-{i}"
        service.start_worker(holder)
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["attempt_count"] == 6
    digests = [hashlib.sha256(pack_of(client, n, tmp_path / n.replace("/", "-"))).hexdigest()
               for n in (whole["name"], name)]
    print(f"killed at steps {stops}: {digests[1]}; unbroken: {digests[0]}")
    assert digests[0] == digests[1]


def test_scales_so_far(service, client, long_spec, tmp_path):
    name = client.submit(long_spec)
    client.watch(name, until=in_mid_training)
    result = service.cli("download", name, "--so-far", "--dir", tmp_path)
    assert result.returncode == 0, result.stderr
    with safetensors.safe_open(tmp_path / "scales.safetensors", "numpy") as pack:
        assert len(list(pack.keys())) == 8
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    result = service.cli("download", name, "--so-far", "--dir", tmp_path / "late")
    assert result.returncode == 1
    assert "no scales in training" in result.stderr


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
