"""Runs tests of the standard library by unittest; a program of its own (see the end).

python unittests.py OUTCOMES PATTERN[,PATTERN ...] MODULE ...: the tests whose id contains a pattern.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any

FORKING = "test.test_multiprocessing_fork"


class Recorder(unittest.TextTestResult):
    """Each test's outcome, by its id; a failing subtest or fixture is one of its test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcomes[test.id()] = "passed"

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.outcomes[test.id()] = "failed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.outcomes[test.id()] = "failed"

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcomes[test.id()] = "failed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes[test.id()] = "skipped"


def is_there(module: str) -> bool:
    """Distributions ship the interpreter without its tests, or without some of them."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def make_forking() -> None:
    """The module of this name, where only what it is made of is there. Children that don't import
    it can do with that."""
    tests = importlib.import_module("test._test_multiprocessing")
    made = sys.modules[FORKING] = ModuleType(FORKING)
    sys.modules["test"].__dict__[FORKING.partition(".")[2]] = made
    tests.install_tests_in_module_dict(vars(made), "fork")


def main(outcomes: str, patterns: str, *modules: str) -> None:
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns.split(",")]
    if FORKING in modules and not is_there(FORKING):
        make_forking()
    suite = loader.loadTestsFromNames(modules)
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(suite)
    Path(outcomes).write_text(json.dumps(result.outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
