"""Starts and stops real processes of the service: ports chosen by the system, logs kept in files."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

from api import Client

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.02
# Short, so that a lost worker is noticed within a test.
LEASE_FLAGS = ("--lease_duration=3s", "--heartbeat_interval=100ms")


def bin_path(name):
    """A program of the build under test."""
    return pathlib.Path(os.environ["SASQ_BIN_DIR"]) / name


class Program:
    """A running program, once it wrote its ports."""

    def __init__(self, name, flags, folder, prefix=(), environment=None):
        self.port_file = folder / "ports.json"
        self.log_file = folder / "log"
        folder.mkdir(parents=True, exist_ok=True)
        self.port_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, bin_path(name), f"--port_file={self.port_file}", *flags], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        self.ports = self._await_ports(name)

    def _await_ports(self, name):
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self.port_file.exists() and self.port_file.stat().st_size:
                return json.loads(self.port_file.read_text())
            if self.process.poll() is not None:
                raise RuntimeError(f"{name} ended with {self.process.returncode}:\n{self.log()}")
            time.sleep(POLL_SECONDS)
        self.kill()
        raise RuntimeError(f"{name} wrote no ports in {START_TIMEOUT_SECONDS} s:\n{self.log()}")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def await_log(self, words):
        """Waits until the log says `words`."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while words not in self.log():
            if time.monotonic() > deadline or not self.is_running():
                raise RuntimeError(f"the log does not say {words!r}:\n{self.log()}")
            time.sleep(POLL_SECONDS)

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        """As if the power went."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks to end and returns the exit status."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"no end {STOP_TIMEOUT_SECONDS} s after SIGTERM:\n{self.log()}") from None

    def metrics(self):
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=10) as reply:
            return reply.read().decode()


class Service:
    """A coordinator with its data, and workers."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.programs = []
        self.coordinator = None
        self.endpoint = "127.0.0.1:0"

    def start_coordinator(self, flags=(), **options):
        """Starts it, on the port that it had before if any."""
        self.coordinator = self._start("sasqd", [
            f"--listen_address={self.endpoint}", "--metrics_address=127.0.0.1:0",
            f"--data_dir={self.data_dir}", *LEASE_FLAGS, *flags], **options)
        self.endpoint = f"127.0.0.1:{self.coordinator.ports['grpc']}"
        return self.coordinator

    def start_worker(self, worker_id="worker", flags=(), **options):
        return self._start("sasq-worker", [
            f"--coordinator={self.endpoint}", f"--worker_id={worker_id}", "--threads=1",
            "--metrics_address=127.0.0.1:0", *flags], **options)

    def _start(self, name, flags, **options):
        folder = self.folder / f"{len(self.programs)}-{name}"
        program = Program(name, flags, folder, **options)
        self.programs.append(program)
        return program

    def client(self):
        return Client(self.endpoint)

    def cli(self, *arguments, timeout=120):
        """Runs `sasq` against this service."""
        return subprocess.run(self.cli_command(*arguments), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=self.cli_environment(), cwd=self.folder)

    def start_cli(self, *arguments):
        """Starts `sasq` and returns the process, standard output and error in one pipe."""
        return subprocess.Popen(self.cli_command(*arguments), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                stderr=subprocess.STDOUT, text=True, env=self.cli_environment(), cwd=self.folder)

    def cli_command(self, *arguments):
        return [str(bin_path("sasq")), *map(str, arguments)]

    def cli_environment(self):
        return {**os.environ, "SASQ_ENDPOINT": self.endpoint, "NO_COLOR": "1", "HOME": str(self.folder)}

    def close(self):
        """Ends whatever runs still."""
        for program in reversed(self.programs):
            if program.is_running():
                program.kill()
