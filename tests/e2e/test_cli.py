"""The command line: exit codes, formats, and messages for what people get wrong."""

import json
import signal
import time

import pytest


def flags(inputs, *more, eval_text=None):
    """Flags of a small job."""
    return ["--model", inputs / "model", "--train-text", inputs / "train.txt",
            "--eval-text", eval_text or inputs / "eval.txt", "--steps", 8, "--window-tokens", 32,
            "--calibration-windows", 4, "--calibration-tokens", 64,
            "--eval-windows", 2, "--eval-tokens", 128, *more]


def test_submit_wait_download(service, inputs, tmp_path):
    submitted = service.cli("submit", *flags(inputs, "--wait", "--baseline", "fp",
                                             "--baseline", "static_mse:float"))
    assert submitted.returncode == 0, submitted
    for method in ("fp", "static_mse", "sasq"):
        assert method in submitted.stdout
    assert "\x1b" not in submitted.stdout + submitted.stderr, "no colours where there is no terminal"

    job = service.cli("list", "--quiet", "--limit", 1).stdout.strip()
    shown = json.loads(service.cli("get", job, "--output", "json").stdout)
    assert shown["state"] == "JOB_STATE_SUCCEEDED"
    # The float row on the tokens of the second baseline was added.
    assert len(shown["rows"]) == 4

    folder = tmp_path / "out"
    for _ in range(2):  # the second time nothing is left to do
        downloaded = service.cli("download", job, "--dir", folder)
        assert downloaded.returncode == 0, downloaded
    assert json.loads((folder / "report.json").read_text())["recipe"] == "sasq"
    (folder / "report.json").write_text("mine")
    assert service.cli("download", job, "--dir", folder).returncode == 1
    assert (folder / "report.json").read_text() == "mine"
    assert service.cli("logs", job).stdout
    assert "worker" in service.cli("workers").stdout


def test_spec_file(service, inputs, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"""
model: {{uri: "file:{inputs}/model"}}
training_text: {{uri: "file:{inputs}/train.txt"}}
evaluation_text: {{uri: "file:{inputs}/eval.txt"}}
recipe: {{method: static_mse}}
baselines: [{{method: fp}}]
calibration: {{window_count: 4, window_tokens: 64}}
evaluation: {{window_count: 2, window_tokens: 128}}
""")
    done = service.cli("submit", "--wait", "--output", "json", spec)
    assert done.returncode == 0, done
    assert [row["method"] for row in json.loads(done.stdout)["rows"]] == ["METHOD_FP", "METHOD_STATIC_MSE"]

    spec.write_text(spec.read_text().replace("window_count: 2", "window_cuont: 2"))
    refused = service.cli("submit", spec)
    assert refused.returncode == 2
    assert "window_cuont" in refused.stderr and "window_count" in refused.stderr


@pytest.mark.parametrize("arguments, words", [
    (["submit"], ["model"]),
    (["submit", "--steps", "many"], ["--steps", "many"]),
    (["submit", "--nonsense"], ["--nonsense"]),
    (["frobnicate"], ["frobnicate"]),
    (["get", "not/a/job"], ["not/a/job"]),
])
def test_usage_errors(coordinator_only, arguments, words):
    run = coordinator_only.cli(*arguments)
    assert run.returncode == 2, run
    for word in words:
        assert word in run.stderr


def test_out_of_range_flag_is_named(coordinator_only, inputs):
    run = coordinator_only.cli("submit", *flags(inputs, "--max-attempts", 11))
    assert run.returncode == 2
    assert "--max-attempts" in run.stderr and "1..10" in run.stderr


def test_not_found(coordinator_only):
    assert coordinator_only.cli("get", "jobs/" + "0" * 32).returncode == 4


def test_unavailable(coordinator_only):
    coordinator_only.coordinator.kill()
    run = coordinator_only.cli("list")
    assert run.returncode == 5
    assert coordinator_only.endpoint in run.stderr


def test_failed_job(service, inputs, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    run = service.cli("submit", "--wait", *flags(inputs, eval_text=empty))
    assert run.returncode == 1
    assert str(empty) in run.stderr


def test_wait_times_out_and_ctrl_c_leave_the_job(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    assert coordinator_only.cli("wait", name, "--timeout", "200ms").returncode == 124
    waiting = coordinator_only.start_cli("wait", name)
    # It watches once it says what the job waits for.
    line = waiting.stdout.readline()
    waiting.send_signal(signal.SIGINT)
    rest, _ = waiting.communicate(timeout=10)
    assert waiting.returncode == 130, line + rest
    assert client.job(name)["state"] == "JOB_STATE_QUEUED"


def test_cancel_and_delete(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    assert coordinator_only.cli("cancel", name).returncode == 0
    assert client.job(name)["state"] == "JOB_STATE_CANCELLED"
    start = time.monotonic()
    assert coordinator_only.cli("wait", name).returncode == 1
    assert time.monotonic() - start < 10
