"""How the client finds out where the service is and how it is reached."""

import pytest

import sasq
from sasq.settings import Settings, is_loopback, resolve

TOKEN = "sasq_0123456789abcdef_" + 64 * "0"


@pytest.fixture
def config(monkeypatch, tmp_path):
    """Writes the config file; nothing is in the environment."""
    for name in ("ENDPOINT", "TLS", "TLS_CA", "TLS_CERT", "TLS_KEY", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"SASQ_{name}", raising=False)
    path = tmp_path / "config.yaml"
    path.write_text("")
    monkeypatch.setenv("SASQ_CONFIG", str(path))
    return path.write_text


def test_given_goes_before_environment_before_config(config, monkeypatch):
    config("endpoint: service:1\ntls_ca: config.pem\ntls_cert: config.crt\ntls_key: config.key\n")
    assert resolve(Settings()) == Settings("service:1", False, "config.pem", "config.crt", "config.key")
    monkeypatch.setenv("SASQ_TLS_CA", "environment.pem")
    assert resolve(Settings()).tls_ca == "environment.pem"
    assert resolve(Settings(tls_ca="given.pem")).tls_ca == "given.pem"


def test_token(config, monkeypatch, tmp_path):
    config(f"endpoint: service:1\ntls: true\ntoken: {TOKEN}\n")
    assert resolve(Settings()).token == TOKEN
    assert resolve(Settings("other:1")).token == "", "it is for the endpoint of the file alone"
    (tmp_path / "token").write_text(f"{TOKEN}1\n")
    monkeypatch.setenv("SASQ_TOKEN_FILE", str(tmp_path / "token"))
    assert resolve(Settings()).token == f"{TOKEN}1"
    monkeypatch.setenv("SASQ_TOKEN", f"{TOKEN}2")
    assert resolve(Settings()).token == f"{TOKEN}2"
    assert resolve(Settings(token="given")).token == "given"
    assert TOKEN not in repr(resolve(Settings()))


def test_a_token_stays_on_this_machine_without_tls(config):
    assert resolve(Settings("localhost:1", token=TOKEN)).token == TOKEN
    with pytest.raises(sasq.SasqError, match="in the clear") as error:
        resolve(Settings("service:1", token=TOKEN))
    assert TOKEN not in str(error.value)
    assert resolve(Settings("service:1", tls=True, token=TOKEN)).uses_tls


@pytest.mark.parametrize("text", ["- 1", "endpoints: x", "token: [1]", "tls: maybe"])
def test_wrong_config(config, text):
    config(text)
    with pytest.raises(sasq.SasqError):
        resolve(Settings())


def test_a_certificate_wants_its_key(config):
    with pytest.raises(sasq.SasqError, match="together"):
        resolve(Settings(tls_cert="client.pem"))


def test_files_that_are_not_there(config):
    with pytest.raises(sasq.SasqError, match="cannot read /nowhere/ca.pem"):
        sasq.Client(tls_ca="/nowhere/ca.pem")


def test_loopback():
    for endpoint in ("127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/s"):
        assert is_loopback(endpoint), endpoint
    for endpoint in ("0.0.0.0:1", "127.example.com:1", "10.0.0.1:1", "[::]:1", "service:1", ""):
        assert not is_loopback(endpoint), endpoint
