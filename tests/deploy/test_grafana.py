"""The dashboards are what their source makes, and every panel says what it shows."""

import json

import pytest

import charts
import make_dashboards
from tree import DEPLOY, documents

PANELS = [pytest.param(panel, id=f"{source['uid']}-{panel['title']}")
          for source in make_dashboards.load() for row in source["rows"] for panel in row["panels"]]


def test_the_committed_files_are_what_the_source_makes():
    made = make_dashboards.dashboards()
    folder = DEPLOY / "grafana" / "dashboards"
    assert made == {file.name: file.read_text() for file in folder.iterdir()}, "run deploy/grafana/make_dashboards.py"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_unit_words_and_queries(panel):
    assert panel["unit"] in charts.SCALES, "a unit that draw.py knows too"
    assert panel["description"].endswith(".") and panel["queries"]
    for query in panel["queries"].values():
        assert "histogram_quantile" not in query, "heavy: make it a recording rule"
        assert "$instance" in query or "sasq:" in query or "sum by" in query or "count(" in query, query


def test_panels_do_not_overlap():
    for content in make_dashboards.dashboards().values():
        taken = set()
        for panel in json.loads(content)["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
            taken |= cells


def test_provisioning_names_what_is_there():
    source = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")[0]["datasources"][0]
    assert source["type"] == "prometheus" and source["url"] == "${PROMETHEUS_URL}"
    provider = documents(DEPLOY / "grafana/provisioning/dashboards/sasq.yml")[0]["providers"][0]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


@pytest.mark.parametrize("value, unit, text", [
    (0, "s", "0"), (0.0042, "s", "4.2 ms"), (90, "s", "1.5 min"), (7200, "s", "2 h"), (1536, "bytes", "1.5 KiB"),
    (0.9991, "percentunit", "99.9%"), (1234567, "short", "1.23M"), (3, "short", "3"), (1.0023, "none", "1.002"),
    (2.5, "ops", "2.5 /s")])
def test_values_are_written_as_people_read_them(value, unit, text):
    assert charts.text_of(value, unit) == text
