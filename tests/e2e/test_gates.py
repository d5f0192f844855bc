"""Quality gates: a job that is not good enough fails, says so in one line, and keeps what it found."""

import json

import pytest

from api import ARTIFACTS, ApiError
from test_cli import flags
from test_recovery import LONG_STEPS, in_mid_training

# A bound that four bits cannot meet, and one that nothing misses. Perplexities of a random model are near
# the size of its vocabulary.
HARD, LOOSE = {"max_perplexity": 1.5}, {"max_perplexity": 1e9, "max_perplexity_increase": 1000}


def artifact_of(client, job):
    return client.call(ARTIFACTS, "GetArtifact", {"name": job["name"]})["artifact"]


def check_rejected(client, job, folder):
    """What is true of every job whose gate failed."""
    assert job["state"] == "JOB_STATE_FAILED", job
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_QUALITY_GATE", job["error"]
    assert job["error"]["message"].startswith("quality gate failed: "), job["error"]
    artifact = artifact_of(client, job)
    assert artifact["rejected"] and artifact["gate_results"] == job["gate_results"]
    files = client.download(job["name"], folder)
    report = json.loads(files["report.json"].read_text())
    assert report["rejected"] is True
    assert json.loads(files["manifest.json"].read_text())["rejected"] is True
    for told, result in zip(report["gates"], job["gate_results"], strict=True):
        assert (told["gate"], told["text"], told["passed"], told["bound"]) == (
            result["gate"], result["text"], result["passed"], result["bound"])
        assert told["value"] == result.get("value"), "worker and coordinator say the same"
        if not told["passed"]:
            assert told["words"] in job["error"]["message"]
    for page in ("report.html", "report.md"):
        assert "Rejected by its quality gates" in files[page].read_text()
    return files


def test_hard_gate(service, inputs, client, tmp_path):
    arguments = ["--model", inputs / "model", "--train-text", inputs / "train.txt", "--eval-text",
                 inputs / "eval.txt", "--method", "static_absmax", "--activation-bits", 4, "--weight-bits", 4,
                 "--calibration-windows", 4, "--calibration-tokens", 64, "--eval-windows", 2, "--eval-tokens", 128]
    run = service.cli("submit", *arguments, "--quiet", "--wait", "--gate", "max-ppl=1.5",
                      "--gate", "min-top1-agreement=0")
    assert run.returncode == 3, run
    line, = run.stderr.splitlines()
    assert line.startswith("sasq: quality gate failed: max-ppl is ") and line.endswith(", bound 1.500"), line
    assert "static_absmax" in run.stdout, "the comparison is shown all the same"

    name = service.cli("list", "--quiet", "--limit", 1).stdout.strip()
    job = client.job(name)
    assert job["attempt_count"] == 1, "it would not get better"
    check_rejected(client, job, tmp_path / "api")
    assert [result["passed"] for result in job["gate_results"]] == [False, True]
    assert job["spec"]["evaluation"]["agreement_window_count"] == 2, "what the gate needs is measured"
    for command in (["wait", name], ["watch", name]):
        again = service.cli(*command, "--quiet")
        assert again.returncode == 3 and again.stderr == run.stderr

    downloaded = service.cli("download", name, "--dir", tmp_path / "out")
    assert downloaded.returncode == 0, downloaded
    assert "rejected: quality gate failed: max-ppl is" in downloaded.stderr
    assert "rejected" in service.cli("get", name).stdout
    assert service.cli("artifacts", "verify", name).returncode == 0, "it is what it says"
    assert "rejected" in service.cli("artifacts", "verify", name).stderr
    assert "failed" in client.log(name) and "rejected" in client.log(name)


def test_loose_gate_and_gates_asked_afterwards(service, inputs, client):
    other = inputs / "train.txt"
    run = service.cli("submit", *flags(
        inputs, "--wait", "--baseline", "static_mse", "--other-text", f"train={other}", "--gate", "max-ppl-increase=100",
        "--gate", "max-ppl-increase-over-dynamic=100", "--gate", "max-ppl-increase@train=100"))
    assert run.returncode == 0, run
    job = client.job(service.cli("list", "--quiet", "--limit", 1).stdout.strip())
    assert job["state"] == "JOB_STATE_SUCCEEDED" and not artifact_of(client, job)["rejected"]
    assert [(result["gate"], result["text"]) for result in job["gate_results"]] == [
        ("max-ppl-increase", ""), ("max-ppl-increase-over-dynamic", ""), ("max-ppl-increase", "train")]
    assert all(result["passed"] for result in job["gate_results"])
    assert "rtn_dynamic" in {row["name"] for row in job["rows"]}, "what the gate compares with was added"

    assert service.cli("gate", job["name"]).returncode == 0, "the job's own"
    perplexity = {row["name"]: row["perplexity"] for row in job["rows"]}
    increase = perplexity["sasq"] / perplexity["fp"] - 1
    for bound, code in ((increase + 0.01, 0), (increase - 0.01, 3)):
        asked = service.cli("gate", job["name"], "--gate", f"max-ppl-increase={bound:.6f}")
        assert asked.returncode == code, asked
    assert asked.stderr.startswith("sasq: quality gate failed: max-ppl-increase is ")
    assert service.cli("gate", job["name"], "--gate", "max-kl=100").returncode == 3, "it was not measured"


def test_killed_worker_of_a_job_that_fails_its_gate(service, client, make_spec, tmp_path):
    spec = make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}], gates=HARD)
    whole = client.watch(client.submit(spec))
    files = check_rejected(client, whole, tmp_path / "whole")

    name = client.submit(spec)
    assert client.watch(name, until=in_mid_training)["state"] == "JOB_STATE_RUNNING"
    service.programs[-1].kill()
    service.start_worker("another")
    job = client.watch(name)
    assert job["attempt_count"] == 2
    killed = check_rejected(client, job, tmp_path / "killed")
    assert job["gate_results"] == whole["gate_results"]
    assert killed["scales.safetensors"].read_bytes() == files["scales.safetensors"].read_bytes()


def test_gates_come_from_spec_files_and_survive_a_restart(service, client, make_spec):
    name = client.submit(make_spec(gates=LOOSE))
    assert client.watch(name)["state"] == "JOB_STATE_SUCCEEDED"
    rejected = client.submit(make_spec(gates=HARD))
    assert client.watch(rejected)["state"] == "JOB_STATE_FAILED"
    service.coordinator.kill()
    service.start_coordinator()
    again = service.client()
    assert artifact_of(again, again.job(rejected))["rejected"]
    assert not artifact_of(again, again.job(name))["rejected"]
    again.close()


@pytest.mark.parametrize("changes, field, words", [
    ({"gates": {"max_perplexity_increase": -2}}, "spec.gates.max_perplexity_increase", "want -1..1000"),
    ({"gates": {"other_texts": [{"name": "code", "max_perplexity": 9}]}}, "spec.gates.other_texts[0].name", "code"),
    ({"gates": {"max_kl_divergence": 1}, "evaluation": {"window_tokens": 128, "agreement_window_count": 0}},
     "spec.evaluation.agreement_window_count", "is 0"),
    ({"gates": HARD, "kind": "JOB_KIND_COMPARE"}, "spec.gates", "JOB_KIND_COMPARE"),
])
def test_refused_gates(coordinator_only, client, make_spec, changes, field, words):
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(make_spec(**changes))
    assert words in error.value.violations[field]
