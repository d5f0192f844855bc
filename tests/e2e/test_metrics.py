"""What Prometheus scrapes from both programs while a job runs."""

import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def promtool():
    tools = ROOT / ".deps" / "tools" / "promtool"
    return str(tools) if tools.exists() else shutil.which("promtool")


def test_metrics_of_both_programs_during_a_job(service, client, make_spec):
    name = client.submit(make_spec(steps=100000))
    client.watch(name, until=lambda job: (job.get("progress") or {}).get("stage") == "STAGE_TRAIN")
    for program in (service.coordinator, service.programs[-1]):
        text = program.metrics()
        linted = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True)
        assert linted.returncode == 0 and not linted.stderr.strip(), linted.stderr
        families = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
        own = [family for family in families if family.startswith("sasq_")]
        assert len(own) >= 5, families
        assert "sasq_build_info" in own
        assert name.removeprefix("jobs/") not in text, "a job's id is no label"
        page = f"127.0.0.1:{program.ports['metrics']}"
        assert service.cli("health", "--metrics", page).stdout == "SERVING\n"
    assert service.cli("health", "--service", "sasq.v1.QuantizationService").stdout == "SERVING\n"
    client.cancel(name)


def test_a_job_leaves_figures_of_quality_and_cost(service, client, make_spec):
    job = client.watch(client.submit(make_spec()))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    text = service.programs[-1].metrics()

    def value(name, **labels):
        wanted = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
        found = re.search(rf"^{re.escape(f'{name}{{{wanted}}}')} (\S+)$", text, re.MULTILINE)
        assert found, f"{name} {labels} in\n{text}"
        return float(found[1])

    rows = {row["method"]: row for row in job["rows"]}
    ratio = rows["METHOD_SASQ"]["perplexity"] / rows["METHOD_FP"]["perplexity"]
    labels = {"model_family": "llama", "dataset": "other", "method": "sasq"}
    assert abs(value("sasq_worker_perplexity_ratio", **labels) - ratio) < 1e-3
    assert value("sasq_worker_perplexity_ratios_count", **labels) == 1
    assert 0 <= value("sasq_worker_clipped_ratio", **labels) <= 1
    assert value("sasq_worker_kernel_seconds_total", kernel="int8_linear") > 0
    assert value("sasq_worker_tokens_total", stage="train") == 8 * 32
    assert value("sasq_worker_cpu_seconds_total", method="sasq") > 0
    assert value("sasq_worker_cache_requests_total", result="hit") == 0
    coordinator = service.coordinator.metrics()
    assert 'sasq_blob_bytes_total{operation="publish"}' in coordinator
    assert 'sasq_oldest_heartbeat_age_seconds{device="cpu"}' in coordinator
