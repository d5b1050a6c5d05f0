"""Nothing that is done to an object of a public class crashes or hangs, whatever its state."""

from __future__ import annotations

import signal

import pytest
from support.isolate import run_child
from support.misuse import public_classes


def met() -> list[str]:
    """The classes that are met on the way: iterators, leases, snapshots."""
    import signal

    from support.misuse import Misuse, samples, segments_of_our_own

    with segments_of_our_own():
        found = sorted(samples(Misuse()))
    signal.setitimer(signal.ITIMER_REAL, 0)
    return found


def misuse(name: str) -> list[str]:
    from support.misuse import check

    return check(name)


needs_alarms = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="waits are interrupted by an alarm"
)


@needs_alarms
def test_a_sample_of_every_public_class_is_found() -> None:
    found = run_child(met)
    assert set(public_classes()) <= set(found)
    assert {"Lease", "CtrieIterator"} <= set(found)


@needs_alarms
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [*public_classes(), "Lease", "CtrieIterator"])
def test_misuse_raises_standard_exceptions(name: str) -> None:
    assert run_child(misuse, name, timeout=180) == []
