"""Run a test suite with fastprims' queues in place of the standard library's.

    pytest -p fastprims.pytest_plugin

or `addopts = ["-p", "fastprims.pytest_plugin"]` in the project's settings. pytest loads a plugin
that is named with -p before all others and before conftest.py, so that these import fastprims'
classes from `queue`. Without -p, pytest does not know this plugin.
"""

from __future__ import annotations

from fastprims._queues.install import build_info, install_as, uninstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest import Config, Parser

_ASKED_BY = "pytest -p fastprims.pytest_plugin"


# At import, which is what -p asks for: before later plugins and the modules that they import.
install_as(_ASKED_BY)


def pytest_addoption(parser: Parser) -> None:
    """Install again, if this module was imported for an earlier run in this process."""
    install_as(_ASKED_BY)


def pytest_report_header(config: Config) -> str:
    """Say in the report that the tests run with fastprims."""
    info = build_info()
    kept = f"; standard: {info['kept']}" if "kept" in info else ""
    return f"fastprims: queue is {info['queue']}'s{kept}"


def pytest_unconfigure(config: Config) -> None:
    """Uninstall, if this plugin has installed: a caller of pytest.main() goes on without it."""
    if build_info().get("installed_by") == _ASKED_BY:
        uninstall()
