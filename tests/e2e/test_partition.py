"""Networks that part and come together again: no job is lost, none has two results."""

import pytest

from proxy import Proxy
from test_recovery import LONG_STEPS, in_mid_training, pack_of


@pytest.fixture
def proxy(coordinator_only):
    host, port = coordinator_only.endpoint.rsplit(":", 1)
    made = Proxy((host, int(port)))
    yield made
    made.close()


def worker_behind(service, proxy, worker_id):
    """A worker that reaches the coordinator through the proxy."""
    direct, service.endpoint = service.endpoint, proxy.endpoint
    try:
        return service.start_worker(worker_id)
    finally:
        service.endpoint = direct


def test_worker_that_is_cut_off_loses_its_job(coordinator_only, client, make_spec, proxy, tmp_path):
    """It computes on, and its late result is refused."""
    spec = make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}])
    cut_off = worker_behind(coordinator_only, proxy, "cut-off")
    name = client.submit(spec)
    client.watch(name, until=in_mid_training)
    proxy.cut()
    coordinator_only.start_worker("other")
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["attempt_count"] == 2
    assert "going on from a checkpoint" in client.log(name)
    artifact = pack_of(client, name, tmp_path / "before")
    proxy.heal()
    cut_off.await_log("event=task_ended")
    assert "outcome=lost" in cut_off.log()
    assert client.job(name) == job, "the late result changes nothing"
    assert pack_of(client, name, tmp_path / "after") == artifact


def test_short_partition_is_not_noticed(coordinator_only, client, make_spec, proxy):
    """The lease outlives it: the worker goes on, and delivers."""
    worker_behind(coordinator_only, proxy, "worker")
    name = client.submit(make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}]))
    client.watch(name, until=in_mid_training)
    proxy.cut()
    before = client.job(name)["progress"]["step"]
    proxy.heal()
    client.watch(name, until=lambda job: int((job.get("progress") or {}).get("step") or 0) > int(before))
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["attempt_count"] == 1


def test_client_that_is_cut_off_sees_the_end(coordinator_only, client, make_spec, proxy):
    coordinator_only.start_worker()
    name = client.submit(make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}]))
    client.watch(name, until=in_mid_training)
    direct, coordinator_only.endpoint = coordinator_only.endpoint, proxy.endpoint
    watcher = coordinator_only.start_cli("watch", name)
    coordinator_only.endpoint = direct
    watcher.stdout.readline()  # it has reached the job
    proxy.cut()
    assert client.watch(name)["state"] == "JOB_STATE_SUCCEEDED"
    proxy.heal()
    output, _ = watcher.communicate(timeout=240)
    assert watcher.returncode == 0, output
    assert "succeeded" in output
