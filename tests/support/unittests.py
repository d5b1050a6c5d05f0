"""Runs tests of the standard library by unittest; a program of its own (see the end).

python unittests.py OUTCOMES PATTERN[,PATTERN ...] MODULE ...: the tests whose id contains a pattern.
"""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path
from typing import Any


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


def main(outcomes: str, patterns: str, *modules: str) -> None:
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns.split(",")]
    suite = loader.loadTestsFromNames(modules)
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(suite)
    Path(outcomes).write_text(json.dumps(result.outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
