"""Models and texts from a hub, from uploads and from local folders that are allowed, through the whole service."""

import hashlib
import json
import pathlib
import sys

import pytest

import tiny_model
from api import ARTIFACTS, QUANTIZATION, ApiError
from test_cli import flags

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "quant" / "source"))
import servers  # noqa: E402

ROWS = "\n".join(json.dumps({"id": i, "body": f"Row {i} is about the river and the city ."}) for i in range(800))


@pytest.fixture
def hub(inputs):
    served = servers.Hub()
    served.add("models/org/tiny", {path.name: path.read_bytes() for path in (inputs / "model").iterdir()})
    served.add("datasets/org/texts", {"train.txt": (inputs / "train.txt").read_bytes(), "rows.jsonl": ROWS.encode()})
    yield served
    served.close()


def start_worker(service, cache, hub=None, flags=(), **environment):
    return service.start_worker(flags=[f"--cache_dir={cache}", f"--hf_endpoint={hub.url if hub else 'http://127.0.0.1:9'}",
                                       "--stall_timeout=1s", "--allow_private_addresses", *flags],
                                environment={"no_proxy": "*", **environment})


def manifest(client, job, folder):
    return json.loads(client.download(job["name"], folder)["manifest.json"].read_text())


def test_job_from_a_hub(coordinator_only, client, make_spec, hub, tmp_path):
    hub.private = True
    worker = start_worker(coordinator_only, tmp_path / "cache", hub, HF_TOKEN=servers.TOKEN)
    spec = make_spec(model={"uri": "hf:org/tiny"},
                     training_text={"uri": "hf:datasets/org/texts/train.txt"},
                     evaluation_text={"uri": "hf:datasets/org/texts/rows.jsonl",
                                      "layout": "TEXT_LAYOUT_JSON_LINES", "json_field": "body"})
    hub.faults.append(("model.safetensors", servers.cut(after=50000)))
    job = client.watch(client.submit(spec))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    written = manifest(client, job, tmp_path / "out")
    text = json.dumps(written)
    assert f"hf:org/tiny@{servers.COMMIT}" in text, "the commit is part of the provenance"
    assert f"hf:datasets/org/texts@{servers.COMMIT}/rows.jsonl" in text
    assert hashlib.sha256(ROWS.encode()).hexdigest() in text
    log = client.log(job["name"])
    assert "fetching" in log and "trying again" in log
    for secret_place in (log, worker.log(), text, coordinator_only.coordinator.log()):
        assert servers.TOKEN not in secret_place

    before = len(hub.requests)
    assert client.watch(client.submit(spec))["state"] == "JOB_STATE_SUCCEEDED"
    assert not any("/resolve/" in path for path in hub.paths()[before:]), "the second job uses the cache"


def test_what_a_hub_refuses_is_final(coordinator_only, client, make_spec, hub, tmp_path):
    start_worker(coordinator_only, tmp_path / "cache", hub)
    job = client.watch(client.submit(make_spec(model={"uri": "hf:org/nothing"})))
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_INVALID_MODEL" and job["attempt_count"] == 1
    assert "hf:org/nothing" in job["error"]["message"]
    job = client.watch(client.submit(make_spec(training_text={"uri": "hf:datasets/org/texts/no.txt"})))
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_INVALID_TEXT" and job["attempt_count"] == 1


def test_what_a_model_of_a_hub_cannot_have_is_final(coordinator_only, client, make_spec, hub, tmp_path):
    start_worker(coordinator_only, tmp_path / "cache", hub)
    spec = make_spec(model={"uri": "hf:org/tiny"}, evaluation={"window_count": 1, "window_tokens": tiny_model.CONTEXT},
                     baselines=[{"method": "METHOD_STATIC_MSE", "first_token": "FIRST_TOKEN_PREFIX"}])
    job = client.watch(client.submit(spec))
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_INVALID_SPEC" and job["attempt_count"] == 1, job
    assert str(tiny_model.CONTEXT - 1) in job["error"]["message"]


def test_wrong_bytes_are_tried_again_in_another_attempt(coordinator_only, client, make_spec, hub, tmp_path):
    start_worker(coordinator_only, tmp_path / "cache", hub)
    hub.faults += [("config.json", servers.wrong_bytes)] * 3
    job = client.watch(client.submit(make_spec(model={"uri": "hf:org/tiny"})))
    assert job["state"] == "JOB_STATE_SUCCEEDED" and job["attempt_count"] == 2, job
    assert "SOURCE_UNAVAILABLE" in client.log(job["name"])


def test_cancel_while_fetching(coordinator_only, client, make_spec, hub, tmp_path):
    start_worker(coordinator_only, tmp_path / "cache", hub)
    hub.faults += [("model.safetensors", servers.status(429, Retry_After="300"))]
    name = client.submit(make_spec(model={"uri": "hf:org/tiny"}))
    while "trying again" not in client.log(name):
        pass
    client.cancel(name)
    assert client.watch(name)["state"] == "JOB_STATE_CANCELLED"


def test_upload(coordinator_only, client, inputs, tmp_path):
    """The worker sees neither model nor texts: their folder is not allowed to it."""
    (tmp_path / "none").mkdir()
    start_worker(coordinator_only, tmp_path / "cache", flags=[f"--allowed_roots={tmp_path / 'none'}"])
    submitted = coordinator_only.cli("submit", "--upload", "--wait", *flags(inputs, "--baseline", "fp"))
    assert submitted.returncode == 0, submitted
    assert "the service has 0 of 5 files" in submitted.stderr
    job, = client.call(QUANTIZATION, "ListJobs")["jobs"]
    spec = job["spec"]
    assert spec["model"]["uri"] == "upload:model" and spec["evaluation_text"]["uri"] == "upload:eval.txt"
    named = {file["path"]: file["sha256"] for file in spec["model"]["files"]}
    assert named == servers.digests({path.name: path.read_bytes() for path in (inputs / "model").iterdir()})

    again = coordinator_only.cli("submit", "--wait", *flags(inputs, "--baseline", "fp"), "--upload")
    assert again.returncode == 0 and "the service has 5 of 5 files" in again.stderr
    # What the service wrote can be submitted again as it is.
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert coordinator_only.cli("submit", tmp_path / "spec.json").returncode == 0


def test_upload_goes_on_after_a_break(coordinator_only, client, inputs):
    content = (inputs / "model" / "model.safetensors").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(ApiError) as error:
        client.upload(digest, content[:1000], len(content))
    assert error.value.reason == "UPLOAD_INCOMPLETE"
    coordinator_only.coordinator.kill()
    coordinator_only.start_coordinator()
    missing = client.call(ARTIFACTS, "FindMissingBlobs", {"sha256": [digest]})["missing"]
    assert missing == [{"sha256": digest, "received_bytes": "1000"}]
    submitted = coordinator_only.cli("submit", "--model", f"upload:{inputs / 'model'}", *flags(inputs)[2:])
    assert submitted.returncode == 0, submitted
    assert client.blob(digest) == content


def test_upload_of_what_is_no_model(coordinator_only, tmp_path, inputs):
    (tmp_path / "empty").mkdir()
    refused = coordinator_only.cli("submit", "--model", f"upload:{tmp_path / 'empty'}", *flags(inputs)[2:])
    assert refused.returncode == 2 and "no config.json" in refused.stderr


def test_plan_uploads_nothing(coordinator_only, client, inputs):
    planned = coordinator_only.cli("plan", "--upload", *flags(inputs))
    assert planned.returncode == 0, planned
    digest = hashlib.sha256((inputs / "eval.txt").read_bytes()).hexdigest()
    assert client.call(ARTIFACTS, "FindMissingBlobs", {"sha256": [digest]})["missing"]


def test_folders_that_are_not_allowed(bare_service, make_spec, inputs, tmp_path):
    bare_service.start_coordinator(flags=[f"--allowed_roots={inputs}"])
    start_worker(bare_service, tmp_path / "cache", flags=[f"--allowed_roots={inputs / 'model'},{inputs / 'train.txt'}"])
    client = bare_service.client()
    outside = tiny_model.write_model(tmp_path / "outside")
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(make_spec(model={"uri": f"file:{outside}"}))
    assert str(inputs) in error.value.violations["spec.model.uri"]
    job = client.watch(client.submit(make_spec()))
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_INVALID_TEXT", "the worker has roots of its own"
    assert "eval.txt" in job["error"]["message"] and "--allowed_roots" in job["error"]["message"]


def test_unknown_scheme_names_the_known_ones(coordinator_only, client, make_spec):
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(make_spec(model={"uri": "http://169.254.169.254/latest/meta-data"}))
    for scheme in ("file:", "hf:", "s3://", "upload:"):
        assert scheme in error.value.violations["spec.model.uri"]


@pytest.mark.parametrize("flag", ["--hf_endpoint=ftp://hub", "--s3_endpoint=host", "--stall_timeout=0s",
                                  "--allowed_roots=relative"])
def test_wrong_flags_of_a_worker(coordinator_only, flag):
    with pytest.raises(RuntimeError, match=flag.partition("=")[0]):
        coordinator_only.start_worker(flags=[flag])
