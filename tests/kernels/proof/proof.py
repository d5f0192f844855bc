"""Runs calls: the project's launchers record, the interpreter executes, the oracle compares."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np
from operations import Call
from ptx import GlobalMemory, Machine, PtxError
from ptx.parser import Kernel
from ptx.traffic import Count
from recording import record

MEMORY_BYTES = 1 << 21


@dataclasses.dataclass
class Outcome:
    """What came of one call."""
    name: str
    problems: list[str]
    kernels: list[str]
    steps: int
    counts: dict[str, Count]


def run_calls(recorder: pathlib.Path, kernels: dict[str, Kernel], calls: Iterable[Call], *,
              count_traffic: bool = False, memory_bytes: int = MEMORY_BYTES) -> Iterable[Outcome]:
    """Runs every call on memory of its own."""
    calls = list(calls)
    with np.errstate(all="ignore"):
        # Addresses do not depend on what ran before: prepare once to record, once more to run.
        requests = [call.prepare(GlobalMemory(memory_bytes))[0] for call in calls]
        for call, recording in zip(calls, record(recorder, kernels, requests), strict=True):
            memory = GlobalMemory(memory_bytes)
            _, check = call.prepare(memory)
            machine = Machine(memory, count_traffic=count_traffic)
            problems = [] if recording.status == "OK" else [recording.status]
            try:
                for launch in recording.launches:
                    launch.run(machine, kernels)
                problems += check() if recording.status == "OK" else []
            except PtxError as error:
                problems.append(str(error))
            yield Outcome(call.name, problems, [launch.kernel for launch in recording.launches], machine.steps,
                          dict(machine.counts) if count_traffic else collections.defaultdict(Count))
