"""The limits: a rate limiter and an object pool, beside what is usually written in Python."""

from __future__ import annotations

import collections
import queue
import threading
import time
from itertools import repeat
from typing import Any

from bench.run.calls import EMPTY, EMPTY_CALL, Loop, calls_case
from bench.run.case import FASTPRIMS, STDLIB, Case, Contender, Pairing, fastprims


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
    "try_acquire()": try_acquire,
    "take()": take_locked,
    "put(get())": use_lifo,
    "with lock: pop, append": use_deque,
    "Ten()": construct,
    "release(acquire())": use_pool,
    "with lease()": use_lease,
}


def leftover(contender: Contender, subject: Any, count: int) -> str:
    if contender.side != FASTPRIMS:
        return ""
    stats = subject.stats()
    return "" if (stats.leased, stats.made) == (0, IN_POOL) else f"is left with {stats}"


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

_LIMITERS = (EMPTY, EMPTY_CALL, LOCKED_BUCKET, FP_LIMITER, FP_LIMITER_FULL, FP_LIMITER_EMPTY)

_POOLS = (EMPTY, EMPTY_CALL, LIFO_POOL, DEQUE_POOL, CONSTRUCT, FP_POOL, FP_LEASE)

LIMITS: tuple[Case, ...] = (
    calls_case(
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
        LOOPS,
    ),
    calls_case(
        "limiter-4",
        "take a token, 4 threads",
        _LIMITERS,
        (Pairing(FP_LIMITER, LOCKED_BUCKET),),
        "token",
        LOOPS,
        threads=4,
    ),
    calls_case(
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
        LOOPS,
        leftover,
    ),
    calls_case(
        "pool-2",
        "acquire + release, 2 threads",
        _POOLS,
        (
            Pairing(FP_POOL, LIFO_POOL, 20, 20),
            Pairing(FP_POOL, DEQUE_POOL, 1.5, 4),
            Pairing(FP_POOL, CONSTRUCT, 3, 3),
        ),
        "use",
        LOOPS,
        leftover,
        threads=2,
    ),
    calls_case(
        "pool-4",
        "acquire + release, 4 threads",
        _POOLS,
        (Pairing(FP_POOL, LIFO_POOL), Pairing(FP_POOL, DEQUE_POOL)),
        "use",
        LOOPS,
        leftover,
        threads=4,
    ),
)
