"""Charts as SVG and HTML: lines, stacked areas, bars and single numbers, in Grafana's units."""

import html
import math
import time

HEIGHT = 170
LEFT, RIGHT, TOP, BOTTOM = 66, 6, 8, 20
PALETTE = ("#3871dc", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#0f7fa5", "#b5890b", "#c2407f", "#5f6b7a", "#6ccf8e")
COLORS = {"red": "#c4162a", "yellow": "#b5890b", "green": "#37872d"}
SCALES = {
    "s": ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((2 ** 40, "TiB"), (2 ** 30, "GiB"), (2 ** 20, "MiB"), (2 ** 10, "KiB"), (1, "B")),
    "Bps": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")),
    "flops": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"), (1, "FLOP/s")),
    "short": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")),
    "ops": ((1e3, "k/s"), (1, "/s")), "reqps": ((1e3, "k/s"), (1, "/s")),
    "watt": ((1, "W"),), "none": ((1, ""),), "percentunit": ((0.01, "%"),),
}


def finite(points):
    return [(when, value) for when, value in points if math.isfinite(value)]


def text_of(value, unit):
    """A value as people read it."""
    scales = SCALES[unit]
    scale, name = next((one for one in scales if abs(value) >= one[0]), scales[-1]) if value else scales[-1]
    if unit not in ("none", "percentunit") and not value:
        return "0"
    scaled = value / scale
    digits = 4 if unit == "none" else 3
    text = f"{scaled:.{digits}g}" if abs(scaled) < 1000 else f"{scaled:.0f}"
    return text + (f" {name}" if name not in ("", "%", "k", "M", "G") else name)


def color_at(value, panel):
    """By the panel's thresholds."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
    held = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLORS[held[-1]] if held else PALETTE[0]


def ticks_of(low, high, unit):
    """Round numbers between two values, four or so; round in the unit that people read."""
    rough = (high - low) / 4
    if unit in ("s", "bytes"):
        scale = next((scale for scale, _ in SCALES[unit] if high >= scale), 1)
    else:
        scale = 1
    power = scale * 10 ** math.floor(math.log10(rough / scale))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def stack(series):
    """Adds each series to those below it, on the moments that any of them has."""
    moments = sorted({when for _, points in series for when, _ in points})
    below, stacked = dict.fromkeys(moments, 0.0), []
    for legend, points in series:
        own = dict(points)
        top = {when: below[when] + own.get(when, 0.0) for when in moments}
        stacked.append((legend, list(top.items()), list(below.items())))
        below = top
    return stacked


def bounds_of(panel, layers):
    values = [value for _, points, _ in layers for _, value in points]
    low, high = min(values), max(values)
    if "min" in panel["fieldConfig"]["defaults"]:
        low = min(low, panel["fieldConfig"]["defaults"]["min"])
    if high - low < 1e-12:
        high = low + (abs(low) or 1)
    return low, high + 0.05 * (high - low)


def lines(panel, series, width, begin, end):
    defaults = panel["fieldConfig"]["defaults"]
    is_stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    layers = stack(series) if is_stacked else [(legend, points, None) for legend, points in series]
    low, high = bounds_of(panel, layers)

    def x(when):
        return LEFT + (when - begin) / (end - begin) * (width - LEFT - RIGHT)

    def y(value):
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    unit = defaults["unit"]
    for tick in ticks_of(low, high, unit):
        parts.append(f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e1e4e8"/>'
                     f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{text_of(tick, unit)}</text>')
    for i in range(5):
        when = begin + (end - begin) * i / 4
        anchor = ("start", "middle", "middle", "middle", "end")[i]
        parts.append(f'<text x="{x(when):.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">'
                     f'{time.strftime("%H:%M", time.gmtime(when))}</text>')
    for i, (_, points, below) in enumerate(layers):
        color = PALETTE[i % len(PALETTE)]
        path = " ".join(f"{x(when):.1f},{y(value):.1f}" for when, value in points)
        if below is not None:
            back = " ".join(f"{x(when):.1f},{y(value):.1f}" for when, value in reversed(below))
            parts.append(f'<polygon points="{path} {back}" fill="{color}" fill-opacity="0.3"/>')
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    legend = "".join(f'<span><i style="background:{PALETTE[i % len(PALETTE)]}"></i>{html.escape(layer[0])}</span>'
                     for i, layer in enumerate(layers))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" font-size="11" fill="#586069">'
            f'{"".join(parts)}</svg><div class="legend">{legend}</div>')


def stat(panel, series):
    value = series[0][1][-1][1]
    return (f'<div class="big" style="color:{color_at(value, panel)}">'
            f'{text_of(value, panel["fieldConfig"]["defaults"]["unit"])}</div>')


def bars(panel, series, width):
    defaults = panel["fieldConfig"]["defaults"]
    series = sorted(series, key=lambda one: one[1][-1][1])
    low = defaults.get("min", 0)
    high = max(points[-1][1] for _, points in series)
    row, label = 24, width // 2
    parts = []
    for i, (legend, points) in enumerate(series):
        value = points[-1][1]
        length = max(2, (value - low) / ((high - low) or 1) * (width - label - 70))
        parts.append(f'<text x="{label - 8}" y="{i * row + 16}" text-anchor="end">{html.escape(legend)}</text>'
                     f'<rect x="{label}" y="{i * row + 4}" width="{length:.1f}" height="{row - 8}" rx="2" '
                     f'fill="{color_at(value, panel)}"/><text x="{label + length + 6:.1f}" y="{i * row + 16}">'
                     f'{text_of(value, defaults["unit"])}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{len(series) * row + 6}" font-size="12" '
            f'fill="#24292e">{"".join(parts)}</svg>')
