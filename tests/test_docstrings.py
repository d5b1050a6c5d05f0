"""The examples in the docstrings: each is run, as a reader would type it."""

from __future__ import annotations

import doctest
import gc
import importlib
import inspect
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastprims
from fastprims import aio, metrics, queue

FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
ERRORS_PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "errors.md"
NOT_OURS = {"Empty", "Full", "ShutDown"}  # the standard library's classes: the page has theirs


def documented() -> Iterator[tuple[str, str]]:
    """Name and docstring of every public object that can have one."""
    for module in (fastprims, queue, metrics):
        for name in module.__all__:
            if name not in NOT_OURS and (module is not queue or name not in fastprims.__all__):
                yield f"{module.__name__}.{name}", inspect.getdoc(getattr(module, name)) or ""
    yield "fastprims.aio.select", inspect.getdoc(aio.select) or ""


EXAMPLES = dict(documented())


def run(name: str, text: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {"__name__": name}, name, name, 0)
    assert test.examples, f"{name} has no example"
    output: list[str] = []
    with warnings.catch_warnings():
        doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=output.append)
    assert not output, "".join(output)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_does_what_it_says(name: str) -> None:
    if "Shm" in name and sys.platform != "linux":
        pytest.skip("shared memory is for Linux")
    if name.endswith(("Collector", "openmetrics")):
        pytest.importorskip("prometheus_client")
    if name.endswith("StatsdSender"):
        pytest.importorskip("statsd")
    gc.collect()  # what other tests have registered with fastprims.metrics
    run(name, EXAMPLES[name])


@pytest.mark.parametrize("name", ["MPMCWords", "SPSCBytes", "SPSCWords", "ffi", "lib", "library"])
def test_the_example_of_raw_does_what_it_says(name: str) -> None:
    raw = pytest.importorskip("fastprims.raw", exc_type=ImportError)
    assert name in raw.__all__
    value = getattr(raw, name)
    if inspect.isclass(value):
        run(name, inspect.getdoc(value) or "")
    else:  # the text below the assignment
        source = inspect.getsource(importlib.import_module("fastprims.raw"))
        run(name, inspect.cleandoc(source.partition(f"\n{name}: ")[2].split('"""')[1]))


@pytest.mark.skipif(not ERRORS_PAGE.exists(), reason="tests of an installed package: no docs here")
def test_the_examples_of_the_standard_exceptions_do_what_they_say() -> None:
    run("errors.md", inspect.cleandoc(ERRORS_PAGE.read_text(encoding="utf-8")))
