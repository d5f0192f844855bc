"""Jobs from submit to artifact, against the real service."""

import json
import math

import pytest

import sasq
from sasq.v1 import job_pb2, job_spec_pb2


def test_submit_wait_and_read(service, client, make_spec, tmp_path, capfd):
    job = client.submit(make_spec(), display_name="from a dict").wait(timeout=300, progress=True)
    assert (job.state, job.is_ended) == ("SUCCEEDED", True)
    assert job.spec.display_name == "from a dict"
    assert job.spec.max_attempts == 3, "defaults are written out"
    assert {row.name for row in job.rows} == {"fp", "rtn_dynamic", "static_absmax", "static_mse", "sasq"}
    assert job.result is not None and job.result.name == "sasq"
    assert 1 < job.result.perplexity < math.inf
    assert job.ratio_to_float(job.result) == pytest.approx(
        job.result.perplexity / next(row.perplexity for row in job.rows if row.name == "fp"))
    assert capfd.readouterr().err.splitlines()[-1] == "succeeded"

    files = job.artifact.download(tmp_path / "out")
    assert set(files) == {"scales.safetensors", "report.json", "report.html", "report.md", "manifest.json"}
    assert json.loads(files["report.json"].read_text()) == job.report()
    assert client.job(job.id).artifact.name == f"artifacts/{job.id}"


def test_table(finished):
    lines = finished.table().splitlines()
    assert lines[0].split() == ["row", "perplexity", "ratio", "to", "fp", "95%", "interval", "tokens", "time"]
    assert [line.split()[0] for line in lines[2:]] == ["fp", "rtn_dynamic", "static_absmax", "static_mse", "sasq"]
    assert len(set(map(len, lines))) == 1, "aligned"
    markdown = finished.table("markdown").splitlines()
    assert markdown[0].startswith("| row | perplexity | ratio to fp |")
    assert markdown[1].startswith("|---|---:|") and len(markdown) == 7
    with pytest.raises(ValueError, match="text or markdown"):
        finished.table("html")


def test_watch_yields_pictures_in_order(service, client, make_spec):
    job = client.submit(make_spec())
    pictures = list(job.watch(timeout=300))
    sequences = [picture.message.sequence for picture in pictures]
    assert sequences == sorted(set(sequences))
    assert pictures[-1].state == job.state == "SUCCEEDED"
    # Of a job that has ended there is one picture.
    assert [picture.state for picture in job.watch()] == ["SUCCEEDED"]


def test_logs(finished):
    lines = list(finished.logs())
    assert len(lines) > 3 and not any("\n" in line for line in lines)
    assert list(finished.logs(follow=True)) == lines


def test_request_id_makes_submitting_idempotent(client, make_spec):
    job = client.submit(make_spec(), request_id="once")
    assert client.submit(make_spec(), request_id="once").name == job.name
    with pytest.raises(sasq.Conflict) as error:
        client.submit(make_spec(steps=9), request_id="once")
    assert error.value.reason == "REQUEST_ID_REUSED"


def test_a_job_belongs_to_the_trace_of_the_environment(client, make_spec, monkeypatch):
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    monkeypatch.setenv("TRACEPARENT", f"00-{trace_id}-00f067aa0ba902b7-01")
    assert client.submit(make_spec()).message.traceparent.split("-")[1] == trace_id
    monkeypatch.setenv("TRACEPARENT", "n\u00f6")
    assert trace_id not in client.submit(make_spec()).message.traceparent


def test_plan_makes_no_job(client, make_spec):
    plan = client.plan(make_spec())
    assert plan.model_readable and plan.site_count == 8 and plan.flop_count > 0
    assert list(client.jobs()) == []


def test_jobs_are_found_by_name_prefix_and_state(client, make_spec):
    made = [client.submit(make_spec(seed=seed)) for seed in range(3)]
    assert [job.name for job in client.jobs()] == [job.name for job in reversed(made)]
    made[0].cancel()
    assert [job.name for job in client.jobs(states=["cancelled"])] == [made[0].name]
    assert client.job(made[1].name).name == client.job(made[1].id[:12]).name == made[1].name
    with pytest.raises(sasq.InvalidRequest, match="queued, running"):
        list(client.jobs(states=["waiting"]))


@pytest.mark.parametrize("name", ["jobs/" + "0" * 32, "0" * 12])
def test_not_found(client, name):
    with pytest.raises(sasq.NotFound):
        client.job(name)


def test_a_name_that_is_none(client):
    with pytest.raises(sasq.InvalidRequest) as error:
        client.job("no such name")
    assert error.value.reason == "INVALID_NAME"


def test_delete(client, make_spec):
    job = client.submit(make_spec())
    with pytest.raises(sasq.Conflict) as error:
        job.delete()
    assert error.value.reason == "JOB_NOT_ENDED"
    job.cancel()
    job.delete()
    with pytest.raises(sasq.NotFound) as error:
        job.refresh()
    assert error.value.reason == "JOB_NOT_FOUND"


def test_cancel(service, client, make_spec):
    job = client.submit(make_spec(steps=100000))
    next(picture for picture in job.watch() if picture.state == "RUNNING")
    assert job.cancel().state in ("CANCELLING", "CANCELLED")
    with pytest.raises(sasq.JobCancelled) as error:
        job.wait(timeout=60)
    assert error.value.job is job and job.state == "CANCELLED"
    with pytest.raises(sasq.Conflict) as error:
        job.artifact
    assert error.value.reason == "JOB_NOT_SUCCEEDED"


def test_cancel_of_an_ended_job(finished):
    with pytest.raises(sasq.Conflict) as error:
        finished.cancel()
    assert error.value.reason == "JOB_ENDED"


def test_failed_job(service, client, make_spec, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("Too short.\n")
    job = client.submit(make_spec(), evaluation_text=short)
    with pytest.raises(sasq.JobFailed, match="fewer than one window of 128") as error:
        job.wait(timeout=120)
    assert error.value.reason == "INVALID_TEXT" and error.value.job.state == "FAILED"
    assert not isinstance(error.value, sasq.QualityGateFailed)


def test_wait_timeout_leaves_the_job(client, make_spec):
    job = client.submit(make_spec())
    with pytest.raises(sasq.WaitTimeout):
        job.wait(timeout=0.2)
    with pytest.raises(TimeoutError):  # what CI scripts know
        job.wait(timeout=0)
    assert job.refresh().state == "QUEUED"


def test_workers(service, client):
    service.programs[-1].await_log("registered")
    (worker,) = client.workers()
    assert worker.id == "worker" and worker.capabilities.kernel_path


def test_comparison_has_no_recipe_row(service, client, make_spec):
    spec = make_spec()
    del spec["recipe"]
    job = client.submit(spec, kind="compare", baselines=["fp", "static_mse:float"]).wait(timeout=300)
    assert job.result is None
    assert {row.name for row in job.rows} == {"fp", "fp-first-token-float", "static_mse-first-token-float"}
    lines = [line.split()[0].strip("-") for line in job.table().splitlines()[1:]]
    assert lines[:3] == ["", "fp", ""], "rows scored on the same tokens stand together"
    assert set(lines[3:]) == {"fp-first-token-float", "static_mse-first-token-float"}
    with pytest.raises(sasq.NotFound, match="has no file scales.safetensors"):
        job.artifact.scales()


def test_text_from_elsewhere_is_cleaned():
    row = job_pb2.ReportRow(name="a\x1b[2J\nb|c", method=job_spec_pb2.METHOD_FP, failure="no\r\x9b1A")
    job = sasq.Job(None, job_pb2.Job(rows=[row]))
    for form in ("text", "markdown"):
        assert not set("\x1b\r\x9b") & set(job.table(form))
    assert "a\N{REPLACEMENT CHARACTER}[2J b\\|c" in job.table("markdown")
    assert "failed" in job.table() and job.table().endswith("no\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}1A\n")
