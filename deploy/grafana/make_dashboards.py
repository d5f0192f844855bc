"""Writes dashboards/*.json, as Grafana reads them, from panels.yml.

usage: make_dashboards.py
"""

import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
HEIGHTS = {"stat": 4, "timeseries": 8, "bargauge": 8}


def load():
    """The dashboards as panels.yml has them."""
    return yaml.safe_load((FOLDER / "panels.yml").read_text())


def steps(thresholds):
    """Thresholds in Grafana's form: the lowest one holds from the beginning on."""
    return [{"color": color, "value": value if i else None} for i, (value, color) in enumerate(thresholds.items())]


def make_panel(source, identifier, x, y):
    kind = source.get("kind", "timeseries")
    defaults = {"unit": source["unit"], "color": {"mode": "palette-classic"}}
    minimum = source.get("min", 0)
    if minimum != "none":
        defaults["min"] = minimum
    if "empty" in source:
        defaults["noValue"] = source["empty"]
    if kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 30 if source.get("stack") else 0, "lineWidth": 1, "showPoints": "never",
                              "stacking": {"mode": "normal" if source.get("stack") else "none"}}
        options = {"legend": {"displayMode": "list", "placement": "bottom"},
                   "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
        if kind == "bargauge":
            options |= {"orientation": "horizontal", "displayMode": "basic"}
    if "thresholds" in source:
        defaults["color"] = {"mode": "thresholds"}
        defaults["thresholds"] = {"mode": "absolute", "steps": steps(source["thresholds"])}
    return {
        "id": identifier, "type": kind, "title": source["title"], "description": source["description"],
        "datasource": SOURCE, "gridPos": {"h": HEIGHTS[kind], "w": source.get("width", 8), "x": x, "y": y},
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
        "targets": [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query, "legendFormat": legend,
                     "instant": kind != "timeseries", "range": kind == "timeseries"}
                    for i, (legend, query) in enumerate(source["queries"].items())],
    }


def lay_out(rows):
    """Panels from left to right, a line below where they do not fit, each row under its heading."""
    panels, y = [], 0
    for row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row["title"], "collapsed": False, "panels": [],
                       "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
        x, y, height = 0, y + 1, 0
        for source in row["panels"]:
            if x + source.get("width", 8) > WIDTH:
                x, y = 0, y + height
            panels.append(make_panel(source, len(panels) + 1, x, y))
            x += panels[-1]["gridPos"]["w"]
            height = panels[-1]["gridPos"]["h"]
        y += height
    return panels


def make_dashboard(source):
    variables = [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
    variables += [{"name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
                   "definition": query, "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
                   "current": {"text": "All", "value": "$__all"}} for name, query in source["variables"].items()]
    return {
        "uid": source["uid"], "title": source["title"], "description": source["description"], "tags": ["sasq"],
        "schemaVersion": 38, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"}, "templating": {"list": variables}, "panels": lay_out(source["rows"]),
    }


def dashboards():
    """The files' names and what is in them."""
    return {f"{source['uid']}.json": json.dumps(make_dashboard(source), indent=1) + "\n" for source in load()}


if __name__ == "__main__":
    for file_name, content in dashboards().items():
        (FOLDER / "dashboards" / file_name).write_text(content)
