"""The client with TLS and a token, against a service that asks for both."""

import pytest

import sasq
from secure_service import SecureService


@pytest.fixture
def secure(tmp_path):
    made = SecureService(tmp_path / "service")
    made.start_coordinator()
    yield made
    made.close()


def test_tls_and_token(secure, monkeypatch, tmp_path):
    monkeypatch.setenv("SASQ_CONFIG", str(tmp_path / "config.yaml"))
    (tmp_path / "config.yaml").write_text("")
    with sasq.Client(secure.endpoint, tls_ca=secure.authority.pem, token=secure.submitter) as client:
        assert list(client.jobs()) == []
        assert list(client.workers()) == []
        with pytest.raises(sasq.NotFound):
            list(client.job("jobs/" + 32 * "0").watch())
    viewer = secure.add_token("acme", "viewer")
    secure.await_answer(sasq.errors.grpc.StatusCode.OK, token=viewer)
    with sasq.Client(secure.endpoint, tls_ca=secure.authority.pem, token=viewer) as client:
        with pytest.raises(sasq.Denied) as error:
            client.submit(model="/srv/model", training_text="/srv/train.txt", evaluation_text="/srv/eval.txt")
        assert error.value.reason == "ROLE_DENIED"
    with sasq.Client(secure.endpoint, tls_ca=secure.authority.pem) as client:
        with pytest.raises(sasq.Denied) as error:
            list(client.jobs())
        assert error.value.reason == "TOKEN_MISSING"
    with sasq.Client(secure.endpoint, token=secure.submitter, call_timeout=10) as client:
        with pytest.raises(sasq.Unavailable):
            list(client.jobs())
