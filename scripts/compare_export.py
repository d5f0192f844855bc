#!/usr/bin/env python3
"""Compares what real clients measured of an export with the job's own numbers, for acceptance_export.sh.

usage: compare_export.py REPORT TOLERANCE DOUBLED CLIENT=FILE...

REPORT is the job's report.json, DOUBLED what transformers measured with every static scale doubled, each
FILE what export_loss.py printed. Exit code 1 if a client's mean loss differs from the exported row's by
more than TOLERANCE (relative), or if doubling the scales changed nothing. A CLIENT that begins with `~` is
known not to use the static scales, and is only printed.
"""

import json
import math
import pathlib
import sys


def read(path):
    return json.loads(pathlib.Path(path).read_text())


def main():
    report, tolerance, doubled = read(sys.argv[1]), float(sys.argv[2]), read(sys.argv[3])
    promised = None
    print(f"{'measured by':<24}{'row':<24}{'perplexity':>12}{'mean loss':>12}{'difference':>12}")
    for row in report["rows"]:
        losses = row["window_mean_loss"]
        loss = sum(losses) / len(losses)
        if row["name"] == report["recipe"]:
            promised = loss
        print(f"{'the job':<24}{row['name']:<24}{math.exp(loss):>12.3f}{loss:>12.4f}")
    agrees = True
    for client in sys.argv[4:]:
        name, path = client.split("=", 1)
        loss = read(path)["mean_loss"]
        difference = loss / promised - 1
        agrees = agrees and (name.startswith("~") or abs(difference) <= tolerance)
        print(f"{name.lstrip('~'):<24}{report['recipe']:<24}{math.exp(loss):>12.3f}{loss:>12.4f}{difference:>+12.2%}")
    print(f"{'transformers':<24}{'every scale doubled':<24}{doubled['perplexity']:>12.3f}"
          f"{doubled['mean_loss']:>12.4f}")
    uses_scales = abs(doubled["mean_loss"] / promised - 1) > tolerance
    if not agrees:
        print(f"a client differs by more than {tolerance:.1%}")
    if not uses_scales:
        print("doubling the static scales changed nothing: the client does not use them")
    sys.exit(0 if agrees and uses_scales else 1)


if __name__ == "__main__":
    main()
