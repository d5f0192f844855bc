"""Forms in which people read things, and cleaning of what came from elsewhere."""

from __future__ import annotations

import math
import re

# Controls, line and paragraph separators and bidirectional marks: what can steer a terminal or mislead
# its reader.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` as one line without anything that could steer a terminal."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " ").replace("\t", " "))


def duration(seconds: float) -> str:
    """`4.2s`, `3m12s`, `2h05m`, `3d04h`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def perplexity(value: float) -> str:
    """`17.224`, `1.25e+06`, `inf`."""
    if math.isinf(value):
        return "inf"
    return f"{value:.3f}" if value < 99999.5 else f"{value:.2e}"
