"""Draws what each dashboard would show now, as one self-contained HTML page: for readers who have no Grafana yet.

usage: draw.py PROMETHEUS_URL SECONDS FOLDER     of the last SECONDS, into FOLDER/UID.html
"""

import html
import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

import charts
import promql

POINTS = 240
PAGE_WIDTH = 1560  # pixels, of 24 columns
STYLE = """
body{margin:0;padding:20px;width:1560px;background:#f4f5f5;color:#24292e;font:13px/1.4 Inter,"DejaVu Sans",sans-serif}
h1{margin:0;font-size:22px}h2{margin:18px 0 8px;font-size:15px}p{margin:2px 0 0;color:#586069}
.grid{display:grid;grid-template-columns:repeat(24,1fr);gap:8px}
.panel{background:#fff;border:1px solid #e1e4e8;border-radius:3px;padding:8px 10px;overflow:hidden}
.panel h3{margin:0 0 4px;font-size:13px;font-weight:600}svg{display:block}
.big{font-size:30px;font-weight:600;padding:6px 0 2px}.none{color:#8b949e;padding:40px 0;text-align:center}
.legend{color:#586069;font-size:11px;line-height:1.5;max-height:50px;overflow:hidden}
.legend i{display:inline-block;width:10px;height:3px;margin:0 4px 3px 0}
.legend span{margin-right:10px;white-space:nowrap}
"""


class Source:
    """Prometheus, over a stretch of time that ends now."""

    def __init__(self, url, seconds):
        self.url, self.end, self.seconds = url, time.time(), seconds

    def ask(self, target):
        """[(legend, [(time, value)])] of a target; an instant one has one value each."""
        query = {"query": promql.fill_in(target["expr"])}
        if target["instant"]:
            query["time"] = self.end
        else:
            query |= {"start": self.end - self.seconds, "end": self.end, "step": max(1, self.seconds // POINTS)}
        path = "query" if target["instant"] else "query_range"
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=60) as reply:
            result = json.load(reply)["data"]["result"]
        return [(legend_of(target["legendFormat"], series["metric"]),
                 [(when, float(value)) for when, value in series.get("values", [series.get("value")])])
                for series in result]


def legend_of(form, metric):
    for name, value in metric.items():
        form = form.replace("{{" + name + "}}", value)
    # A method without its package.
    return form.removeprefix("sasq.v1.").removeprefix("sasq.dispatch.v1.")


def draw_panel(panel, source):
    series = [one for target in panel["targets"] for one in sorted(source.ask(target))]
    series = [(legend, points) for legend, values in series if (points := charts.finite(values))]
    width = PAGE_WIDTH * panel["gridPos"]["w"] // 24 - 30
    if not series:
        why = panel["fieldConfig"]["defaults"].get("noValue", "no data")
        body = f'<div class="none">{html.escape(why)}</div>'
    elif panel["type"] == "stat":
        body = charts.stat(panel, series)
    elif panel["type"] == "bargauge":
        body = charts.bars(panel, series, width)
    else:
        body = charts.lines(panel, series, width, source.end - source.seconds, source.end)
    return (f'<div class="panel" style="grid-column:span {panel["gridPos"]["w"]}" title="'
            f'{html.escape(panel["description"])}"><h3>{html.escape(panel["title"])}</h3>{body}</div>')


def draw_dashboard(dashboard, source):
    parts = [f'<h1>{html.escape(dashboard["title"])}</h1><p>{html.escape(dashboard["description"])}</p>']
    is_open = False
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            parts.append(("</div>" if is_open else "") + f'<h2>{html.escape(panel["title"])}</h2><div class="grid">')
            is_open = True
        else:
            parts.append(draw_panel(panel, source))
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(dashboard["title"])}</title>'
            f"<style>{STYLE}</style><body>{''.join(parts)}</div></body></html>")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source = Source(sys.argv[1], int(sys.argv[2]))
    for file in sorted((pathlib.Path(__file__).resolve().parent / "dashboards").glob("*.json")):
        page = draw_dashboard(json.loads(file.read_text()), source)
        (pathlib.Path(sys.argv[3]) / f"{file.stem}.html").write_text(page)


if __name__ == "__main__":
    main()
