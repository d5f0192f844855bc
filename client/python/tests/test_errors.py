"""Which exception a failure becomes."""

import socket

import grpc
import pytest

import sasq
from sasq import errors
from sasq.v1 import job_pb2


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with sasq.Client(f"127.0.0.1:{taken.getsockname()[1]}") as client, pytest.raises(sasq.Unavailable) as error:
            client.workers()
    assert "cannot reach sasqd at 127.0.0.1:" in str(error.value)
    assert error.value.code is grpc.StatusCode.UNAVAILABLE


def test_a_stream_gives_up_after_the_reconnect_timeout():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with sasq.Client(f"127.0.0.1:{taken.getsockname()[1]}", reconnect_timeout=0.1) as client:
            job = sasq.Job(client._connection, job_pb2.Job(name="jobs/" + "0" * 32))
            with pytest.raises(sasq.Unavailable, match="gave up after 0.1s without a connection"):
                job.wait()


def test_a_service_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with sasq.Client(f"127.0.0.1:{silent.getsockname()[1]}", call_timeout=0.1) as client:
            with pytest.raises(sasq.CallTimeout, match="did not answer in time"):
                client.workers()


@pytest.mark.parametrize("reason, kind", [
    ("QUALITY_GATE", sasq.QualityGateFailed),
    ("DIVERGED", sasq.JobFailed),
    ("99", sasq.JobFailed),  # of a newer service
])
def test_reasons_of_failed_jobs(reason, kind):
    job = sasq.Job(None, job_pb2.Job(name="jobs/1", state=job_pb2.JOB_STATE_FAILED))
    error = errors.job_failed("what happened", reason, job)
    assert type(error) is kind and isinstance(error, sasq.JobFailed)
    assert str(error) == f"jobs/1 failed ({reason}): what happened"


def test_everything_is_a_sasq_error():
    kinds = [kind for kind in vars(sasq).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert kinds and all(issubclass(kind, sasq.SasqError) for kind in kinds)


def test_endpoint(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SASQ_ENDPOINT", raising=False)
    monkeypatch.delenv("SASQ_CONFIG", raising=False)

    def endpoint(*given):
        with sasq.Client(*given) as client:
            return client.endpoint

    assert endpoint() == "127.0.0.1:7433"
    config = tmp_path / ".config" / "sasq" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("endpoint: from-config\n")
    assert endpoint() == "from-config:7433"
    config.write_text("endpoints: x\n")
    with pytest.raises(sasq.SasqError, match="config.yaml holds something else"):
        endpoint()
    config.unlink()
    monkeypatch.setenv("SASQ_ENDPOINT", "from-environment:1")
    assert endpoint() == "from-environment:1"
    assert endpoint("given:2") == "given:2"
