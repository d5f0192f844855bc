"""A service with TLS and tokens, on certificates of its own."""

import os
import shutil
import subprocess
import time

import grpc

from api import QUANTIZATION, ApiError, Client
from certificates import Authority
from service import Service, bin_path

RELOAD_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.05


def token_command(*arguments):
    return subprocess.run([bin_path("sasqd"), "token", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)


class SecureService(Service):
    """A service with TLS and tokens; `cli` and workers come with a token."""

    def __init__(self, folder):
        super().__init__(folder)
        self.authority = Authority(folder / "authority")
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.use_certificate(self.authority)
        self.tokens_file, self.audit_log = folder / "tokens.json", folder / "audit.log"
        self.submitter = self.add_token("acme", "submitter")

    def use_certificate(self, authority, **options):
        """Replaces the server's certificate, as a renewal does."""
        for made, used in zip(authority.sign("server", **options), (self.certificate, self.key), strict=True):
            shutil.copy(made, f"{used}.new")
            os.rename(f"{used}.new", used)

    def add_token(self, tenant, role, *flags):
        done = token_command("add", "--tokens", self.tokens_file, "--tenant", tenant, "--role", role, *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start_coordinator(self, flags=(), **options):
        return super().start_coordinator(
            [f"--tls_cert={self.certificate}", f"--tls_key={self.key}", f"--tokens={self.tokens_file}",
             f"--audit_log={self.audit_log}", "--allowed_roots=/", *flags], **options)

    def client(self, token=None, authority=None):
        return Client(self.endpoint, (authority or self.authority).pem.read_bytes(), token or self.submitter)

    def cli_environment(self):
        return {**super().cli_environment(), "SASQ_TLS_CA": str(self.authority.pem), "SASQ_TOKEN": self.submitter}

    def await_answer(self, code, **options):
        """Calls until the answer is `code`, as it is once changed files were read."""
        deadline = time.monotonic() + RELOAD_TIMEOUT_SECONDS
        while True:
            found = code_of(lambda: list_jobs(self.client(**options)))
            if found == code:
                return
            assert time.monotonic() < deadline, f"the answer is still {found}, want {code}"
            time.sleep(POLL_SECONDS)


def list_jobs(client):
    try:
        return client.call(QUANTIZATION, "ListJobs")["jobs"]
    finally:
        client.close()


def code_of(call):
    try:
        call()
    except ApiError as error:
        return error.code
    except grpc.RpcError as error:  # of reflection
        return error.code()
    return grpc.StatusCode.OK
