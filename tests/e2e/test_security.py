"""TLS, tokens, tenants and the audit log with real processes and certificates."""

import socket
import subprocess

import grpc
import pytest

from api import QUANTIZATION, ApiError, Client
from certificates import Authority
from secure_service import SecureService, code_of, list_jobs, token_command
from service import bin_path
from test_cli import flags


@pytest.fixture
def secure(tmp_path):
    made = SecureService(tmp_path / "service")
    yield made
    made.close()


def test_a_job_by_tls_and_tokens(secure, inputs):
    """From upload to download, with a worker whose token can do nothing else; nothing secret is in any log."""
    secure.start_coordinator()
    worker_token = secure.folder / "worker.token"
    worker_token.write_text(secure.add_token("fleet", "worker") + "\n")
    secure.start_worker(flags=[f"--tls_ca={secure.authority.pem}", f"--token_file={worker_token}",
                               f"--cache_dir={secure.folder / 'cache'}"])
    done = secure.cli("submit", *flags(inputs), "--upload", "--wait", timeout=300)
    assert done.returncode == 0, done.stderr
    (job,) = secure.client().call(QUANTIZATION, "ListJobs")["jobs"]
    assert job["tenant"] == "acme" and job["state"] == "JOB_STATE_SUCCEEDED"
    assert secure.cli("download", job["name"], "--dir", secure.folder / "result").returncode == 0

    other = secure.client(secure.add_token("other", "submitter"))
    secure.await_answer(grpc.StatusCode.OK, token=secure.add_token("ops", "admin"))
    assert other.call(QUANTIZATION, "ListJobs")["jobs"] == []
    with pytest.raises(ApiError) as error:
        other.job(job["name"])
    assert error.value.code is grpc.StatusCode.NOT_FOUND
    other.close()

    audit = secure.audit_log.read_text()
    for method in ("UploadBlob", "SubmitJob", "RegisterWorker", "LeaseTask", "CompleteTask"):
        assert f"/{method} " in audit, audit
    assert f"resource={job['name']} outcome=OK" in audit
    secrets = [line.rpartition("_")[2] for line in (secure.submitter, worker_token.read_text().strip())]
    for log in (audit, *(program.log() for program in secure.programs)):
        assert not any(secret in log for secret in secrets)


def test_who_has_no_trust_gets_nothing(secure, tmp_path):
    secure.start_coordinator()
    assert code_of(lambda: list_jobs(secure.client())) is grpc.StatusCode.OK
    stranger = Authority(tmp_path / "stranger")
    assert code_of(lambda: list_jobs(secure.client(authority=stranger))) is grpc.StatusCode.UNAVAILABLE
    assert code_of(lambda: list_jobs(Client(secure.endpoint))) is grpc.StatusCode.UNAVAILABLE
    for changes in ({"SASQ_TLS_CA": str(stranger.pem)}, {"SASQ_TLS_CA": ""}, {"SASQ_TOKEN": ""}):
        done = subprocess.run(secure.cli_command("list", "--timeout", "5s"), capture_output=True, text=True,
                              timeout=60, env=secure.cli_environment() | changes)
        assert done.returncode == (4 if "SASQ_TOKEN" in changes else 5), done.stderr


def test_names_in_certificates_are_checked(secure):
    secure.use_certificate(secure.authority, hosts="DNS:elsewhere.example")
    secure.start_coordinator()
    done = secure.cli("list", "--timeout", "5s")
    assert done.returncode == 5, done.stderr


def test_certificates_are_read_again(secure, tmp_path):
    secure.start_coordinator()
    fresh = Authority(tmp_path / "fresh", "fresh")
    assert code_of(lambda: list_jobs(secure.client(authority=fresh))) is grpc.StatusCode.UNAVAILABLE
    secure.use_certificate(fresh)
    secure.await_answer(grpc.StatusCode.OK, authority=fresh)
    assert secure.coordinator.is_running()


def test_mutual_tls(secure):
    clients = Authority(secure.folder / "clients", "clients")
    secure.start_coordinator([f"--tls_client_ca={clients.pem}"])
    assert secure.cli("list", "--timeout", "5s").returncode == 5
    certificate, key = clients.sign("client")
    assert secure.cli("list", "--tls-cert", certificate, "--tls-key", key).returncode == 0
    stranger, stranger_key = secure.authority.sign("stranger")
    done = secure.cli("list", "--timeout", "5s", "--tls-cert", stranger, "--tls-key", stranger_key)
    assert done.returncode == 5, done.stderr


def test_tokens_are_rotated_and_revoked_while_the_service_runs(secure):
    secure.start_coordinator()
    old_id = secure.submitter.split("_")[1]
    rotated = token_command("rotate", old_id, "--tokens", secure.tokens_file, "--grace", "1h")
    assert rotated.returncode == 0, rotated.stderr
    fresh = rotated.stdout.strip()
    secure.await_answer(grpc.StatusCode.OK, token=fresh)
    secure.await_answer(grpc.StatusCode.OK)
    assert token_command("revoke", old_id, "--tokens", secure.tokens_file).returncode == 0
    secure.await_answer(grpc.StatusCode.UNAUTHENTICATED)
    secure.await_answer(grpc.StatusCode.OK, token=fresh)
    listed = token_command("list", "--tokens", secure.tokens_file).stdout
    assert old_id in listed and "refused" in listed and fresh.split("_")[2] not in listed


def test_a_broken_tokens_file_locks_nobody_out(secure):
    secure.start_coordinator()
    secure.tokens_file.write_text("{")
    secure.coordinator.await_log("tokens_not_reloaded")
    assert code_of(lambda: list_jobs(secure.client())) is grpc.StatusCode.OK


def test_tokens_do_not_leave_this_machine_without_tls(bare_service):
    done = bare_service.cli("list", "--endpoint", "service.example:7433")
    assert "in the clear" not in done.stderr
    environment = bare_service.cli_environment() | {"SASQ_TOKEN": "sasq_0123456789abcdef_" + 64 * "0"}
    done = subprocess.run(bare_service.cli_command("list", "--endpoint", "192.0.2.1:7433"), capture_output=True,
                          text=True, timeout=60, env=environment)
    assert done.returncode == 2 and "in the clear" in done.stderr
    worker = subprocess.run([bin_path("sasq-worker"), "--coordinator=192.0.2.1:7433"], capture_output=True,
                            text=True, timeout=60, env=environment)
    assert worker.returncode == 1 and "in the clear" in worker.stderr


def test_open_addresses_want_tls_and_tokens(secure):
    def run(*flags):
        return subprocess.run([bin_path("sasqd"), f"--data_dir={secure.data_dir}", "--metrics_address", "",
                               "--listen_address=0.0.0.0:0", *flags], capture_output=True, text=True, timeout=60)

    tls = (f"--tls_cert={secure.certificate}", f"--tls_key={secure.key}")
    for flags in ((), tls, (f"--tokens={secure.tokens_file}",)):
        done = run(*flags)
        assert done.returncode == 2 and "0.0.0.0:0 can be reached" in done.stderr, done.stderr
        assert "--insecure" in done.stderr
    _, other_key = secure.authority.sign("other")
    done = run(f"--tls_cert={secure.certificate}", f"--tls_key={other_key}", f"--tokens={secure.tokens_file}")
    assert done.returncode == 2 and "is not the key of the certificate" in done.stderr, done.stderr


def test_hostile_bytes_leave_the_service_alive(secure):
    """Connections that say nothing, nonsense or half a handshake."""
    secure.start_coordinator()
    host, port = secure.endpoint.split(":")
    connections = []
    for content in (b"", b"\0" * 100_000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n") * 40:
        connection = socket.create_connection((host, int(port)), timeout=10)
        connections.append(connection)
        try:
            connection.sendall(content)
        except OSError:
            pass  # hung up on already
    assert code_of(lambda: list_jobs(secure.client())) is grpc.StatusCode.OK
    for connection in connections:
        connection.close()
    assert secure.coordinator.is_running()
