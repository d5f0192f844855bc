"""Stores that coordinators share, as processes on loopback: PostgreSQL, S3 (moto's), and a TCP balancer."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.config

POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
S3_SERVER = pathlib.Path(__file__).parent.parent / "server" / "s3_server.py"
# What the server of tests/server/s3_server.py takes.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_REGION": "us-east-1",
               "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
START_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.02


def await_true(condition, what):
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} in {START_TIMEOUT_SECONDS} s")
        time.sleep(POLL_SECONDS)


class Postgres:
    """A server on a Unix socket, with the database `sasq`. It refuses to run as root, so that it then runs as
    the user postgres."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sasq-pg-"))
        self.as_user = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.url = f"postgres://sasq@/sasq?host={self.folder}"
        self._run("initdb", f"--pgdata={self.folder}/data", "--username=sasq", "--auth=trust", "--encoding=UTF8",
                  "--no-sync", "--no-instructions")
        self.start()
        self._run("psql", f"postgres://sasq@/postgres?host={self.folder}", "--command=CREATE DATABASE sasq")

    def _run(self, name, *arguments):
        subprocess.run([POSTGRES / name, *arguments], check=True, capture_output=True, cwd="/", **self.as_user)

    def _is_ready(self):
        return subprocess.run([POSTGRES / "pg_isready", f"--host={self.folder}", "--quiet"], check=False).returncode == 0

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [POSTGRES / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **self.as_user)
        await_true(self._is_ready, "PostgreSQL takes no connections")

    def kill(self):
        """As if the power went."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class S3:
    """A store with the bucket `blobs`."""

    def __init__(self, folder):
        port_file = folder / "port"
        folder.mkdir(parents=True)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-B", S3_SERVER, port_file], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        await_true(port_file.exists, "the S3 server does not listen")
        self.endpoint = f"http://127.0.0.1:{port_file.read_text()}"
        self.client = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(proxies={}, retries={"max_attempts": 10}, request_checksum_calculation="when_required"))
        self.client.create_bucket(Bucket="blobs")

    def keys(self):
        return sorted(entry["Key"] for entry in self.client.list_objects_v2(Bucket="blobs").get("Contents", []))

    def close(self):
        self.process.kill()
        self.process.wait()


class Balancer:
    """Passes each connection to the next of the endpoints that takes it, byte by byte."""

    def __init__(self, endpoints):
        self.endpoints = endpoints
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = self._connect()
            if server is None:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _connect(self):
        for _ in self.endpoints:
            self.endpoints = [*self.endpoints[1:], self.endpoints[0]]
            host, port = self.endpoints[0].rsplit(":", 1)
            try:
                return socket.create_connection((host, int(port)))
            except OSError:
                continue
        return None

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
