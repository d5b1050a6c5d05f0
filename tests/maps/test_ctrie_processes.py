"""Ctrie, in processes of their own: lives of maps and snapshots, forks, the interpreter's end."""

from __future__ import annotations

from typing import Any

import pytest
from support.isolate import needs_fork, run_child, run_source


def outlive(kind: str, seconds: float) -> int:
    """Threads that share nothing: each makes a map, drops it, and reads a snapshot of it."""
    import threading
    import time

    import fastprims

    def run() -> None:
        n = 0
        # A busy machine gives little time, and the lives of some ten thousand maps are needed.
        while (now := time.monotonic()) < end or (n < 4000 and now < end + 30):
            c: Any = fastprims.Ctrie((k, k) for k in range(60))
            n += 1
            s: Any = c.readonly_snapshot() if kind == "read-only" else c.snapshot()
            if kind == "cleared":
                c.clear()
            del c
            if dict(s.items()) != {k: k for k in range(60)}:
                wrong.append(n)
                return
        counts.append(n)

    wrong: list[int] = []
    counts: list[int] = []
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, "the contents of a snapshot are wrong"
    return len(counts)


@pytest.mark.parametrize("kind", ["read-only", "writable", "cleared"])
def test_a_snapshot_that_outlives_its_map_keeps_its_contents(kind: str) -> None:
    assert run_child(outlive, kind, 4.0, timeout=60) == 4


def fork_beside_writers(forks: int) -> int:
    import time

    from support.forks import busy, in_child

    import fastprims

    def write(t, steps) -> None:
        step = steps.fetch_add()
        t[step % 1000] = step % 1000
        if step % 7 == 0:
            t.readonly_snapshot()

    def use(t) -> None:
        assert dict(t.items()) == {n: n for n in range(1000)}
        s = t.readonly_snapshot()
        for n in range(1000):
            t[n] = -n
        for n in range(0, 1000, 2):
            del t[n]
        assert len(t) == 500 and len(s) == 1000 and s[3] == 3
        c = s.snapshot()
        c.clear()
        t.clear()

    t = fastprims.Ctrie((n, n) for n in range(1000))
    with busy(write, t, fastprims.AtomicInt()):
        for _ in range(forks):
            time.sleep(0.005)
            in_child(use, t)
    return len(t)


@needs_fork
def test_fork_beside_writers() -> None:
    assert run_child(fork_beside_writers, 6, timeout=80) == 1000


SHUTDOWN = """
import threading, fastprims
t = fastprims.Ctrie((n, [n]) for n in range(1000))
s, c, it = t.readonly_snapshot(), t.snapshot(), iter(t.items())
next(it)
t["self"] = t

class AtExit:
    def __del__(self):
        t[1] = s.get(1)
        t.clear()

t["late"] = AtExit()

def write():
    n = 0
    while True:
        n += 1
        t[n % 100] = n
        t.readonly_snapshot()

threading.Thread(target=write, daemon=True).start()
print("done")
"""


def test_the_interpreter_ends_with_maps_in_use() -> None:
    for _ in range(3):
        assert "done" in run_source(SHUTDOWN)
