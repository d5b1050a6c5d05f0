"""Numbers, time-outs and truth values: every method of every class takes them in the same way."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from queue import Empty, Full
from typing import Any

import pytest
from support.threads import blocked

import fastprims
from fastprims import AtomicFlag, AtomicInt, BoundedChannel, ObjectPool, RateLimiter

try:
    from fastprims import raw
except ImportError:
    raw = None  # type: ignore[assignment]

SHORT = 0.01

Case = tuple[str, Callable[..., Any], Any]


def _full(queue: Any, item: Any) -> Any:
    while queue.try_put(item):
        pass
    return queue


def _queues() -> Iterator[tuple[str, Callable[[], Any], Any]]:
    yield "Queue", lambda: fastprims.Queue(1), "item"
    yield "SimpleQueue", fastprims.SimpleQueue, "item"
    yield "LifoQueue", lambda: fastprims.LifoQueue(1), "item"
    yield "PriorityQueue", lambda: fastprims.PriorityQueue(1), "item"
    yield "MPMCRing", lambda: fastprims.MPMCRing(1), "item"
    yield "SPSCRing", lambda: fastprims.SPSCRing(1), "item"
    yield "BoundedChannel", lambda: BoundedChannel(1), "item"
    if sys.platform == "linux":
        yield "ShmRing", lambda: fastprims.ShmRing.create(capacity=4096), b"x" * 1000
        yield "ShmQueue", lambda: fastprims.ShmQueue(1), b"item"
    if raw is not None:
        yield "raw.SPSCWords", lambda: raw.SPSCWords(1), 1
        yield "raw.MPMCWords", lambda: raw.MPMCWords(1), 1
        yield "raw.SPSCBytes", lambda: raw.SPSCBytes(64), b"12345678"


def _waits() -> Iterator[Case]:
    """(name, a call of a time-out and of `block`, which cannot succeed; what it answers)."""
    for name, make, item in _queues():
        for method, args in (("get", ()), ("get_many", (5,))):
            q = make()
            yield f"{name}.{method}", _call(q, method, args), Empty
        if name == "raw.SPSCBytes":
            yield f"{name}.get_into", _call(make(), "get_into", (bytearray(9),)), Empty
        if name == "ShmRing":
            for method in ("peek", "get_view"):
                yield f"{name}.{method}", _call(make(), method, ()), Empty
        if name == "SimpleQueue":
            continue
        puts = [("put", (item,)), ("put_many", ([item],))]
        for method, args in [*puts, *([("reserve", (1000,))] if name == "ShmRing" else [])]:
            yield f"{name}.{method}", _call(_full(make(), item), method, args), Full
    pool: Any = ObjectPool(bytearray, max_size=1)
    pool.acquire()
    yield "ObjectPool.acquire", _call(pool, "acquire", ()), Empty

    def lease(**kwargs: Any) -> None:
        with pool.lease(**kwargs):
            pass

    yield "ObjectPool.lease", lease, Empty


def _call(thing: Any, method: str, args: tuple[Any, ...]) -> Callable[..., Any]:
    return lambda **kwargs: getattr(thing, method)(*args, **kwargs)


def _others() -> Iterator[Case]:
    flag, limiter, q = AtomicFlag(), RateLimiter(1e-3, 1), fastprims.Queue[int]()
    assert limiter.try_acquire()
    q.put(1)
    yield "AtomicFlag.wait", lambda **kw: flag.wait(**kw), False
    yield "RateLimiter.acquire", lambda **kw: limiter.acquire(**kw), False
    yield "Queue.join", lambda **kw: q.join(**kw), False


WAITS = list(_waits())
ALL = [*WAITS, *_others()]
DROP_INS = ("Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "ShmQueue")

every = pytest.mark.parametrize(("name", "call", "answer"), ALL, ids=[c[0] for c in ALL])
waits = pytest.mark.parametrize(("name", "call", "answer"), WAITS, ids=[c[0] for c in WAITS])


def numbers(value: float) -> list[Any]:
    found: list[Any] = [value, Decimal(str(value)), Fraction(value)]
    try:
        import numpy
    except ImportError:
        return found
    return [*found, numpy.float64(value), numpy.float32(value)]


def expect(call: Callable[..., Any], answer: Any, **kwargs: Any) -> None:
    if isinstance(answer, type) and issubclass(answer, Exception):
        with pytest.raises(answer):
            call(**kwargs)
    else:
        assert call(**kwargs) is answer


@every
def test_every_timeout_takes_every_kind_of_number(name: str, call: Any, answer: Any) -> None:
    for value in (*numbers(SHORT), 0, False, 0.0, Decimal(0), Fraction(0)):
        expect(call, answer, timeout=value)


@every
@pytest.mark.parametrize("value", ["1", b"1", [], {}, object(), 1j, int], ids=repr)
def test_every_timeout_refuses_what_is_no_number(
    name: str, call: Any, answer: Any, value: Any
) -> None:
    with pytest.raises(TypeError, match="timeout must be a number of seconds, or None, not"):
        call(timeout=value)


@every
def test_every_timeout_refuses_numbers_that_cannot_be(name: str, call: Any, answer: Any) -> None:
    for value in (*numbers(-1.0), -1, -math.inf, -(10**400)):
        with pytest.raises(ValueError, match="non-negative"):
            call(timeout=value)
    for value in (math.inf, Decimal("inf"), 1e300, 10**400, Fraction(10**400)):
        with pytest.raises(OverflowError, match="too large"):
            call(timeout=value)
    for value in (math.nan, Decimal("nan")):
        with pytest.raises(ValueError, match="nan"):
            call(timeout=value)


@waits
def test_a_number_is_no_truth_value_but_where_the_standard_library_says_so(
    name: str, call: Any, answer: Any
) -> None:
    owner, _, method = name.rpartition(".")
    for value in (0, 0.0, None, False):
        expect(call, answer, block=value)
    if owner in DROP_INS and method in ("put", "get"):
        expect(call, answer, block=0.2, timeout=SHORT)
        return
    for value in (0.2, 5, Decimal(1), "no"):
        with pytest.raises(TypeError, match=r"block must be True or False, .* timeout="):
            call(block=value)


def test_numpys_bool_is_one() -> None:
    numpy = pytest.importorskip("numpy")
    ring: Any = fastprims.MPMCRing(1)
    with pytest.raises(Empty):
        ring.get(numpy.False_)
    with pytest.raises(Empty):
        ring.get(numpy.True_, SHORT)
    assert AtomicFlag().wait(numpy.False_) is True


def test_other_truth_values_are_checked_too() -> None:
    ring: Any = fastprims.SPSCRing(1)
    for call in (
        lambda: ring.shutdown(5),
        lambda: ring.release_producer(force=5),
        lambda: BoundedChannel(1).shutdown(0.5),
        lambda: ObjectPool(bytearray, drain_on_gc=5),
    ):
        with pytest.raises(TypeError, match="True or False"):
            call()
    assert not ring.is_shutdown


def test_a_flag_takes_a_number_for_the_timeout_as_an_event_does() -> None:
    flag: Any = AtomicFlag()
    for value in (0, SHORT, *numbers(SHORT)):
        assert flag.wait(value) is False
    assert flag.wait(False) is True
    waiting = blocked(flag.wait, None)
    flag.test_and_set()
    assert waiting.result() is True
    assert flag.wait(0) is True
    with pytest.raises(TypeError, match="value must be True or False"):
        flag.wait(0.2, 1)
    with pytest.raises(TypeError, match="timeout must be a number"):
        flag.wait("soon")


def test_rates_and_intervals_take_every_kind_of_number() -> None:
    for value in (1, *numbers(1.0)):
        assert RateLimiter(value, 1).rate == 1.0
        assert BoundedChannel(1, rate=value).rate == (1.0, 1)
        assert BoundedChannel(1, rate=(value, 2)).rate == (1.0, 2)
        BoundedChannel(1, pressure_interval=value)


@pytest.mark.parametrize("value", ["5", b"5", [5, 1], None, object()], ids=repr)
def test_sentences_name_the_argument_and_say_what_it_may_be(value: Any) -> None:
    made: list[tuple[str, Callable[[], Any]]] = [
        ("capacity must be an integer, not", lambda: fastprims.MPMCRing(value)),
        ("rate must be a number of tokens per second, not", lambda: RateLimiter(value, 1)),
        ("burst must be an integer, not", lambda: RateLimiter(1, value)),
        (
            "pressure_interval must be a number of seconds, not",
            lambda: BoundedChannel(1, pressure_interval=value),
        ),
        ("max_items must be an integer, not", lambda: fastprims.Queue[int]().get_many(value)),
    ]
    if value is not None:
        made.append(("rate must be a number of items", lambda: BoundedChannel(1, rate=value)))
    for sentence, call in made:
        with pytest.raises(TypeError, match=sentence):
            call()


def test_an_infinite_maxsize_is_no_bound_as_in_the_standard_library() -> None:
    q: Any = fastprims.Queue(math.inf)  # type: ignore[arg-type]
    q.put_many(range(1000), block=False)
    assert (q.maxsize, q.qsize()) == (math.inf, 1000)
    with pytest.raises(TypeError, match="maxsize must be an integer"):
        BoundedChannel(math.inf)  # type: ignore[arg-type]


def test_a_clock_may_count_in_numpys_integers() -> None:
    numpy = pytest.importorskip("numpy")
    limiter = RateLimiter(1, 1, clock=lambda: numpy.int64(7))
    assert limiter.try_acquire()
    with pytest.raises(TypeError, match="nanoseconds as an int"):
        RateLimiter(1, 1, clock=lambda: 1.5)  # type: ignore[arg-type, return-value]


def test_no_wait_goes_by_the_module_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun and tests of one's own patch it: whatever found its way into our modules."""
    import time

    frozen = time.monotonic()
    real = {time.time, time.monotonic, time.perf_counter}
    for module in [time, *(m for n, m in sys.modules.items() if n.startswith("fastprims"))]:
        for name, value in list(vars(module).items()):
            if inspect.isbuiltin(value) and value in real:
                monkeypatch.setattr(module, name, lambda: frozen)
    for _, call, answer in ALL:
        expect(call, answer, timeout=SHORT)


@pytest.mark.parametrize(
    "ask",
    [
        str,
        int,
        float,
        complex,
        round,
        math.trunc,
        math.floor,
        math.ceil,
        hex,
        bool,
        lambda n: round(n, -2),
        lambda n: f"{n}",
        lambda n: f"{n:,}",
        lambda n: f"{n:>12}",
        lambda n: f"{n:.2e}",
        lambda n: format(n, "x"),
        lambda n: "%d" % n,  # noqa: UP031
        lambda n: "%s" % n,  # noqa: UP031
    ],
)
@pytest.mark.parametrize("value", [0, 1234, -1250, 2**63 - 1])
def test_an_atomic_int_answers_as_its_value(ask: Callable[[Any], Any], value: int) -> None:
    answer = ask(AtomicInt(value))
    assert answer == ask(value)
    assert type(answer) is type(ask(value))


def test_an_atomic_int_refuses_what_an_int_refuses() -> None:
    with pytest.raises(ValueError, match="format"):
        format(AtomicInt(1), "q")
    with pytest.raises(TypeError):
        AtomicInt(1).__format__(1.5)  # type: ignore[arg-type]
    assert repr(AtomicInt(5)) == "AtomicInt(5)"
