"""Lets ``pytest bench/`` find the benchmarks, which a plain ``pytest`` does not run."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("python_files", "bench_*.py")
