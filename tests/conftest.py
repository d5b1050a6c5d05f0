"""Watchdogs, options and fixtures for the whole suite."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterator

import pytest

import fastprims

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

TEST_LIMIT = float(os.environ.get("FASTPRIMS_TEST_LIMIT", "90.0"))
"""Seconds after which a test fails, unless it sets a limit of its own."""

HANG_MARGIN = 30.0
"""Seconds beyond a test's limit after which the whole run is shot: a thread
stuck in C code never gets to see the failure pytest-timeout raises."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stress",
        type=float,
        default=float(os.environ.get("FASTPRIMS_STRESS", "1")),
        metavar="N",
        help="multiply the length of the stress tests by N (default: $FASTPRIMS_STRESS or 1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stress: long loops over many threads; --stress=N scales it")
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "fastprims",
        deadline=None,  # a shared machine pauses for longer than any sensible deadline
        suppress_health_check=[HealthCheck.too_slow],
        database=None,  # nothing is left behind in the working directory
        print_blob=True,
    )
    settings.load_profile("fastprims")
    # A shell's background jobs ignore Ctrl-C, and so would the processes that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    factor = max(1.0, config.getoption("--stress"))
    for item in items:
        if item.get_closest_marker("timeout") is None:
            limit = TEST_LIMIT * (factor if item.get_closest_marker("stress") else 1.0)
            item.add_marker(pytest.mark.timeout(limit))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    marker = item.get_closest_marker("timeout")
    limit = float(marker.args[0]) if marker and marker.args else TEST_LIMIT
    faulthandler.dump_traceback_later(limit + HANG_MARGIN, exit=True, file=sys.__stderr__)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def gil_is_off() -> bool:
    """Whether a free-threaded interpreter still runs without the GIL."""
    return not sys._is_gil_enabled()  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def gil_stays_off() -> Iterator[None]:
    """Importing and using fastprims must never bring the GIL back."""
    wanted = FREE_THREADED and os.environ.get("PYTHON_GIL") != "1"
    if wanted:
        assert gil_is_off(), f"importing fastprims {fastprims.__version__} re-enabled the GIL"
    yield
    if wanted:
        assert gil_is_off(), "the GIL was re-enabled while the tests ran"


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Callable[[int], int]:
    """Turns a loop count into this run's loop count."""
    factor = pytestconfig.getoption("--stress")
    return lambda n: max(1, int(n * factor))
