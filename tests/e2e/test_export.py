"""Exports that real clients load: `sasq export`, then transformers with compressed-tensors."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from safetensors import safe_open

from tiny_model import LAYERS

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOSS = ROOT / "scripts" / "export_loss.py"
LINEARS_PER_LAYER = 7
# The client rounds as the job does, in float32; sums in another order move the loss by much less.
AGREEMENT = 0.005


def loss_of(folder, text, window_tokens, *flags):
    """What the real client measures."""
    run = subprocess.run([sys.executable, "-B", LOSS, folder, "--text", text,
                          f"--window-tokens={window_tokens}", *flags], capture_output=True, text=True,
                         timeout=600, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def job_loss(folder):
    """The mean loss of the exported row in the job's report, over one window."""
    report = json.loads((folder / "report.json").read_text())
    row, = (row for row in report["rows"] if row["name"] == report["recipe"])
    loss, = row["window_mean_loss"]
    return loss


def run_job(service, client, spec, folder):
    """Runs a job and downloads its artifact; returns the job's name."""
    job = client.watch(client.submit(spec))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    client.download(job["name"], folder)
    return job["name"]


@pytest.fixture
def exported(service, client, make_spec, inputs, tmp_path):
    """Exports a job on the tiny model, with sites of every precision, and returns its folder."""

    def export(*flags, **recipe):
        spec = make_spec(evaluation={"window_count": 1, "window_tokens": 256}, baselines=[{"method": "METHOD_FP"}])
        spec["recipe"].update(recipe)
        name = run_job(service, client, spec, tmp_path / "artifact")
        run = service.cli("export", name, "--model", inputs / "model", "--out", tmp_path / "out", *flags)
        assert run.returncode == 0, run.stderr
        return tmp_path / "out"

    return export


@pytest.mark.parametrize("rotation", ["ROTATION_NONE", "ROTATION_FOLDED"])
def test_transformers_loads_sites_of_every_precision(exported, inputs, tmp_path, rotation):
    folder = exported(rotation=rotation, sites={
        "float_sites": ["layers.0.down_in"], "dynamic_sites": ["layers.1.qkv_in", "layers.1.down_in"]})
    measured = loss_of(folder, inputs / "eval.txt", 256)
    assert measured["static_scales"] == LAYERS * LINEARS_PER_LAYER - 1 - 3 - 1
    assert measured["mean_loss"] == pytest.approx(job_loss(tmp_path / "artifact"), rel=AGREEMENT)


def test_transformers_loads_a_smoothed_model(exported, inputs, tmp_path):
    folder = exported(smoothing={"include_down": True}, sites={"float_sites": ["layers.0.down_in"]})
    measured = loss_of(folder, inputs / "eval.txt", 256)
    assert measured["mean_loss"] == pytest.approx(job_loss(tmp_path / "artifact"), rel=AGREEMENT)
    assert "norms and `up_proj` are divided" in (folder / "README.md").read_text()


def test_job_and_downloaded_pack_give_the_same_bytes(service, exported, inputs, tmp_path):
    folder = exported(rotation="ROTATION_FOLDED")
    run = service.cli("export", tmp_path / "artifact" / "scales.safetensors", "--model", inputs / "model",
                      "--out", tmp_path / "again", "--quiet")
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    for name in files:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    assert "| **`sasq-rotated`** |" in (folder / "README.md").read_text()


def test_shards_have_an_index(exported):
    folder = exported("--max-shard-size", "50KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    for name, file in index["weight_map"].items():
        with safe_open(folder / file, framework="numpy") as shard:
            assert name in shard.keys()
            assert shard.metadata() == {"format": "pt"}


def test_refusals(service, exported, inputs, tmp_path):
    folder = exported()
    pack = tmp_path / "artifact" / "scales.safetensors"

    def refused(code, words, *flags, source=pack, model=inputs / "model", out=tmp_path / "other"):
        run = service.cli("export", source, "--model", model, "--out", out, *flags)
        assert run.returncode == code and words in run.stderr, run.stderr
        assert not (tmp_path / "other").exists()

    refused(1, "is not empty", out=folder)
    refused(2, "belongs to weights with the digest", model=other_model(tmp_path))
    refused(2, "want cpu or a compute capability", "--target", "vllm", "--device", "gpu")
    refused(4, "there is no file", source=tmp_path / "none.safetensors")
    refused(4, "no job", source="0123456789abcdef")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(pack.read_bytes()[:-1])
    refused(2, "damaged.safetensors", source=damaged)
    assert sorted(path.name for path in folder.parent.iterdir() if path.name.startswith("out")) == ["out"]

    replaced = service.cli("export", pack, "--model", inputs / "model", "--out", folder, "--force",
                           "--target", "vllm", "--device", "sm_100", "--output", "json")
    assert replaced.returncode == 0, replaced.stderr
    assert "warning: vLLM fails at start on sm_100" in replaced.stderr
    assert json.loads(replaced.stdout)["static_sites"] == 4 * LAYERS


def other_model(folder):
    """The tiny model with one weight changed."""
    import tiny_model

    def change(weights):
        weights["model.norm.weight"] = weights["model.norm.weight"] * 2

    return tiny_model.write_model(folder / "changed", change_tensors=change)


def test_what_the_format_cannot_say_is_refused(service, client, make_spec, inputs, tmp_path):
    name = run_job(service, client, make_spec(first_token="FIRST_TOKEN_FLOAT", baselines=[{"method": "METHOD_FP"}]),
                   tmp_path / "artifact")
    run = service.cli("export", name, "--model", inputs / "model", "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "cannot be exported exactly: the first token of a sequence stays in floating point" in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(service, exported, inputs, tmp_path):
    exported()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True,
                             text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        run = service.cli("export", tmp_path / "artifact", "--model", inputs / "model", "--out", disk / "out")
        assert run.returncode == 1 and "No space left" in run.stderr, run.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def real_model():
    """SmolLM2-135M."""
    folder = os.environ.get("SASQ_MODEL_DIR")
    if not folder:
        pytest.skip("SASQ_MODEL_DIR is not set: scripts/get_model.sh makes the model")
    return pathlib.Path(folder)


def test_a_real_model_keeps_its_quality(service, client, real_model, tmp_path):
    """A short job of the serving preset: the client's loss is the job's, and the scales matter."""
    text = tmp_path / "text.txt"
    pages = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")])
    text.write_text("\n".join(page.read_text() for page in pages))
    spec = {
        "model": {"uri": f"file:{real_model}"},
        "training_text": {"uri": f"file:{text}"},
        "evaluation_text": {"uri": f"file:{text}"},
        "recipe": {"preset": "PRESET_SASQ_SERVE", "training": {"step_count": 2, "window_tokens": 64}},
        "baselines": [{"method": "METHOD_FP"}],
        "calibration": {"window_count": 2, "window_tokens": 128},
        "evaluation": {"window_count": 1, "window_tokens": 2048},
    }
    name = run_job(service, client, spec, tmp_path / "artifact")
    shard_bytes, spare_bytes = 100_000_000, 256 << 20

    # By a program of its own: gRPC's threads here do not survive a fork that runs Python.
    limit = ["prlimit", f"--data={shard_bytes + spare_bytes}"]
    run = subprocess.run([*limit, *service.cli_command(
        "export", tmp_path / "artifact", "--model", real_model, "--out", tmp_path / "out",
        "--max-shard-size", shard_bytes)], capture_output=True, text=True, timeout=300,
        env=service.cli_environment(), check=False)
    assert run.returncode == 0, f"{name}: {run.stderr}"
    measured = loss_of(tmp_path / "out", text, 2048)
    assert measured["mean_loss"] == pytest.approx(job_loss(tmp_path / "artifact"), rel=AGREEMENT)
    doubled = loss_of(tmp_path / "out", text, 2048, "--scale-factor=2")
    assert abs(doubled["mean_loss"] - measured["mean_loss"]) > 0.01
