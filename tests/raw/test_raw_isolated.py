"""fastprims.raw in processes of their own: interrupts, forks, leaks, absence, C threads."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.isolate import needs_fork, run_child, run_source
from support.rawrings import RawKind, on_all, raw

import fastprims

COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")

with_timers = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="the platform has no interval timers"
)


def make(cls: str, capacity: int) -> Any:
    from fastprims import raw

    return getattr(raw, cls)(16 * capacity if cls == "SPSCBytes" else capacity)


def item_of(cls: str, n: int) -> Any:
    return n.to_bytes(8, "little") if cls == "SPSCBytes" else n


def interrupt_delays(cls: str) -> dict[str, float]:
    """For every call that waits, the time from a Ctrl-C to its KeyboardInterrupt: the best of 5."""
    import os
    import signal
    import threading
    import time

    item = item_of(cls, 1)

    def delay(call: str) -> float:
        ring = make(cls, 2)
        putting = "put" in call
        if putting:
            ring.put_many([item, item])
        act = {
            "get": ring.get,
            "timed get": lambda: ring.get(timeout=20),
            "put": lambda: ring.put(item),
            "timed put": lambda: ring.put(item, timeout=20),
            "get_many": lambda: ring.get_many(3),
            "put_many": lambda: ring.put_many([item, item]),
        }[call]
        sent = 0.0
        started = threading.Event()

        def interrupt() -> None:
            nonlocal sent
            started.wait()
            time.sleep(0.03)
            sent = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        started.set()
        try:
            act()
        except KeyboardInterrupt:
            late = time.monotonic() - sent
        else:
            raise AssertionError(f"{call} came back")
        assert ring.qsize() == 2 * putting
        if putting:
            assert ring.get_many(9) == [item, item]
        ring.put(item)
        assert ring.get() == item
        return late

    calls = ("get", "timed get", "put", "timed put", "get_many", "put_many")
    return {call: min(delay(call) for _ in range(5)) for call in calls}


@on_all
def test_control_c_ends_every_wait_within_a_tenth_of_a_second(kind: RawKind) -> None:
    delays = run_child(interrupt_delays, kind.name, helpers=(make, item_of))
    assert max(delays.values()) < 0.1, delays


def interrupted_gets(cls: str, seconds: float, call: str) -> list[int]:
    """Handlers that raise, all the time, in a thread that gets."""
    from functools import partial
    from itertools import chain
    from operator import itemgetter

    from support.interrupts import storm_of_gets

    ring = make(cls, 2)
    buffer = bytearray(8)
    fetch = {  # each for ever, and in C: what is returned cannot be lost there
        "get": lambda: iter(ring.get, None),
        "get_many": lambda: chain.from_iterable(iter(partial(ring.get_many, 2), None)),
        "get_into": lambda: map(
            itemgetter(1),
            zip(iter(partial(ring.get_into, buffer), None), iter(partial(bytes, buffer), None)),
        ),
    }[call]
    got, sent, interrupts = storm_of_gets(
        fetch, lambda n: ring.put(item_of(cls, n)), ring.shutdown, seconds
    )
    assert got == [item_of(cls, n) for n in range(sent)], "lost, repeated or out of order"
    return [interrupts, len(got)]


@with_timers
@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="3.10 runs handlers between any two steps of a function"
)
@pytest.mark.parametrize("call", ["get", "get_many", "get_into"])
@on_all
def test_a_storm_of_interrupts_loses_no_item_in_get(kind: RawKind, call: str) -> None:
    if not hasattr(kind.cls, call):
        pytest.skip(f"{kind} has no {call}")
    interrupts, got = run_child(interrupted_gets, kind.name, 0.5, call, helpers=(make, item_of))
    assert interrupts > 20, "too few interrupts to show anything"
    assert got > 20, "too little traffic to show anything"


def use_after_fork(cls: str) -> int:
    """A child that forks beside threads asleep in both directions uses all of the rings."""
    import os
    import threading
    import time
    import warnings

    empty, full, idle = make(cls, 2), make(cls, 2), make(cls, 2)
    full.put_many([item_of(cls, 1), item_of(cls, 2)])
    idle.put(item_of(cls, 3))
    if cls != "MPMCWords":
        full.release_producer()
    for wait in (empty.get, lambda: full.put(item_of(cls, 9))):
        threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the point
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert idle.get(timeout=5) == item_of(cls, 3)
            for ring in (empty, full, idle):
                if not ring.empty():
                    ring.get_many(9, timeout=5)
                thread = threading.Thread(target=lambda ring=ring: ring.get(timeout=10))
                if cls != "MPMCWords":
                    ring.release_consumer()
                thread.start()
                time.sleep(0.02)
                ring.put(item_of(cls, 4), timeout=5)
                thread.join()
                assert ring.empty()
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(pid, 9)
    raise AssertionError("the child hangs")


@needs_fork
@on_all
def test_a_forked_child_goes_on(kind: RawKind) -> None:
    assert run_child(use_after_fork, kind.name, helpers=(make, item_of)) == 0


def memory_that_stays(cls: str) -> list[int]:
    """Blocks of the interpreter and KiB of the process, after each of three rounds of the same."""
    import contextlib
    import gc
    import resource
    import sys

    import fastprims

    def exercise() -> None:
        for _ in range(40):
            ring = make(cls, 1 << 12)
            ring.put_many([item_of(cls, n) for n in range(100)])
            ring.get_many(50)
            for call in (
                lambda: ring.put("nonsense"),
                lambda: ring.get(timeout=-1),
                lambda: ring.put_many(7),
                lambda: ring.put_many([item_of(cls, 1), "x"]),
            ):
                with contextlib.suppress(TypeError, ValueError):
                    call()
            ring.shutdown()
            with contextlib.suppress(fastprims.ShutDown):
                ring.put(item_of(cls, 1))

    blocks, kib = [], []
    for _ in range(4):
        for _ in range(5):
            exercise()
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        kib.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return [blocks[-1] - blocks[1], kib[-1] - kib[1]]


@on_all
def test_nothing_stays_behind(kind: RawKind) -> None:
    pytest.importorskip("resource", reason="the platform does not tell the size of a process")
    blocks, kib = run_child(memory_that_stays, kind.name, helpers=(make, item_of))
    assert blocks < 20, f"{blocks} blocks stay behind"
    # Two rounds make 400 rings of 64 KiB and more: 25 MiB, if they were kept.
    assert kib < 12 * 1024, f"{kib} KiB stay behind"


ABSENT = """
import sys
import fastprims
sys.modules[{name!r}] = None
try:
    import fastprims.raw
except ImportError as error:
    print(error)
q = fastprims.Queue()
q.put(1)
assert q.get() == 1
"""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("_cffi_backend", "pip install 'fastprims[raw]'"),
        ("fastprims._raw.ext", "was built without cffi"),
    ],
)
def test_absence_is_told_in_one_sentence(name: str, sentence: str) -> None:
    told = run_source(ABSENT.format(name=name)).strip()
    assert sentence in told and "\n" not in told


def test_nothing_else_imports_it() -> None:
    source = "import sys, fastprims; print([n for n in sys.modules if 'cffi' in n or '_raw' in n])"
    assert run_source(source).strip() == "[]"


# A library of somebody's own, with a copy of fastprims in it, and a thread that Python never sees.
WORKER = """
#include <fastprims.h>
#include <pthread.h>
static pthread_t thread;
static fastprims_ring *in, *out;
static void *work(void *unused) {
    uint64_t n;
    while (fastprims_ring_get(in, &n, FASTPRIMS_FOREVER) == FASTPRIMS_OK)
        fastprims_ring_put(out, n * 3, FASTPRIMS_FOREVER);
    fastprims_ring_close(out, false);
    fastprims_ring_release(in);
    fastprims_ring_release(out);
    return unused;
}
int start(void *from, void *to) {
    in = fastprims_ring_retain(from);
    out = fastprims_ring_retain(to);
    return pthread_create(&thread, NULL, work, NULL);
}
int finish(void) { return pthread_join(thread, NULL); }
"""


def feed_c_thread(library: str, cls: str, count: int) -> list[int]:
    import ctypes
    import gc
    import threading

    import fastprims

    worker = ctypes.CDLL(library)
    worker.start.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    to, back = make(cls, 3), make(cls, 3)
    assert worker.start(to.address, back.address) == 0

    def produce(ring: Any) -> None:
        for n in range(count):
            ring.put(n)
        ring.shutdown()

    thread = threading.Thread(target=produce, args=(to,))
    thread.start()
    got = []
    try:
        while True:
            got.append(back.get())
    except fastprims.ShutDown:
        pass
    thread.join()
    del to, back, thread
    gc.collect()
    assert worker.finish() == 0
    return got


@pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="there is no C compiler")
@pytest.mark.parametrize("cls", ["SPSCWords", "MPMCWords"])
def test_a_c_thread_with_a_copy_of_its_own_shares_the_rings(tmp_path: Path, cls: str) -> None:
    assert COMPILER is not None
    source, library = tmp_path / "worker.c", tmp_path / "worker.so"
    source.write_text(WORKER, encoding="ascii")
    command = [*COMPILER.split(), "-shared", "-fPIC", "-O2", "-I", fastprims.get_include()]
    command += [str(source), "-o", str(library), fastprims.get_library(), "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=80, check=False)
    assert done.returncode == 0, done.stderr
    got = run_child(feed_c_thread, str(library), cls, 2000, helpers=(make,))
    assert got == [3 * n for n in range(2000)]
    assert raw.library != str(library)
