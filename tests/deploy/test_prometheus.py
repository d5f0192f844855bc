"""The scrape configuration, the rules and their unit tests, and that each rule has some."""

import re

import pytest

from tree import DEPLOY, ROOT, check, documents, promtool

RULE_FILES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
TEST_FILES = sorted((ROOT / "tests" / "deploy" / "prometheus").glob("*_test.yml"))


def rules():
    return [rule for file in RULE_FILES for group in documents(file)[0]["groups"] for rule in group["rules"]]


def alerts():
    """(name, window or None) of every alert."""
    return [(rule["alert"], rule["labels"].get("window")) for rule in rules() if "alert" in rule]


def checks():
    """(query, samples) of every unit test."""
    return [(check["expr"], check["exp_samples"]) for file in TEST_FILES for test in documents(file)[0]["tests"]
            for check in test["promql_expr_test"]]


def test_configuration():
    check(promtool(), "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_unit_tests_of_rules(file):
    check(promtool(), "test", "rules", file)


def test_every_recording_rule_has_a_unit_test():
    tested = {name for query, samples in checks() for name in re.findall(r"sasq:[\w:]+", query) if samples}
    assert {rule["record"] for rule in rules() if "record" in rule} <= tested


def test_every_alert_has_a_test_that_fires_and_one_that_does_not():
    fires, silent = set(), set()
    for query, samples in checks():
        found = re.search(r'alertname="(\w+)"', query)
        if not found:
            continue
        fired = {(found[1], re.search(r'window="(\w+)"', sample["labels"]) and
                  re.search(r'window="(\w+)"', sample["labels"])[1]) for sample in samples}
        fires |= fired
        silent |= {alert for alert in alerts() if alert[0] == found[1]} - fired
    assert set(alerts()) == fires & silent


def test_every_alert_has_a_section_in_the_runbook():
    page = (ROOT / "docs" / "operations.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == {name for name, _ in alerts()}
    for rule in rules():
        if "alert" not in rule:
            continue
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
        for part in ("**Means:**", "**Look:**", "**Do:**"):
            assert part in sections[rule["alert"]], f"{rule['alert']} lacks {part}"
        assert rule["labels"]["severity"] in ("page", "ticket")
