"""The primitives other than queues: each thread of a case repeats one call, or a pair of calls.

A contender's `calls` names its loop here. `kind` has no meaning for these: there are no items.
"""

from __future__ import annotations

import collections
import queue
import threading
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

from bench import loops, peers
from bench.cases import FRESH, Case, Pairing, Trial
from bench.contenders import BASELINE, FASTPRIMS, PEER, STDLIB, Contender, fastprims
from bench.harness import BenchmarkFailure

Loop = Callable[[Any, int], None]


class LockedInt:
    """An integer and the lock that guards it."""

    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()


class LockedRef:
    """An attribute and the lock that guards it."""

    def __init__(self) -> None:
        self.value: object = object()
        self.lock = threading.Lock()


class LockedBucket:
    """A token bucket as it is usually written in Python."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.level = float(burst)
        self.last = time.monotonic()
        self.lock = threading.Lock()

    def take(self) -> bool:
        with self.lock:
            now = time.monotonic()
            self.level = min(self.burst, self.level + (now - self.last) * self.rate)
            self.last = now
            if self.level < 1:
                return False
            self.level -= 1
            return True


class Ten:
    """An object that takes a while to make."""

    def __init__(self) -> None:
        self.a, self.b, self.c, self.d, self.e = 1, 2.0, "three", 4, 5
        self.f, self.g, self.h, self.i, self.j = None, (), 8, 9, 10


class LifoPool:
    """A pool as it is usually written with the standard library's queue."""

    def __init__(self, size: int) -> None:
        self.queue: queue.LifoQueue[Ten] = queue.LifoQueue()
        for _ in range(size):
            self.queue.put(Ten())


class DequePool:
    """A pool written for speed."""

    def __init__(self, size: int) -> None:
        self.objects = collections.deque(Ten() for _ in range(size))
        self.lock = threading.Lock()


def fp_pool(size: int) -> Any:
    pool = fastprims.ObjectPool(Ten)
    pool.prefill(size)
    return pool


def spin(subject: Any, count: int) -> None:
    for _ in repeat(None, count):
        pass


def add_locked(subject: LockedInt, count: int) -> None:
    lock = subject.lock
    for _ in repeat(None, count):
        with lock:
            subject.value += 1


def add_atomic(subject: Any, count: int) -> None:
    fetch_add = subject.fetch_add
    for _ in repeat(None, count):
        fetch_add(1)


def add_cereggii(subject: Any, count: int) -> None:
    get_and_increment = subject.get_and_increment
    for _ in repeat(None, count):
        get_and_increment()


def add_ft(subject: Any, count: int) -> None:
    incr = subject.incr
    for _ in repeat(None, count):
        incr()


def add_in_place(subject: Any, count: int) -> None:
    for _ in repeat(None, count):
        subject += 1


def read_locked(subject: LockedRef, count: int) -> None:
    lock = subject.lock
    for _ in repeat(None, count):
        with lock:
            subject.value  # noqa: B018 - reading it is the work


def read_atomic(subject: Any, count: int) -> None:
    load = subject.load
    for _ in repeat(None, count):
        load()


def read_peer(subject: Any, count: int) -> None:
    get = subject.get
    for _ in repeat(None, count):
        get()


def call(subject: Any, count: int) -> None:
    method = subject.test
    for _ in repeat(None, count):
        method()


def try_acquire(subject: Any, count: int) -> None:
    method = subject.try_acquire
    for _ in repeat(None, count):
        method()


def take_locked(subject: LockedBucket, count: int) -> None:
    take = subject.take
    for _ in repeat(None, count):
        take()


def use_lifo(subject: LifoPool, count: int) -> None:
    get, put = subject.queue.get, subject.queue.put
    for _ in repeat(None, count):
        put(get())


def use_deque(subject: DequePool, count: int) -> None:
    lock, pop, append = subject.lock, subject.objects.pop, subject.objects.append
    for _ in repeat(None, count):
        with lock:
            item = pop()
        with lock:
            append(item)


def construct(subject: type[Ten], count: int) -> None:
    for _ in repeat(None, count):
        subject()


def use_pool(subject: Any, count: int) -> None:
    acquire, release = subject.acquire, subject.release
    for _ in repeat(None, count):
        release(acquire())


def use_lease(subject: Any, count: int) -> None:
    lease = subject.lease
    for _ in repeat(None, count):
        with lease():
            pass


LOOPS: dict[str, Loop] = {
    "none": spin,
    "with lock: value += 1": add_locked,
    "fetch_add(1)": add_atomic,
    "get_and_increment()": add_cereggii,
    "incr()": add_ft,
    "+= 1": add_in_place,
    "with lock: value": read_locked,
    "load()": read_atomic,
    "get()": read_peer,
    "test()": call,
    "try_acquire()": try_acquire,
    "take()": take_locked,
    "put(get())": use_lifo,
    "with lock: pop, append": use_deque,
    "Ten()": construct,
    "release(acquire())": use_pool,
    "with lease()": use_lease,
}


def final_count(subject: Any) -> int:
    if isinstance(subject, LockedInt):
        return subject.value
    return int(subject.get() if hasattr(subject, "get") else subject)


def repeat_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """Every thread makes its share of the calls on one subject."""
    subject = contender.make(case.bound)
    loop = loops.own_copy(LOOPS[contender.calls])
    share = count // case.threads

    def check() -> None:
        if case.unit == "use" and contender.side == FASTPRIMS:
            stats = subject.stats()
            if (stats.leased, stats.made) != (0, IN_POOL):
                raise BenchmarkFailure(f"{case.key}: {contender.key} is left with {stats}")
        if case.unit == "addition" and final_count(subject) != count:
            raise BenchmarkFailure(
                f"{case.key}: {contender.key} counted {final_count(subject)} of {count}"
            )

    roles = [(f"thread {i}", lambda: loop(subject, share)) for i in range(case.threads)]
    return Trial(roles, (), count, (lambda: None) if contender.empty_loop else check)


def _case(
    key: str,
    title: str,
    contenders: tuple[Contender, ...],
    pairings: tuple[Pairing, ...],
    unit: str,
    threads: int = 1,
) -> Case:
    return Case(
        key,
        title,
        repeat_trial,
        contenders,
        pairings,
        unit=unit,
        producers=threads,
        consumers=threads,
        threads=threads,
        kinds=(FRESH,),  # there are no items
    )


EMPTY = Contender("empty loop", BASELINE, lambda bound: None, calls="none")
EMPTY_CALL = Contender(  # a method compiled by Cython that does next to nothing
    "empty call (AtomicFlag.test)", BASELINE, lambda bound: fastprims.AtomicFlag(), calls="test()"
)

LOCKED_INT = Contender(
    "int + Lock", STDLIB, lambda bound: LockedInt(), calls="with lock: value += 1"
)
FP_INT = Contender(
    "fastprims.AtomicInt", FASTPRIMS, lambda bound: fastprims.AtomicInt(), calls="fetch_add(1)"
)
FP_INT_IN_PLACE = Contender(
    "fastprims.AtomicInt +=", FASTPRIMS, lambda bound: fastprims.AtomicInt(), calls="+= 1"
)
LOCKED_REF = Contender(
    "attribute + Lock", STDLIB, lambda bound: LockedRef(), calls="with lock: value"
)
FP_REF = Contender(
    "fastprims.AtomicRef",
    FASTPRIMS,
    lambda bound: fastprims.AtomicRef(object()),
    calls="load()",
)

LOCKED_BUCKET = Contender(
    "bucket + Lock", STDLIB, lambda bound: LockedBucket(1e6, 10**6), calls="take()"
)
FP_LIMITER = Contender(
    "fastprims.RateLimiter",
    FASTPRIMS,
    lambda bound: fastprims.RateLimiter(1e6, 10**6),
    calls="try_acquire()",
)
FP_LIMITER_FULL = Contender(
    "fastprims.RateLimiter, always full",
    FASTPRIMS,
    lambda bound: fastprims.RateLimiter(1e9, 10**6),
    calls="try_acquire()",
)
FP_LIMITER_EMPTY = Contender(
    "fastprims.RateLimiter, always empty",
    FASTPRIMS,
    lambda bound: fastprims.RateLimiter(1e-3, 1),
    calls="try_acquire()",
)

IN_POOL = 4  # objects at the start: the largest number of threads of a case

LIFO_POOL = Contender("LifoQueue pool", STDLIB, lambda bound: LifoPool(IN_POOL), calls="put(get())")
DEQUE_POOL = Contender(
    "deque + Lock pool",
    STDLIB,
    lambda bound: DequePool(IN_POOL),
    calls="with lock: pop, append",
)
CONSTRUCT = Contender("ten attributes", STDLIB, lambda bound: Ten, calls="Ten()")
FP_POOL = Contender(
    "fastprims.ObjectPool", FASTPRIMS, lambda bound: fp_pool(IN_POOL), calls="release(acquire())"
)
FP_LEASE = Contender(
    "fastprims.ObjectPool lease", FASTPRIMS, lambda bound: fp_pool(IN_POOL), calls="with lease()"
)

_cereggii = peers.load("cereggii")[0]
_ft_utils = peers.load("ft_utils.concurrency")[0]
PEER_INTS: list[Contender] = []
PEER_REFS: list[Contender] = []
if _cereggii:
    PEER_INTS.append(
        Contender(
            "cereggii.AtomicInt64",
            PEER,
            lambda bound: _cereggii.AtomicInt64(0),
            calls="get_and_increment()",
        )
    )
    PEER_REFS.append(
        Contender(
            "cereggii.AtomicRef", PEER, lambda bound: _cereggii.AtomicRef(object()), calls="get()"
        )
    )
if _ft_utils:
    PEER_INTS.append(
        Contender(
            "ft_utils.AtomicInt64", PEER, lambda bound: _ft_utils.AtomicInt64(0), calls="incr()"
        )
    )
    PEER_REFS.append(
        Contender(
            "ft_utils.AtomicReference",
            PEER,
            lambda bound: _ft_utils.AtomicReference(object()),
            calls="get()",
        )
    )

_INTS = (EMPTY, EMPTY_CALL, LOCKED_INT, *PEER_INTS, FP_INT, FP_INT_IN_PLACE)
_REFS = (EMPTY, EMPTY_CALL, LOCKED_REF, *PEER_REFS, FP_REF)

_LIMITERS = (EMPTY, EMPTY_CALL, LOCKED_BUCKET, FP_LIMITER, FP_LIMITER_FULL, FP_LIMITER_EMPTY)

_POOLS = (EMPTY, EMPTY_CALL, LIFO_POOL, DEQUE_POOL, CONSTRUCT, FP_POOL, FP_LEASE)

PRIMITIVES: tuple[Case, ...] = (
    _case(
        "counter",
        "count by one, one thread",
        _INTS,
        (
            Pairing(FP_INT, LOCKED_INT, 3, 3),
            Pairing(FP_INT_IN_PLACE, LOCKED_INT),
            *(Pairing(FP_INT, peer, 1, 1) for peer in PEER_INTS),
        ),
        "addition",
    ),
    _case(
        "counter-4",
        "count by one, 4 threads, one counter",
        _INTS,
        (
            Pairing(FP_INT, LOCKED_INT, None, 4),
            Pairing(FP_INT_IN_PLACE, LOCKED_INT),
            *(Pairing(FP_INT, peer, None, 1) for peer in PEER_INTS),
        ),
        "addition",
        threads=4,
    ),
    _case(
        "reference",
        "read a shared reference, one thread",
        _REFS,
        (Pairing(FP_REF, LOCKED_REF), *(Pairing(FP_REF, peer) for peer in PEER_REFS)),
        "load",
    ),
    _case(
        "reference-4",
        "read a shared reference, 4 threads",
        _REFS,
        (Pairing(FP_REF, LOCKED_REF), *(Pairing(FP_REF, peer) for peer in PEER_REFS)),
        "load",
        threads=4,
    ),
    _case(
        "limiter",
        "take a token, one thread",
        _LIMITERS,
        (
            Pairing(FP_LIMITER, EMPTY_CALL, 0.5, 0.5),
            Pairing(FP_LIMITER_FULL, EMPTY_CALL, 0.5, 0.5),
            Pairing(FP_LIMITER_EMPTY, EMPTY_CALL, 0.5, 0.5),
            Pairing(FP_LIMITER, LOCKED_BUCKET),
        ),
        "token",
    ),
    _case(
        "limiter-4",
        "take a token, 4 threads",
        _LIMITERS,
        (Pairing(FP_LIMITER, LOCKED_BUCKET),),
        "token",
        threads=4,
    ),
    _case(
        "pool",
        "acquire + release, one thread",
        _POOLS,
        (
            Pairing(FP_POOL, LIFO_POOL, 20, 20),
            Pairing(FP_POOL, DEQUE_POOL, 1.5, None),
            Pairing(FP_POOL, CONSTRUCT, 3, 3),
            Pairing(FP_LEASE, LIFO_POOL),
        ),
        "use",
    ),
    _case(
        "pool-2",
        "acquire + release, 2 threads",
        _POOLS,
        (
            Pairing(FP_POOL, LIFO_POOL, 20, 20),
            Pairing(FP_POOL, DEQUE_POOL, 1.5, 4),
            Pairing(FP_POOL, CONSTRUCT, 3, 3),
        ),
        "use",
        threads=2,
    ),
    _case(
        "pool-4",
        "acquire + release, 4 threads",
        _POOLS,
        (Pairing(FP_POOL, LIFO_POOL), Pairing(FP_POOL, DEQUE_POOL)),
        "use",
        threads=4,
    ),
)
