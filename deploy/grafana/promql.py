"""Queries of the dashboards without Grafana: its variables filled in."""

import re

# Grafana's own gives room for four scrapes.
RATE_INTERVAL = "1m"


def fill_in(query):
    """The query with every variable as `All`."""
    return re.sub(r"\$\w+", ".*", query.replace("$__rate_interval", RATE_INTERVAL))


def label_values(definition):
    """The series and the label of label_values(SERIES, LABEL)."""
    return re.fullmatch(r"label_values\((.+), (\w+)\)", definition).groups()


def metrics_of(query):
    """The metrics of this project that a query names."""
    return set(re.findall(r"\bsasq[_:][\w:]+", re.sub(r"\{[^}]*\}|by \([^)]*\)", "", query)))
