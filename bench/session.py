"""The calling side: one worker per interpreter, one after the other, and their reports."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from bench.native.session import NativeFailure, Progress, run_native
from bench.run.environment import ROOT
from bench.run.runner import Effort
from bench.run.stats import histogram_record

SCHEMA = 1
Listener = Callable[[str, dict[str, Any]], None]


class WorkerFailure(Exception):
    """A worker reported a failure, crashed, or ended without finishing."""


@dataclass
class InterpreterResult:
    """The report of one interpreter's worker."""

    environment: dict[str, Any] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    latency: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "cases": self.cases,
            "latency": self.latency,
            "memory": self.memory,
            "layers": self.layers,
            "skipped": self.skipped,
        }


def _add_latency(result: InterpreterResult, event: dict[str, Any]) -> None:
    try:
        result.latency.append(histogram_record(event["contender"], event["ns"], event["pace_s"]))
    except ImportError:
        reason = "latency percentiles: the hdrhistogram package is not installed"
        if reason not in result.skipped:
            result.skipped.append(reason)


def measure_with(python: str, plan: dict[str, Any], listener: Listener) -> InterpreterResult:
    """Run the plan under one interpreter; raises WorkerFailure unless it ran to its end."""
    result = InterpreterResult()
    finished = False
    command = [python, "-m", "bench.worker", json.dumps(plan)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        try:
            worker = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=complaints, text=True
            )
        except OSError as error:
            raise WorkerFailure(f"cannot be started: {error}") from error
        assert worker.stdout is not None
        try:
            for line in worker.stdout:
                event = json.loads(line)
                name = event["event"]
                if name in ("start", "end"):
                    result.environment = event["environment"]
                    finished = name == "end"
                elif name == "case":
                    result.cases.append(event["record"])
                elif name == "memory":
                    result.memory = event
                elif name == "skipped":
                    result.skipped += event["reasons"]
                elif name == "latency":
                    _add_latency(result, event)
                elif name == "layers":
                    result.layers = event["rows"]
                    result.skipped += event["skipped"]
                elif name == "failure":
                    raise WorkerFailure(f"{event['message']}\n{event.get('details', '')}".strip())
                listener(python, event)
        finally:
            if worker.poll() is None and not finished:
                worker.kill()
            status = worker.wait()
        if status or not finished:
            complaints.seek(0)
            raise WorkerFailure(f"ended with status {status}\n{complaints.read().strip()}")
    return result


def run_session(
    pythons: Sequence[str],
    effort: Effort,
    listener: Listener,
    *,
    only: Sequence[str] = (),
    kinds: Sequence[str] = (),
    arguments: Sequence[str] = (),
    native: Progress | None = None,
) -> dict[str, Any]:
    """Measure every interpreter in turn, never two at once, and then what needs no interpreter
    (`native` gets the progress of that). Returns the content of results.json.
    """
    share = replace(effort, run_s=effort.run_s / len(pythons))
    plan = {
        "effort": share.as_dict(),
        "only": list(only),
        "kinds": list(kinds),
        "layers": native is not None,
    }
    began = datetime.now(timezone.utc)
    results = []
    for python in pythons:
        try:
            results.append(measure_with(python, plan, listener).as_dict())
        except WorkerFailure as failure:
            raise WorkerFailure(f"{python}: {failure}") from failure
    try:
        without = None if native is None else run_native(effort, native)
    except NativeFailure as failure:
        raise WorkerFailure(f"without an interpreter: {failure}") from failure
    return {
        "schema": SCHEMA,
        "date": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(timezone.utc) - began).total_seconds(), 1),
        "arguments": list(arguments),
        "effort": effort.as_dict(),
        "interpreters": results,
        "native": without,
    }
