"""Interrupts at any point, in unpickling too: no object is lost, none comes twice."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.coded import KINDS
from support.isolate import run_child
from support.threads import blocked

if sys.platform != "linux":
    pytest.skip("ShmQueue is for Linux", allow_module_level=True)

from fastprims import Empty, ShmQueue, ShutDown

gate: list[Callable[[], object]] = []
"""What unpickling a Gated calls, but for the first time that it is called."""


@pytest.fixture
def q() -> Iterator[ShmQueue[Any]]:
    with ShmQueue[Any](capacity=1 << 16) as made:
        yield made
    gate.clear()


def opened(number: int) -> Gated:
    for call in gate[:]:
        call()
    return Gated(number)


class Gated:
    """An object whose unpickling runs code."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        return opened, (self.number,)


def raising(error: type[BaseException], times: int = 1) -> None:
    """Unpickling raises that, so many times."""

    def fail() -> None:
        if gate.count(fail) == 1:
            gate.remove(fail)
        else:
            gate.pop()
        raise error

    gate.extend([fail] * times)


def from_handler(error: type[BaseException]) -> None:
    """A signal handler raises that during unpickling, once."""
    import os
    import signal

    def handle(number: int, frame: object) -> None:
        signal.signal(signal.SIGUSR1, before)
        raise error

    def interrupt() -> None:
        gate.clear()
        os.kill(os.getpid(), signal.SIGUSR1)
        while True:  # it may take until the next turn
            pass

    before = signal.signal(signal.SIGUSR1, handle)
    gate.append(interrupt)


def numbers(objects: list[Any]) -> list[int]:
    return [o.number if isinstance(o, Gated) else o for o in objects]


ENDS = [
    pytest.param(lambda: raising(KeyboardInterrupt), KeyboardInterrupt, id="Ctrl-C"),
    pytest.param(lambda: raising(MemoryError), MemoryError, id="memory"),
    pytest.param(lambda: from_handler(TimeoutError), TimeoutError, id="handler"),
]


@pytest.mark.parametrize(("arrange", "error"), ENDS)
def test_what_was_being_unpickled_comes_next(
    q: ShmQueue[Any], arrange: Callable[[], None], error: type[BaseException]
) -> None:
    for n in range(3):
        q.put(Gated(n))
    arrange()
    with pytest.raises(error):
        q.get()
    assert (q.qsize(), len(q), q.stats().size, q.empty()) == (3, 3, 3, False)
    assert [q.get().number, q.try_get().number, q.get_nowait().number] == [0, 1, 2]
    assert q.empty()
    with pytest.raises(Empty):
        q.get(timeout=0.01)


@pytest.mark.parametrize(("arrange", "error"), ENDS)
def test_a_batch_comes_next_as_it_was(
    q: ShmQueue[Any], arrange: Callable[[], None], error: type[BaseException]
) -> None:
    def arm() -> None:
        gate.clear()
        arrange()

    q.put_many([0, b"bytes", Gated(2), Gated(3), 4])
    gate.append(arm)  # so that the first Gated is whole
    with pytest.raises(error):
        q.get_many(5)
    q.put(5)
    assert q.qsize() == 6
    assert numbers(q.get_many(2)) == [0, b"bytes"]
    assert numbers(q.get_many(9)) == [2, 3, 4, 5]


def test_one_that_cannot_be_unpickled_takes_no_other_with_it(q: ShmQueue[Any]) -> None:
    for at in range(3):
        q.put_many([*range(at), Gated(9), *range(at, 2)])
        raising(ValueError)
        with pytest.raises(ValueError):
            q.get_many(3)
        assert q.qsize() == 2
        assert q.get_many(3) == [0, 1]
    q.put(Gated(9))
    raising(ValueError)
    with pytest.raises(ValueError):
        q.get_many(3)
    assert q.empty()


def looks_at_its_caller() -> None:
    caller = sys._getframe(1)  # as helpers for warnings and logging do
    callers = (2, caller)
    raise ValueError(callers[1].f_code.co_name)


def calls_with_frame(frame: object, number: int = 2) -> None:
    raise ValueError


def end_the_program() -> None:
    sys.exit("never")


def press_control_c() -> None:
    raise KeyboardInterrupt


POISONS: list[tuple[Callable[[], object], type[BaseException], int]] = [
    (looks_at_its_caller, ValueError, 1),
    (lambda: calls_with_frame(sys._getframe()), ValueError, 1),
    (lambda: logging_like(2, "message"), ValueError, 1),
    (lambda: int("x"), ValueError, 1),
    (end_the_program, SystemExit, 2),
    (press_control_c, KeyboardInterrupt, 2),
]


def logging_like(level: int, message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize(("fail", "error", "times"), POISONS)
@pytest.mark.parametrize("many", [False, True])
def test_an_object_that_never_can_be_unpickled_does_not_stop_the_queue(
    q: ShmQueue[Any], fail: Callable[[], object], error: type[BaseException], times: int, many: bool
) -> None:
    """What cannot be told from an interrupt comes twice."""
    q.put_many([Gated(0), "next"])
    gate.append(fail)
    for _ in range(times):
        assert q.qsize() == 2
        with pytest.raises(error):
            q.get_many(2) if many else q.get()
    assert q.get() == "next"
    assert q.empty()


class Counting:
    """A handler that is no function."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, number: int, frame: object) -> None:
        self.calls += 1
        raise TimeoutError

    def method(self, number: int, frame: object) -> None:
        frame = number = 0  # type: ignore[assignment]
        self(number, frame)


def handle_any(*arguments: object, also: int = 3) -> None:
    raise TimeoutError


@pytest.mark.parametrize(
    "handler",
    [
        Counting(),
        Counting().method,
        handle_any,
        functools.partial(handle_any, also=4),
        lambda number, frame: handle_any(number, frame),
        signal.default_int_handler,
    ],
)
def test_what_any_handler_raises_loses_nothing_however_often(
    q: ShmQueue[Any], handler: Any
) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        while True:
            pass

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        q.put_many([Gated(0), "next"])
        gate.append(interrupt)
        for _ in range(4):
            with pytest.raises((TimeoutError, KeyboardInterrupt)):
                q.get()
            assert q.qsize() == 2
    finally:
        signal.signal(signal.SIGUSR1, before)
    gate.clear()
    assert [numbers([q.get()]), q.get()] == [[0], "next"]


def test_memory_that_is_always_too_little_does_not_stop_the_queue(q: ShmQueue[Any]) -> None:
    q.put_many([Gated(0), 1])
    raising(MemoryError, 2)
    for _ in range(2):
        with pytest.raises(MemoryError):
            q.get()
    assert q.get() == 1


def test_a_thread_that_waits_gets_what_another_one_leaves(q: ShmQueue[Any]) -> None:
    waiting: list[Any] = []

    def wait_and_fail() -> None:
        gate.clear()
        waiting.append(blocked(q.get))
        raise KeyboardInterrupt

    q.put(Gated(7))
    gate.append(wait_and_fail)
    with pytest.raises(KeyboardInterrupt):
        q.get()
    assert waiting[0].result().number == 7
    assert q.empty()


def test_it_goes_with_shutdown_at_once_and_with_close(q: ShmQueue[Any]) -> None:
    other = ShmQueue.attach(q.name)
    for reader in (q, other):
        q.put(Gated(1))
        raising(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            reader.get()
    other.close()
    with pytest.raises(ValueError, match="closed"):
        other.get()
    assert q.qsize() == 1
    again = ShmQueue.attach(q.name)
    again.shutdown()
    assert q.qsize() == 1  # to be delivered still
    again.shutdown(immediate=True)
    assert q.qsize() == 0
    with pytest.raises(ShutDown):
        q.get()


def test_one_that_is_kept_takes_no_room() -> None:
    with ShmQueue[Any](1) as q:
        q.put(Gated(0))
        raising(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            q.get()
        assert not q.full()
        q.put(1, False)
        assert q.full()
        assert numbers(q.get_many(3)) == [0, 1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_does_not_get_it_too(q: ShmQueue[Any]) -> None:
    import os

    q.put(Gated(0))
    raising(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        q.get()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert q.empty()
            assert q.try_get("nothing") == "nothing"
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert q.get().number == 0


def test_what_was_not_made_says_so() -> None:
    q: ShmQueue[Any] = ShmQueue.__new__(ShmQueue)
    for call in (q.get, lambda: q.put(1), lambda: q.get_many(2), lambda: q.put_many([1])):
        with pytest.raises(RuntimeError, match="not made"):
            call()


def storm_of_queue_gets(kind: str, call: str, error: str, seconds: float) -> list[int]:
    from functools import partial
    from itertools import chain

    from support.coded import KINDS
    from support.interrupts import Interrupt, storm_of_gets

    import fastprims

    there, back = KINDS[kind]
    with fastprims.ShmQueue() as q:
        fetch = {
            "get": lambda: iter(q.get, None),
            "timed get": lambda: iter(partial(q.get, timeout=9), None),
            "get_many": lambda: chain.from_iterable(iter(partial(q.get_many, 3), None)),
        }[call]
        interrupt = Interrupt if error == "Exception" else KeyboardInterrupt
        got, sent, interrupts = storm_of_gets(
            fetch, lambda n: q.put(there(n)), q.shutdown, seconds, interrupt
        )
    assert [back(o) for o in got] == list(range(sent)), "lost, repeated or out of order"
    return [interrupts, sent]


@pytest.mark.parametrize("error", ["Exception", "KeyboardInterrupt"])
@pytest.mark.parametrize("call", ["get", "timed get", "get_many"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_interrupts_loses_no_object(
    kind: str, call: str, error: str, scale: Callable[[int], int]
) -> None:
    interrupts, sent = run_child(storm_of_queue_gets, kind, call, error, 0.1 * scale(5))
    assert interrupts > 20, "too few interrupts to show anything"
    assert sent > 20, "too little traffic to show anything"


def gets_interrupted_everywhere(kind: str, call: str) -> int:
    from functools import partial

    from support.coded import KINDS
    from support.interrupts import at_every_step

    import fastprims

    there, back = KINDS[kind]
    interrupts, expected, fresh = 0, 0, 3
    with fastprims.ShmQueue() as q:
        batch = call == "get_many"
        take = partial(q.get_many, 3) if batch else getattr(q, call)
        q.put_many(map(there, range(3)))
        for whole, found in at_every_step(take):
            interrupts += not whole
            got = found if whole else take()
            for item in got if batch else [got]:
                assert back(item) == expected, "lost, repeated or out of order"
                expected += 1
                q.put(there(fresh))
                fresh += 1
        assert q.qsize() == 3
    return interrupts


@pytest.mark.parametrize("call", ["get", "get_nowait", "try_get", "get_many"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_get_may_be_interrupted_at_every_step(kind: str, call: str) -> None:
    interrupts = run_child(gets_interrupted_everywhere, kind, call)
    assert interrupts > 20 or kind != "coded"  # otherwise there are hardly any, or none


def puts_interrupted_everywhere(kind: str, call: str) -> int:
    from functools import partial

    from support.coded import KINDS
    from support.interrupts import at_every_step

    import fastprims

    there, back = KINDS[kind]
    items = [there(0), there(1)]
    interrupts = 0
    with fastprims.ShmQueue() as q:
        batch = call == "put_many"
        put = partial(getattr(q, call), items if batch else items[0])
        for whole, _ in at_every_step(put):
            interrupts += not whole
            found = [back(item) for item in q.get_many(9, timeout=0)] if not q.empty() else []
            expected = ([0, 1] if batch else [0]) if whole else []
            assert found == expected, "an interrupted put has stored"
            q.put(items)  # makes a pickler, if that was lost: so that all calls are alike
            q.get()
    return interrupts


@pytest.mark.parametrize("call", ["put", "put_nowait", "try_put", "put_many"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_put_that_is_interrupted_has_stored_nothing(kind: str, call: str) -> None:
    assert run_child(puts_interrupted_everywhere, kind, call) > 2


def spans_interrupted_everywhere(call: str) -> int:
    """What an interrupted `with` has held is free afterwards, without a garbage collection."""
    import gc

    from support.interrupts import at_every_step

    import fastprims

    gc.disable()
    interrupts = 0
    with fastprims.ShmRing.create() as ring:

        def hold() -> None:
            with ring.reserve(3) if call == "reserve" else getattr(ring, call)() as view:
                if call == "reserve":
                    view[:] = b"abc"
                assert bytes(view) == b"abc"

        ring.put(b"abc")
        for whole, _ in at_every_step(hold):
            interrupts += not whole
            ring.put(b"end", timeout=5)  # refused, if this thread had a reservation still
            found = [ring.get(timeout=5)]  # not there, if the lane were still held
            while found[-1] != b"end":
                found.append(ring.get(timeout=5))
            if whole:
                assert len(found) == {"reserve": 3, "get_view": 1, "peek": 2}[call]
            ring.put(b"abc")
    return interrupts


@pytest.mark.parametrize("call", ["reserve", "get_view", "peek"])
def test_a_span_that_is_interrupted_holds_nothing(call: str) -> None:
    assert run_child(spans_interrupted_everywhere, call) > 10
