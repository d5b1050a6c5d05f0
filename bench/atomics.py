"""The atomics: a counter and a reference that threads share, beside a value and its lock."""

from __future__ import annotations

import threading
from itertools import repeat
from typing import Any

from bench.run import peers
from bench.run.calls import EMPTY, EMPTY_CALL, Loop, calls_case
from bench.run.case import FASTPRIMS, PEER, STDLIB, Case, Contender, Pairing, fastprims


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


LOOPS: dict[str, Loop] = {
    "with lock: value += 1": add_locked,
    "fetch_add(1)": add_atomic,
    "get_and_increment()": add_cereggii,
    "incr()": add_ft,
    "+= 1": add_in_place,
    "with lock: value": read_locked,
    "load()": read_atomic,
    "get()": read_peer,
}


def final_count(subject: Any) -> int:
    if isinstance(subject, LockedInt):
        return subject.value
    return int(subject.get() if hasattr(subject, "get") else subject)


def miscount(contender: Contender, subject: Any, count: int) -> str:
    found = final_count(subject)
    return "" if found == count else f"counted {found} of {count}"


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

ATOMICS: tuple[Case, ...] = (
    calls_case(
        "counter",
        "count by one, one thread",
        _INTS,
        (
            Pairing(FP_INT, LOCKED_INT, 3, 3),
            Pairing(FP_INT_IN_PLACE, LOCKED_INT),
            *(Pairing(FP_INT, peer, 1, 1) for peer in PEER_INTS),
        ),
        "addition",
        LOOPS,
        miscount,
    ),
    calls_case(
        "counter-4",
        "count by one, 4 threads, one counter",
        _INTS,
        (
            Pairing(FP_INT, LOCKED_INT, None, 4),
            Pairing(FP_INT_IN_PLACE, LOCKED_INT),
            *(Pairing(FP_INT, peer, None, 1) for peer in PEER_INTS),
        ),
        "addition",
        LOOPS,
        miscount,
        threads=4,
    ),
    calls_case(
        "reference",
        "read a shared reference, one thread",
        _REFS,
        (Pairing(FP_REF, LOCKED_REF), *(Pairing(FP_REF, peer) for peer in PEER_REFS)),
        "load",
        LOOPS,
    ),
    calls_case(
        "reference-4",
        "read a shared reference, 4 threads",
        _REFS,
        (Pairing(FP_REF, LOCKED_REF), *(Pairing(FP_REF, peer) for peer in PEER_REFS)),
        "load",
        LOOPS,
        threads=4,
    ),
)
