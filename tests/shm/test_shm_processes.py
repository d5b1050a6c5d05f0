"""ShmRing between processes: every way to start one, death at random, stops, forks, signals."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import shm_workers
from support.isolate import run_child, run_source

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="ShmRing is for Linux"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # beside threads, on purpose
]

if sys.platform == "linux":
    from fastprims import Empty, ShmRing, ShutDown

START = ["fork", "spawn", "forkserver"]
PATIENCE = 60.0


@pytest.fixture
def ring() -> Iterator[ShmRing]:
    with ShmRing.create(capacity=4096, lanes=16) as made:
        yield made


@pytest.fixture
def back() -> Iterator[ShmRing]:
    with ShmRing.create(capacity=4096) as made:
        yield made


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """Starts processes, by fork unless told otherwise, and kills what is left of them."""
    started = []

    def run(target: Callable[..., Any], *args: Any, method: str = "fork") -> Any:
        process = multiprocessing.get_context(method).Process(target=target, args=args)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONWARNINGS", "ignore::DeprecationWarning")
            process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGCONT)
        shm_workers.end(process)


@pytest.mark.parametrize("method", START)
def test_a_ring_is_sent_to_a_process_that_is_started(
    ring: ShmRing, back: ShmRing, start: Callable[..., Any], method: str
) -> None:
    process = start(shm_workers.echo, ring, back, 200, method=method)
    items = [os.urandom(n * 7 % 500) for n in range(200)]
    for item in items:
        ring.put(item, timeout=PATIENCE)
        if len(item) % 2:
            time.sleep(0)
        assert back.get(timeout=PATIENCE) == item
    process.join(PATIENCE)
    assert process.exitcode == 0


def test_a_process_without_relation_attaches_by_name(ring: ShmRing) -> None:
    source = """
import sys, fastprims
ring = fastprims.ShmRing.attach(sys.argv[1])
ring.put(ring.get(timeout=60) * 2)
"""
    ring.put(b"ab")
    subprocess.run([sys.executable, "-c", source, ring.name], check=True, timeout=PATIENCE)
    assert ring.get(timeout=PATIENCE) == b"abab"


def test_each_process_has_its_own_lane(start: Callable[..., Any], back: ShmRing) -> None:
    """Two lanes: the parent's and one that the children use one after the other."""
    with ShmRing.create(capacity=4096, lanes=2) as ring:
        ring.put(b"mine")
        assert ring.get() == b"mine"
        for _ in range(5):
            process = start(shm_workers.echo, back, ring, 1)
            back.put(b"x")
            assert ring.get(timeout=PATIENCE) == b"x"
            process.join(PATIENCE)
            assert process.exitcode == 0


def test_order_and_content_under_load(
    ring: ShmRing, start: Callable[..., Any], tmp_path: Path
) -> None:
    for writer in range(3):
        start(shm_workers.write_numbers, ring, writer, 0, str(tmp_path / f"progress-{writer}"))
    seen = [0, 0, 0]
    while sum(seen) < 3000:
        for record in ring.get_many(9, timeout=PATIENCE):
            writer, number = record[0], int.from_bytes(record[1:5], "big")
            assert number == seen[writer]
            assert record == shm_workers.numbered(writer, number)
            seen[writer] += 1
    assert min(seen) > 0


def counts(path: Path) -> tuple[int, int]:
    """Puts begun and returned."""
    content = path.read_bytes() if path.exists() else b""
    content += bytes(16 - len(content))
    return int.from_bytes(content[:8], "big"), int.from_bytes(content[8:], "big")


@pytest.mark.timeout(240)
def test_nothing_put_is_lost_or_doubled_when_processes_are_killed(
    ring: ShmRing, start: Callable[..., Any], tmp_path: Path, scale: Callable[[int], int]
) -> None:
    """Two writers and two readers, one of them killed every few milliseconds and replaced. What a
    killed reader had got and not written down, one record, may be missing."""
    rng = random.Random(5)
    progress = [tmp_path / f"progress-{writer}" for writer in (0, 1)]
    log = tmp_path / "log"
    unsure: Counter[int] = Counter()
    killed_readers = 0

    def begin(side: int) -> Any:
        if side < 2:
            first = counts(progress[side])[0]
            return start(shm_workers.write_numbers, ring, side, first, str(progress[side]))
        return start(shm_workers.read_numbers, ring, str(log))

    def bury(side: int) -> None:
        nonlocal killed_readers
        if side < 2:
            begun, returned = counts(progress[side])
            if begun > returned:
                unsure[side << 32 | begun - 1] = 1
        else:
            killed_readers += 1

    sides = [begin(side) for side in range(4)]
    for _ in range(scale(40)):
        time.sleep(rng.random() * 0.02)
        side = rng.randrange(4)
        shm_workers.end(sides[side])
        bury(side)
        sides[side] = begin(side)
    time.sleep(0.05)
    ring.shutdown()
    for side in (0, 1, 2, 3):
        sides[side].join(PATIENCE)
        assert sides[side].exitcode == 0
    with pytest.raises(ShutDown):
        ring.get()
    content = log.read_bytes()
    assert len(content) % 5 == 0
    got = Counter(
        content[n] << 32 | int.from_bytes(content[n + 1 : n + 5], "big")
        for n in range(0, len(content), 5)
    )
    assert max(got.values()) == 1
    missing = 0
    for side in (0, 1):
        begun, returned = counts(progress[side])
        assert max(key & 0xFFFFFFFF for key in got if key >> 32 == side) < begun
        missing += sum(
            (side << 32 | n) not in got and not unsure[side << 32 | n] for n in range(returned)
        )
    assert missing <= killed_readers
    assert len(got) > 100


def test_a_killed_reader_has_not_taken_what_it_was_reading(
    ring: ShmRing, back: ShmRing, start: Callable[..., Any]
) -> None:
    ring.put(b"important")
    process = start(shm_workers.hold_view, ring, back)
    assert back.get(timeout=PATIENCE) == b"important"
    assert ring.qsize() == 1
    with pytest.raises(Empty):
        ring.get(timeout=0.2)  # a living reader has it
    shm_workers.end(process)
    assert ring.get(timeout=PATIENCE) == b"important"


def test_a_killed_writer_leaves_nothing_unfinished(
    ring: ShmRing, back: ShmRing, start: Callable[..., Any]
) -> None:
    process = start(shm_workers.hold_reservation, ring, back)
    assert back.get(timeout=PATIENCE) == b"holding"
    shm_workers.end(process)
    assert ring.empty()
    start(shm_workers.echo, back, ring, 1)
    back.put(b"next")
    assert ring.get(timeout=PATIENCE) == b"next"


def test_a_stopped_process_is_not_taken_for_dead(
    ring: ShmRing, back: ShmRing, start: Callable[..., Any]
) -> None:
    ring.put(b"held")
    process = start(shm_workers.hold_view, ring, back)
    assert back.get(timeout=PATIENCE) == b"held"
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(Empty):
        ring.get(timeout=0.3)
    start(shm_workers.echo, back, ring, 1)  # another lane: it goes on
    back.put(b"others")
    assert ring.get(timeout=PATIENCE) == b"others"
    ring.put(b"behind")
    with pytest.raises(Empty):
        ring.get(timeout=0.2)
    os.kill(process.pid, signal.SIGCONT)
    with pytest.raises(Empty):
        ring.get(timeout=0.2)
    shm_workers.end(process)
    assert [ring.get(timeout=PATIENCE) for _ in range(2)] == [b"held", b"behind"]


def fork_in_the_middle() -> list[str]:
    """What the parent holds is not the child's: neither to use nor to give up."""
    import gc
    import os

    from fastprims import ShmRing

    seen = []
    with ShmRing.create(capacity=4096) as ring:
        ring.put_many([b"one", b"two"])
        view = ring.get_view()
        reservation = ring.reserve(8)
        memoryview(reservation)[:] = b"parent's"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for call in (reservation.commit, view.accept):
                    try:
                        call()
                    except RuntimeError as error:
                        assert "forked" in str(error)
                    else:
                        os._exit(2)
                del reservation, view
                gc.collect()
                assert ring.try_get() is None  # the lane is still the parent's
                ring.put(b"child's")
                code = 0 if ring.get(timeout=20) == b"child's" else 3
                ring.put(b"left by the child")
                ring.__exit__()  # not the child's to unlink
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        reservation.commit()
        view.accept()
        assert ShmRing.attach(ring.name).qsize() == 3
        seen += sorted(ring.get(timeout=20).decode() for _ in range(3))
    return seen


def test_a_forked_child_is_another_process() -> None:
    assert run_child(fork_in_the_middle) == ["left by the child", "parent's", "two"]


def fork_beside_threads(forks: int) -> int:
    """The parent's threads wait, read and write all the time; a child must get on without them."""
    import os
    import threading
    import warnings

    import fastprims
    from fastprims import ShmRing

    warnings.simplefilter("ignore", DeprecationWarning)
    ring = ShmRing.create(capacity=4096)
    idle = ShmRing.create(capacity=4096)
    own = ShmRing.create(capacity=4096)

    def traffic() -> None:
        try:
            while True:
                ring.put(b"x" * 100)
                ring.try_get()
        except fastprims.ShutDown:
            pass

    def sleep() -> None:
        try:
            idle.get()
        except fastprims.ShutDown:
            pass

    threads = [threading.Thread(target=t, daemon=True) for t in (traffic, traffic, sleep, sleep)]
    for thread in threads:
        thread.start()
    for _ in range(forks):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for _ in range(20):
                    ring.put(b"child", timeout=20)
                    ring.get(timeout=20)
                own.put(b"hello", timeout=20)
                code = 0
            finally:
                os._exit(code)
        assert own.get(timeout=30) == b"hello"
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
    for q in (ring, idle):
        q.shutdown(immediate=True)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for q in (ring, idle, own):
        q.unlink()
    return forks


def test_fork_beside_threads() -> None:
    assert run_child(fork_beside_threads, 15) == 15


def interrupt_delays() -> dict[str, float]:
    """For every call that waits, the time from Ctrl-C to KeyboardInterrupt; the best of 5."""
    import os
    import signal
    import threading
    import time

    from fastprims import ShmRing

    signal.signal(signal.SIGINT, signal.default_int_handler)

    def delay(call: str) -> float:
        with ShmRing.create(capacity=4096) as ring:
            while "get" not in call and ring.try_put(bytes(500)):
                pass
            size = ring.qsize()
            act = {
                "get": ring.get,
                "timed get": lambda: ring.get(timeout=20),
                "get_many": lambda: ring.get_many(3),
                "get_view": ring.get_view,
                "put": lambda: ring.put(bytes(500)),
                "timed put": lambda: ring.put(bytes(500), timeout=20),
                "put_many": lambda: ring.put_many([bytes(500)]),
                "reserve": lambda: ring.reserve(500),
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
            assert ring.qsize() == size
            if size:
                ring.get()
            ring.put(b"fine")
            while ring.get() != b"fine":
                pass
            return late

    calls = ["get", "timed get", "get_many", "get_view", "put", "timed put", "put_many", "reserve"]
    return {call: min(delay(call) for _ in range(5)) for call in calls}


def test_control_c_ends_every_wait_within_a_tenth_of_a_second() -> None:
    delays = run_child(interrupt_delays)
    assert len(delays) == 8
    assert max(delays.values()) < 0.1, delays


def wait_through_signals() -> list[float]:
    """Handlers that return, and that use the ring themselves."""
    import signal
    import time

    from fastprims import Empty, ShmRing

    with ShmRing.create(capacity=4096) as ring:
        handled = 0

        def handle(*_: object) -> None:
            nonlocal handled
            handled += 1

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        began = time.monotonic()
        try:
            ring.get(timeout=0.3)
        except Empty:
            timed = time.monotonic() - began
        signal.setitimer(signal.ITIMER_REAL, 0)
        for n in range(20):
            signal.signal(signal.SIGALRM, lambda *_, n=n: ring.put(bytes([n])))
            signal.setitimer(signal.ITIMER_REAL, 0.003)
            assert ring.get() == bytes([n])
        return [timed, handled]


def test_signal_handlers_may_use_the_ring() -> None:
    timed, handled = run_child(wait_through_signals)
    assert timed >= 0.299
    assert handled > 20


def test_the_interpreter_ends_beside_waiting_threads() -> None:
    run_source(
        """
import threading, time
from fastprims import ShmRing

ring = ShmRing.create(capacity=4096)
for _ in range(3):
    threading.Thread(target=ring.get, daemon=True).start()
time.sleep(0.1)
ring.unlink()
"""
    )


def leaks(rounds: int) -> list[int]:
    """What is left of rings, views, reservations and errors: descriptors, mappings, blocks."""
    import gc
    import os
    import sys
    from contextlib import suppress

    from fastprims import Empty, ShmRing

    def act() -> None:
        with ShmRing.create(capacity=4096) as ring:
            other = ShmRing.attach(ring.name)
            other.put_many([b"a" * 100] * 3)
            with ring.get_view(), other.reserve(5):
                pass
            ring.peek()
            other.reserve(3)
            ring.get_many(5)
            for call in (
                lambda: ring.put(5),
                lambda: ring.put(bytes(9999)),
                ring.get_nowait,
                lambda: ShmRing.create(ring.name),
                lambda: ShmRing.attach(ring.name + "x"),
            ):
                with suppress(TypeError, ValueError, Empty, OSError):
                    call()

    def state() -> tuple[int, int, int]:
        gc.collect()
        with open("/proc/self/maps") as maps:
            mapped = sum("/dev/shm" in line for line in maps)
        return len(os.listdir("/proc/self/fd")), mapped, sys.getallocatedblocks()

    for _ in range(20):
        act()
    before = state()
    for _ in range(rounds):
        act()
    after = state()
    return [b - a for a, b in zip(before, after)]


def test_nothing_is_leaked() -> None:
    rounds = 1000
    descriptors, mappings, blocks = run_child(leaks, rounds, timeout=85)
    assert (descriptors, mappings) == (0, 0)
    assert blocks < rounds // 2  # a leak is one a round at least
