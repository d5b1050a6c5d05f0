"""The measuring side: runs in the interpreter under test and reports as JSON lines.

Needs only the standard library and fastprims, so that it runs where rich and matplotlib don't. Each
interpreter, the calling one included, is measured in such a process of its own: no display thread
shares its GIL, and a crash of the measured code is reported as a failure.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, TextIO

from bench.maps.memory import run_memory
from bench.native.layers import run_layers
from bench.queues.latency import run_latency
from bench.run import peers
from bench.run.case import KINDS, Case
from bench.run.environment import describe
from bench.run.harness import BenchmarkFailure
from bench.run.runner import Effort, Emit, planned_kinds, run_suite
from bench.suite import select, wants


def serve(plan: dict[str, Any], cases: Sequence[Case], emit: Emit) -> int:
    """Measure the cases as planned. Returns 0, or 1 after a failure that was reported."""
    effort = Effort(**plan["effort"])
    try:
        kinds = plan.get("kinds") or KINDS
        records = sum(len(planned_kinds(case, kinds, effort)) for case in cases)
        emit({"event": "start", "environment": describe(), "records": records})
        emit({"event": "skipped", "reasons": peers.missing()})
        run_suite(cases, kinds, effort, emit)
        only = plan.get("only", [])
        if wants("map-memory", effort, only):
            run_memory(effort, emit)
        if wants("latency", effort, only):
            run_latency(effort, emit)
        if plan.get("layers"):
            run_layers(effort, emit)
        emit({"event": "end", "environment": describe()})
    except BenchmarkFailure as failure:
        emit({"event": "failure", "message": str(failure)})
        return 1
    except Exception as error:
        emit({"event": "failure", "message": repr(error), "details": traceback.format_exc()})
        return 1
    return 0


def main(plan_text: str) -> int:
    """Run one plan with standard output as the channel of events."""
    peers.keep_gil_off("bench.worker", [plan_text])
    plan = json.loads(plan_text)
    channel: TextIO = sys.stdout

    def emit(event: dict[str, Any]) -> None:
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    status = serve(plan, select(plan.get("only", [])), emit)
    if status:
        # A failed run can leave threads that wait for ever; nothing may wait for them.
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
