"""Rounds of kill -9 on real processes that do real jobs, and what must hold afterwards.

Every round kills a random worker or coordinator at a random moment and starts another one. Then:
  - every job that was acknowledged is there and has SUCCEEDED;
  - it has one artifact, whose blobs match their digests;
  - its scale pack has the bytes that the same spec gives without any kill;
  - it took no more attempts than it may.
"""

import argparse
import hashlib
import pathlib
import random
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import stores  # noqa: E402
import tiny_model  # noqa: E402
from api import ApiError  # noqa: E402
from service import Service  # noqa: E402

WORKERS = 3
JOBS_IN_FLIGHT = 5
MAX_ATTEMPTS = 10
VARIANTS = 4  # of the spec, each with a reference that was computed without a kill
END_TIMEOUT_SECONDS = 600


class Fleet:
    """Coordinators on one store, and workers that reach them at one endpoint."""

    def __init__(self, folder, store, coordinators):
        self.flags, self.environment, self.backends, self.balancer = [], {}, [], None
        self.workers = []
        if store == "postgres":
            postgres, s3 = stores.Postgres(), stores.S3(folder / "s3")
            self.backends = [postgres, s3]
            self.environment = {**stores.CREDENTIALS, "SASQ_JOB_STORE": postgres.url}
            self.flags = ["--blob_store=s3://blobs/chaos", f"--s3_endpoint={s3.endpoint}"]
        self.coordinators = [Service(folder / f"coordinator-{i}") for i in range(coordinators)]
        for i in range(coordinators):
            self.start_coordinator(i)
        self.front = Service(folder / "workers")
        self.front.endpoint = self.coordinators[0].endpoint
        if coordinators > 1:
            self.balancer = stores.Balancer([service.endpoint for service in self.coordinators])
            self.front.endpoint = self.balancer.endpoint

    def start_coordinator(self, index):
        self.coordinators[index].start_coordinator(self.flags, environment=self.environment)

    def kill_coordinator(self, index):
        self.coordinators[index].coordinator.kill()

    def start_worker(self):
        self.workers.append(self.front.start_worker(f"worker-{uuid.uuid4().hex[:8]}"))

    def client(self):
        return self.front.client()

    def close(self):
        for service in (self.front, *self.coordinators):
            service.close()
        for backend in (self.balancer, *self.backends):
            if backend is not None:
                backend.close()


class Chaos:
    def __init__(self, fleet, inputs, seed):
        self.fleet = fleet
        self.random = random.Random(seed)
        self.inputs = inputs
        self.jobs = {}  # name -> variant
        self.unacknowledged = []  # (request id, variant)
        self.kills = {"worker": 0, "coordinator": 0}
        self.references = []

    def spec(self, variant):
        return {
            "model": {"uri": f"file:{self.inputs}/model"},
            "training_text": {"uri": f"file:{self.inputs}/train.txt"},
            "evaluation_text": {"uri": f"file:{self.inputs}/eval.txt"},
            "recipe": {"method": "METHOD_SASQ", "training": {
                "step_count": 100 + 60 * variant, "window_tokens": 32, "learning_rate": 0.02}},
            "baselines": [{"method": "METHOD_FP"}],
            "calibration": {"window_count": 4, "window_tokens": 64},
            "evaluation": {"window_count": 2, "window_tokens": 128},
            "max_attempts": MAX_ATTEMPTS, "retry": {"initial_backoff": "0.2s", "max_backoff": "1s"},
            "seed": variant, "no_cache": True,
        }

    def pack_digest(self, client, name):
        with tempfile.TemporaryDirectory() as folder:
            files = client.download(name, folder)  # checks every blob's digest
            return hashlib.sha256(files["scales.safetensors"].read_bytes()).hexdigest()

    def make_references(self):
        client = self.fleet.client()
        for variant in range(VARIANTS):
            job = client.watch(client.submit(self.spec(variant)))
            assert job["state"] == "JOB_STATE_SUCCEEDED", job
            self.references.append(self.pack_digest(client, job["name"]))
        client.close()

    def keep_busy(self):
        """Submits what is missing to JOBS_IN_FLIGHT; a call that fails is repeated with its request id later."""
        client = None
        try:
            client = self.fleet.client()
            listed = client.call("sasq.v1.QuantizationService", "ListJobs", {
                "states": ["JOB_STATE_QUEUED", "JOB_STATE_RUNNING"]})["jobs"]
            for _ in range(JOBS_IN_FLIGHT - len(listed) - len(self.unacknowledged)):
                self.unacknowledged.append((uuid.uuid4().hex, self.random.randrange(VARIANTS)))
            while self.unacknowledged:
                request_id, variant = self.unacknowledged[0]
                self.jobs[client.submit(self.spec(variant), request_id=request_id)] = variant
                self.unacknowledged.pop(0)
        except (ApiError, OSError):
            pass  # the coordinator was killed: next round
        finally:
            if client is not None:
                client.close()

    def kill_one(self):
        if self.random.random() < 0.6:
            self.random.choice([worker for worker in self.fleet.workers if worker.is_running()]).kill()
            self.kills["worker"] += 1
            time.sleep(self.random.uniform(0, 1))
            self.fleet.start_worker()
            return "a worker"
        index = self.random.randrange(len(self.fleet.coordinators))
        self.fleet.kill_coordinator(index)
        self.kills["coordinator"] += 1
        time.sleep(self.random.uniform(0, 2))
        self.fleet.start_coordinator(index)
        return f"coordinator {index + 1}"

    def run(self, rounds):
        for number in range(1, rounds + 1):
            self.keep_busy()
            time.sleep(self.random.uniform(0, 1.5))
            victim = self.kill_one()
            print(f"round {number:3}: killed {victim}; {len(self.jobs)} jobs acknowledged", flush=True)

    def finish(self):
        deadline = time.monotonic() + END_TIMEOUT_SECONDS
        while self.unacknowledged and time.monotonic() < deadline:
            self.keep_busy()
        client = self.fleet.client()
        violations = [f"{len(self.unacknowledged)} jobs were never acknowledged"] if self.unacknowledged else []
        attempts = 0
        for name, variant in self.jobs.items():
            job = client.watch(name, timeout=max(1, deadline - time.monotonic()))
            attempts += job["attempt_count"]
            if job["state"] != "JOB_STATE_SUCCEEDED":
                violations.append(f"{name} is {job['state']}: {job.get('error')}")
                continue
            if job["attempt_count"] > MAX_ATTEMPTS:
                violations.append(f"{name} took {job['attempt_count']} attempts")
            if self.pack_digest(client, name) != self.references[variant]:
                violations.append(f"{name} has other bytes than an unbroken run")
        client.close()
        return violations, attempts


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--coordinators", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.store == "sqlite" and arguments.coordinators != 1:
        parser.error("SQLite is the store of one coordinator; --coordinators wants --store postgres")
    return arguments


def main():
    arguments = parse_arguments()
    print(f"seed {arguments.seed}, {arguments.store}, {arguments.coordinators} coordinator(s), {WORKERS} workers")
    with tempfile.TemporaryDirectory(prefix="sasq-chaos-") as folder:
        root = pathlib.Path(folder)
        tiny_model.write_model(root / "model")
        tiny_model.write_text(root / "train.txt", words=12000, seed=1)
        tiny_model.write_text(root / "eval.txt", words=3000, seed=2)
        fleet = Fleet(root, arguments.store, arguments.coordinators)
        try:
            chaos = Chaos(fleet, root, arguments.seed)
            for _ in range(WORKERS):
                fleet.start_worker()
            chaos.make_references()
            chaos.run(arguments.rounds)
            violations, attempts = chaos.finish()
        finally:
            fleet.close()
    print(f"{arguments.rounds} rounds, {chaos.kills['worker']} workers and {chaos.kills['coordinator']} coordinators "
          f"killed, {len(chaos.jobs)} jobs, {attempts} attempts")
    for violation in violations:
        print(f"VIOLATION: {violation}")
    if violations:
        return 1
    print("every acknowledged job succeeded with one artifact, whose blobs match their digests and whose scales are "
          "byte for byte those of an unbroken run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
