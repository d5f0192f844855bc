"""The comparison of methods, as people read it (as client/comparison.h does)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sasq import text
from sasq.v1 import job_pb2, job_spec_pb2

_GROUPS = (job_spec_pb2.FIRST_TOKEN_QUANTIZED, job_spec_pb2.FIRST_TOKEN_FLOAT, job_spec_pb2.FIRST_TOKEN_PREFIX)


def scored_as(row: job_pb2.ReportRow) -> job_spec_pb2.FirstToken:
    """Rows of one value were scored on the same tokens."""
    return row.first_token or job_spec_pb2.FIRST_TOKEN_QUANTIZED


def ratio_to_float(rows: Sequence[job_pb2.ReportRow], row: job_pb2.ReportRow) -> float | None:
    """Perplexity divided by that of the float row scored on the same tokens; None without such a row."""
    for other in rows:
        if other.method == job_spec_pb2.METHOD_FP and scored_as(other) == scored_as(row) and other.perplexity > 0:
            return row.perplexity / other.perplexity if row.perplexity > 0 else None
    return None


def _optional_columns(job: job_pb2.Job) -> dict[str, Callable[[job_pb2.ReportRow], str]]:
    """Columns that are there if a row has something to say in them; an empty text is nothing."""
    columns: dict[str, Callable[[job_pb2.ReportRow], str]] = {
        "95% interval": lambda row: (f"{text.perplexity(row.perplexity_low)}..{text.perplexity(row.perplexity_high)}"
                                     if row.HasField("perplexity_low") else "")}

    def other_text(number: int) -> Callable[[job_pb2.ReportRow], str]:
        return lambda row: (text.perplexity(row.other_texts[number].perplexity)
                            if number < len(row.other_texts) else "")

    for number, named in enumerate(job.spec.evaluation.other_texts):
        columns[text.clean(named.name)] = other_text(number)
    columns["decode"] = lambda row: text.perplexity(row.decode_perplexity) if row.HasField("decode_perplexity") else ""
    columns["KL"] = lambda row: f"{row.kl_divergence:.4f}" if row.HasField("kl_divergence") else ""
    columns["top-1"] = lambda row: f"{row.top1_agreement:.1%}" if row.HasField("top1_agreement") else ""
    columns["in float"] = lambda row: f"{row.float_flop_share:.1%}" if row.float_flop_share > 0 else ""
    return {title: cell for title, cell in columns.items() if any(map(cell, job.rows))}


def render(job: job_pb2.Job, form: str = "text") -> str:
    """`text`: aligned columns; `markdown`: a table of GitHub's dialect. Lines, each ended by a line feed."""
    if form not in ("text", "markdown"):
        raise ValueError(f'form is "{form}", want text or markdown')
    optional = _optional_columns(job)
    header = ["row", "perplexity", "ratio to fp", *optional, "tokens", "time"]
    groups = [[_cells(job, row, optional) for row in job.rows if scored_as(row) == group] for group in _GROUPS]
    groups = [group for group in groups if group]
    table = _markdown(header, groups) if form == "markdown" else _text(header, groups)
    failures = [f"{text.clean(row.name)}: {text.clean(row.failure)}" for row in job.rows if row.failure]
    return "\n".join([*table, *([""] if failures else []), *failures, ""])


def _cells(job: job_pb2.Job, row: job_pb2.ReportRow,
           optional: dict[str, Callable[[job_pb2.ReportRow], str]]) -> list[str]:
    ratio = ratio_to_float(job.rows, row)
    return [text.clean(row.name), text.perplexity(row.perplexity) if row.perplexity > 0 else "failed",
            "-" if ratio is None else f"{ratio:.3f}", *(cell(row) or "-" for cell in optional.values()),
            str(row.token_count), text.duration(row.evaluation_seconds + row.preparation_seconds)]


def _text(header: list[str], groups: list[list[list[str]]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *(row for group in groups for row in group))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(cells: list[str]) -> str:
        first, *rest = zip(cells, widths)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])

    return [line(header), *(entry for group in groups for entry in (rule, *map(line, group)))]


def _markdown(header: list[str], groups: list[list[list[str]]]) -> list[str]:
    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(header), f"|---|{'---:|' * (len(header) - 1)}", *(line(row) for group in groups for row in group)]
