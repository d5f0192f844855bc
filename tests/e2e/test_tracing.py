"""One trace from the caller to the worker's stages, and log lines that name it."""

import json
import re

import pytest

from api import ApiError
from collector import Collector

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{CALLER}-01"
SUBMIT = "sasq.v1.QuantizationService/SubmitJob"
COMPLETE = "sasq.dispatch.v1.DispatchService/CompleteTask"


@pytest.fixture
def collector():
    with Collector() as started:
        yield started


def start(service, collector, *flags):
    """A coordinator and a worker that send their spans, and log in JSON."""
    flags = ("--log_format=json", *flags)
    service.start_coordinator(flags, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                                                  "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret%21"})
    return service.start_worker(flags=("--log_format=json", f"--otlp_endpoint={collector.url}"))


def events(program, name=None):
    lines = [json.loads(line) for line in program.log().splitlines()]
    return [line for line in lines if name in (None, line["event"])]


def test_a_job_is_one_trace(bare_service, collector, make_spec):
    worker = start(bare_service, collector)
    client = bare_service.client()
    client.metadata = (("traceparent", TRACEPARENT), ("x-request-id", "pipeline-17"))
    name = client.submit(make_spec(baselines=[{"method": "METHOD_FP"}]))
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert bare_service.coordinator.stop() == 0
    assert worker.stop() == 0

    submit, queued = collector.await_span(SUBMIT), collector.await_span("queued")
    attempt, complete = collector.await_span("attempt"), collector.await_span(COMPLETE)
    assert (submit.service, submit.parent_id) == ("sasqd", CALLER)
    assert submit.attributes["sasq.request"] == "pipeline-17"
    assert submit.attributes["rpc.response.status_code"] == "OK"
    assert collector.await_span("sasq.v1.QuantizationService/WatchJob").parent_id == CALLER, "streams too"
    assert submit.kind == 2 and attempt.kind == 5, "a server and a consumer"
    assert job["traceparent"] == f"00-{TRACE_ID}-{submit.id}-01"
    assert queued.parent_id == attempt.parent_id == submit.id
    assert attempt.service == "sasq-worker"
    assert attempt.attributes["sasq.job"] == name and attempt.attributes["sasq.outcome"] == "succeeded"
    assert (complete.service, complete.parent_id) == ("sasqd", attempt.id)
    stages = [span for span in collector.spans if span.parent_id == attempt.id and span.service == "sasq-worker"]
    assert {"load", "calibrate", "train", "evaluate", "publish"} <= {span.name for span in stages}
    assert all(attempt.start <= span.start <= span.end <= attempt.end for span in stages)
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    assert not any(span.failed for span in collector.spans)
    assert "secret!" in {headers.get("api-key") for headers in collector.headers}

    accepted, = events(bare_service.coordinator, "job_accepted")
    assert (accepted["job"], accepted["trace"], accepted["request"]) == (name, TRACE_ID, "pipeline-17")
    for event in ("job_leased", "job_ended"):
        line, = events(bare_service.coordinator, event)
        assert (line["job"], line["attempt"], line["trace"]) == (name, "1", TRACE_ID)
    for event in ("task_leased", "task_ended"):
        line, = events(worker, event)
        assert (line["job"], line["attempt"], line["worker"], line["trace"]) == (name, "1", "worker", TRACE_ID)
    assert "secret" not in bare_service.coordinator.log() + worker.log()


def test_who_sends_no_trace_begins_one(bare_service, collector, make_spec):
    start(bare_service, collector)
    client = bare_service.client()
    name = client.submit(make_spec(recipe={"method": "METHOD_STATIC_MSE"}))
    submit = collector.await_span(SUBMIT)
    assert submit.parent_id == ""
    assert client.job(name)["traceparent"] == f"00-{submit.trace_id}-{submit.id}-01"
    client.watch(name)
    assert collector.await_span("attempt").trace_id == submit.trace_id
    assert not collector.named("sasq.v1.QuantizationService/GetJob"), "reading begins no trace"


def test_the_command_line_passes_its_trace_on(coordinator_only, inputs, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", TRACEPARENT)
    result = coordinator_only.cli("submit", "--model", inputs / "model", "--train-text", inputs / "train.txt",
                                  "--eval-text", inputs / "eval.txt", "--eval-tokens", "64", "-o", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["traceparent"].split("-")[1] == TRACE_ID


def test_a_collector_that_is_away_disturbs_nobody(bare_service, collector, make_spec):
    collector.is_down = True
    start(bare_service, collector)
    client = bare_service.client()
    name = client.submit(make_spec(recipe={"method": "METHOD_STATIC_MSE"}))
    assert client.watch(name)["state"] == "JOB_STATE_SUCCEEDED"
    collector.is_down = False
    collector.await_span(SUBMIT)
    assert client.job(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_every_answer_names_its_call(coordinator_only):
    client = coordinator_only.client()

    def request_id(sent):
        client.metadata = [("x-request-id", sent)] if sent else []
        with pytest.raises(ApiError) as error:
            client.job("jobs/" + "0" * 32)
        return error.value.metadata["x-request-id"]

    assert request_id("build.7:step_2-a") == "build.7:step_2-a"
    assert re.fullmatch("[0-9a-f]{32}", request_id(None))
    for unfit in ("two words", 'x" level=error', "x" * 129):
        assert re.fullmatch("[0-9a-f]{32}", request_id(unfit)), unfit
