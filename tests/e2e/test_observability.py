"""Every query of every panel and every rule of deploy/, asked of a real Prometheus that watched real jobs."""

import html
import json
import math
import subprocess
import sys
import time

import pytest

from prometheus import ROOT, Prometheus
from service import Service

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
sys.path.insert(0, str(ROOT / "deploy" / "grafana"))
import make_dashboards  # noqa: E402
import promql  # noqa: E402

# What a healthy service never counts: of a panel panels.yml says why.
NEVER_COUNTED = {"sasq_store_errors_total", "sasq:store_errors:rate5m"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory, inputs):
    """A service that has done jobs of every outcome, and the Prometheus that watched it."""
    folder = tmp_path_factory.mktemp("observability")
    service = Service(folder / "service")
    prometheus = None
    try:
        service.start_coordinator()
        cache = folder / "cache"
        cache.mkdir()
        service.start_worker(flags=[f"--cache_dir={cache}"])
        targets = {job: [f"127.0.0.1:{program.ports['metrics']}"]
                   for job, program in zip(("sasqd", "sasq-worker"), service.programs, strict=True)}
        prometheus = Prometheus(folder / "prometheus", targets)
        prometheus.await_value('count(up == 1)', lambda count: count == 2)
        do_jobs(service, inputs, prometheus)
        yield prometheus
    finally:
        if prometheus is not None:
            prometheus.stop()
        service.close()


def do_jobs(service, inputs, prometheus):
    """A job that succeeds, one that misses its gate, one that fails, one that is cancelled, one that waits."""
    client = service.client()

    def spec(**changes):
        return {"model": {"uri": f"file:{inputs}/model"}, "training_text": {"uri": f"file:{inputs}/train.txt"},
                "evaluation_text": {"uri": f"file:{inputs}/eval.txt"},
                "recipe": {"method": "METHOD_SASQ", "training": {"step_count": 8, "window_tokens": 32}},
                "calibration": {"window_count": 4, "window_tokens": 64},
                "evaluation": {"window_count": 2, "window_tokens": 128}, **changes}

    # Twice, with a scrape in between: rates compare what was counted before with what is counted now.
    for count in (1, 2):
        done = client.watch(client.submit(spec()))
        assert done["state"] == "JOB_STATE_SUCCEEDED", done
        client.download(done["name"], service.folder / f"result-{count}")
        for counter in ("sasq_jobs_finished_total", "sasq_worker_tasks_total"):
            prometheus.await_value(f'{counter}{{outcome="succeeded"}}', lambda value, count=count: value == count)
    rejected = client.watch(client.submit(spec(gates={"max_perplexity": 1.5})))
    assert rejected["error"]["reason"] == "JOB_FAILURE_REASON_QUALITY_GATE", rejected
    client.cancel(client.submit(spec(device_kind="DEVICE_KIND_CUDA")))
    client.submit(spec(device_kind="DEVICE_KIND_CUDA"))
    with pytest.raises(Exception, match="NOT_FOUND"):
        client.job("jobs/" + "0" * 32)
    client.close()
    # The last things that happened have been scraped, and rules were evaluated since.
    prometheus.await_value('sum(sasq_queued_jobs_without_worker{device="cuda"})', lambda count: count == 1)
    prometheus.await_value("sum(sasq:jobs_finished:increase1h)", lambda count: count > 3)
    prometheus.await_value('sum(sasq:rpcs:rate5m{code="NOT_FOUND"})', lambda rate: rate >= 0)


def is_finite(value):
    return math.isfinite(float(value))


def answers(prometheus, query, is_instant):
    """Whether a query gives a number, now or at some time of the last minutes."""
    if is_instant:
        result = prometheus.get("query", query=query)["result"]
        return any(is_finite(series["value"][1]) for series in result)
    now = time.time()
    result = prometheus.get("query_range", query=query, start=now - 60, end=now, step=1)["result"]
    return any(is_finite(value) for series in result for _, value in series["values"])


def panels():
    empty = {(source["title"], panel["title"]): panel["empty"] for source in make_dashboards.load()
             for row in source["rows"] for panel in row["panels"] if "empty" in panel}
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                reason = empty.get((dashboard["title"], panel["title"]), "")
                yield pytest.param(target["expr"], target["instant"], reason,
                                   id=f"{file.stem}-{panel['title']}-{target['refId']}")


@pytest.mark.parametrize("query, is_instant, reason", list(panels()))
def test_every_query_of_every_panel_has_an_answer(watched, query, is_instant, reason):
    filled = promql.fill_in(query)
    assert answers(watched, filled, is_instant) or reason, f"nothing comes of {filled}"


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_variable_has_values(watched, file):
    for variable in json.loads(file.read_text())["templating"]["list"]:
        if variable["type"] != "query":
            continue
        series, label = promql.label_values(variable["definition"])
        values = watched.get(f"label/{label}/values", **{"match[]": series})
        assert values, variable["definition"]


def test_every_rule_is_evaluated_and_has_an_answer(watched):
    rules = [rule for group in watched.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 40
    for rule in rules:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
        if rule["type"] == "recording" and rule["name"] not in NEVER_COUNTED:
            assert answers(watched, rule["name"], is_instant=False), rule["name"]


def test_alerts_are_asked_of_series_that_are_there(watched):
    """An alert over a metric that does not exist never fires: each metric that one names is there."""
    metrics = set(watched.get("label/__name__/values"))
    for group in watched.get("rules")["groups"]:
        for rule in group["rules"]:
            missing = promql.metrics_of(rule["query"]) - metrics - NEVER_COUNTED
            assert not missing, f"{rule['name']} names {missing}"


def test_nothing_fires_while_all_is_well(watched):
    assert not [alert for alert in watched.get("alerts")["alerts"] if alert["state"] == "firing"]


def test_the_dashboards_are_drawn(watched, tmp_path):
    program = ROOT / "deploy" / "grafana" / "draw.py"
    subprocess.run([sys.executable, "-B", program, watched.url, "60", tmp_path], check=True)
    for file in DASHBOARDS:
        page = (tmp_path / f"{file.stem}.html").read_text()
        for panel in json.loads(file.read_text())["panels"]:
            assert html.escape(panel["title"]) in page
        assert page.count("<svg") > 10 and "http" not in page.replace("http://www.w3.org", "")
