"""Coroutines are tests here: each runs on every kind of event loop that is here."""

from __future__ import annotations

import inspect

import pytest
from support.loops import MAIN_LOOPS, run
from support.selects import KINDS, Ask, asker


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("loop_kind")
    if "loop_kind" in metafunc.fixturenames:
        metafunc.parametrize("loop_kind", MAIN_LOOPS)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    # Read from the call's parameters, since a test need not name it.
    loop_kind = pyfuncitem.callspec.params["loop_kind"]
    names = inspect.signature(function).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    run(lambda: function(**arguments), loop_kind)
    return True


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """select(), as one kind of caller has it: for a Selector, or for operations."""
    return asker(request.param)
