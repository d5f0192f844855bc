"""Two coordinators on one PostgreSQL and one S3: they serve one fleet, and losing one loses nothing."""

import pytest

import stores
from api import ARTIFACTS, QUANTIZATION, ApiError
from service import Service
from test_recovery import LONG_STEPS, in_mid_training

FLOAT_ROW = [{"method": "METHOD_FP"}]


@pytest.fixture(scope="module")
def postgres():
    server = stores.Postgres()
    yield server
    server.close()


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    server = stores.S3(tmp_path_factory.mktemp("s3") / "server")
    yield server
    server.close()


@pytest.fixture
def pair(postgres, s3, tmp_path):
    """Two services that share their stores, without workers."""
    # All by the environment, as in deploy/docker/compose.yaml.
    environment = {**stores.CREDENTIALS, "SASQ_JOB_STORE": postgres.url, "SASQ_BLOB_STORE": "s3://blobs/of tests",
                   "AWS_ENDPOINT_URL": s3.endpoint}
    services = [Service(tmp_path / name) for name in ("first", "second")]
    for service in services:
        service.start_coordinator(environment=environment)
    yield services
    for service in services:
        service.close()


@pytest.fixture
def clients(pair):
    made = [service.client() for service in pair]
    yield made
    for client in made:
        client.close()


def workers_of(client):
    return {worker["id"]: worker["state"] for worker in client.call(QUANTIZATION, "ListWorkers")["workers"]}


def await_worker(client, worker_id):
    stores.await_true(lambda: worker_id in workers_of(client), f"{worker_id} is not listed")


def test_job_is_submitted_here_run_there_and_outlives_its_coordinator(pair, clients, make_spec, s3, tmp_path):
    first, second = clients
    name = first.submit(make_spec(steps=LONG_STEPS // 2, baselines=FLOAT_ROW))
    assert "no worker is connected" in second.job(name)["waiting_reason"]
    pair[1].start_worker("at-the-second")
    await_worker(first, "at-the-second")

    # The other coordinator's notices reach the watcher.
    job = first.watch(name, until=in_mid_training)
    assert job["state"] == "JOB_STATE_RUNNING", job
    assert job["worker"] == "at-the-second"
    assert workers_of(first)["at-the-second"] == "WORKER_STATE_BUSY"
    watched_to_the_end = first.watch(name)
    assert watched_to_the_end["state"] == "JOB_STATE_SUCCEEDED", watched_to_the_end
    assert watched_to_the_end["attempt_count"] == 1
    assert first.log(name) == second.log(name)

    # What one has published the other serves, also when the first is gone.
    pair[1].coordinator.kill()
    files = first.download(name, tmp_path / "artifact")
    assert "scales.safetensors" in files
    stored = {key.rsplit("/", 1)[1] for key in s3.keys() if key.startswith("of tests/")}
    artifact = first.call(ARTIFACTS, "GetArtifact", {"name": name})["artifact"]
    assert {blob["sha256"] for blob in artifact["blobs"]} <= stored


def test_waiting_worker_hears_of_a_job_at_the_other_coordinator(pair, clients, make_spec):
    pair[0].start_worker("waits-at-the-first")
    await_worker(clients[0], "waits-at-the-first")
    name = clients[1].submit(make_spec(no_cache=True))
    assert clients[1].watch(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_worker_id_is_taken_in_the_whole_fleet(pair, clients):
    pair[0].start_worker("one-of-its-kind")
    await_worker(clients[1], "one-of-its-kind")
    capabilities = {"device_kind": "DEVICE_KIND_CPU", "device_name": "x", "memory_bytes": 1 << 30, "thread_count": 1,
                    "kernel_path": "portable", "float_flops_per_second": 1e9}
    with pytest.raises(ApiError) as error:
        clients[1].call("sasq.dispatch.v1.DispatchService", "RegisterWorker", {
            "worker_id": "one-of-its-kind", "instance_id": "another", "version": "0.1.0",
            "capabilities": capabilities})
    assert error.value.reason == "WORKER_ID_TAKEN"


def test_killed_coordinator_behind_a_balancer(pair, make_spec, inputs):
    balancer = stores.Balancer([service.endpoint for service in pair])
    at_balancer = Service(pair[0].folder / "behind")
    at_balancer.endpoint = balancer.endpoint
    try:
        at_balancer.start_worker("behind-the-balancer")
        client = at_balancer.client()
        name = client.submit(make_spec(steps=LONG_STEPS, baselines=FLOAT_ROW, no_cache=True))
        client.watch(name, until=in_mid_training)
        client.close()
        watcher = at_balancer.start_cli("watch", name)
        watcher.stdout.readline()  # it has reached the job
        pair[0].coordinator.kill()
        output, _ = watcher.communicate(timeout=240)
        assert watcher.returncode == 0, output
        assert "succeeded" in output
        again = at_balancer.client()
        job = again.job(name)
        again.close()
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
        assert job["artifact"]
    finally:
        at_balancer.close()
        balancer.close()


def test_database_restarts_in_the_middle_of_a_job(pair, clients, postgres, make_spec):
    pair[0].start_worker("keeps-computing")
    name = clients[1].submit(make_spec(steps=LONG_STEPS, baselines=FLOAT_ROW, no_cache=True))
    watcher = pair[1].start_cli("watch", name)
    clients[0].watch(name, until=in_mid_training)
    postgres.kill()
    with pytest.raises(ApiError) as error:
        clients[0].job(name)
    assert error.value.reason == "STORE_UNAVAILABLE"
    postgres.start()
    output, _ = watcher.communicate(timeout=240)
    assert watcher.returncode == 0, output
    assert "succeeded" in output
    assert clients[0].job(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_password_is_refused_on_the_command_line(bare_service):
    with pytest.raises(RuntimeError) as error:
        bare_service.start_coordinator(["--job_store=postgres://sasq:geheim@127.0.0.1/sasq", "--blob_store=s3://b"])
    assert "SASQ_JOB_STORE" in str(error.value)
    assert "geheim" not in str(error.value)
