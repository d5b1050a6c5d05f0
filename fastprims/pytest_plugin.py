"""Run a test suite with fastprims' queues in place of the standard library's.

    pytest -p fastprims.pytest_plugin

or `addopts = ["-p", "fastprims.pytest_plugin"]` in the project's settings. pytest loads a plugin
that is asked for with -p before all others and before conftest.py, so that what they import from
`queue` are fastprims' classes. Without -p, pytest does not know that fastprims is there.
"""

from __future__ import annotations

from fastprims._queues.install import build_info, install_as, uninstall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest import Config, Parser

_ASKED_BY = "pytest -p fastprims.pytest_plugin"


# Before the plugins that come after it, and what they import. Importing is what -p asks for.
install_as(_ASKED_BY)


def pytest_addoption(parser: Parser) -> None:
    """Install again, where the module was imported for an earlier run in this process."""
    install_as(_ASKED_BY)


def pytest_report_header(config: Config) -> str:
    """Say that the results are those with fastprims."""
    info = build_info()
    kept = f"; standard: {info['kept']}" if "kept" in info else ""
    return f"fastprims: queue is {info['queue']}'s{kept}"


def pytest_unconfigure(config: Config) -> None:
    """Uninstall, if it was us: who has called pytest.main() goes on."""
    if build_info().get("installed_by") == _ASKED_BY:
        uninstall()
