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
    client.cancel(name)
