"""A pytest plugin for tools/wild.py: writes each test's outcome as a line when it is known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

FILE = Path(os.environ["WILD_OUTCOMES"])


def _write(test: str, outcome: str) -> None:
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps([test, outcome]) + "\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _write(report.nodeid, report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome == "failed":
        _write(report.nodeid, "not collected")
