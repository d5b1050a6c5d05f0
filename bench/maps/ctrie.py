"""Maps: a Ctrie beside a dict, a dict with a lock, an immutable map with a lock, an atomic dict.

A case's `bound` is the number of keys; its kind of item has no meaning. Keys are integers, equal to
those in the map but other objects. They come in the order in which they were stored, from a
different start for each thread, or in random order. Each thread makes its keys itself, so that the
threads share no reference counts except those of the map's contents. If there is a choice, maps are
used in the cheapest way: bound methods, and no lock for reading an immutable map.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain, cycle, islice, repeat
from typing import Any

from bench.run import peers
from bench.run.case import (
    BASELINE,
    FASTPRIMS,
    FRESH,
    FRESH_BASE,
    PEER,
    STDLIB,
    Case,
    Contender,
    Pairing,
    Trial,
    Workload,
    fastprims,
    own_copy,
)
from bench.run.harness import BenchmarkFailure

Keys = Iterable[int]
Loop = Callable[[Any, Keys], None]

KEYS = 50_000
BATCH = 64  # keys of one get_many()
COPIED = 5_000  # keys of the cases in which whole maps are copied


class Locked:
    """A map and the lock that guards it; the loops spell out ``with lock:``."""

    def __init__(self, contents: Any) -> None:
        self.map = contents
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.map)


# One loop for each way of writing an operation. ---------------------------------------------------


def spin(subject: Any, keys: Keys) -> None:
    for _ in keys:
        pass


def get(subject: Any, keys: Keys) -> None:
    get = subject.get
    for key in keys:
        get(key)


def get_locked(subject: Locked, keys: Keys) -> None:
    lock, get = subject.lock, subject.map.get
    for key in keys:
        with lock:
            get(key)


def get_immutable(subject: Locked, keys: Keys) -> None:
    for key in keys:
        subject.map.get(key)


def get_many(subject: Any, keys: Keys) -> None:
    keys = iter(keys)
    while batch := list(islice(keys, BATCH)):
        subject.get_many(batch)


# By a global name of a module, as in most programs with an object that threads share.
shared: Any = None


def get_shared(subject: Any, keys: Keys) -> None:
    for key in keys:
        shared.get(key)


def get_shared_locked(subject: Locked, keys: Keys) -> None:
    for key in keys:
        with shared.lock:
            shared.map.get(key)


def store(subject: Any, keys: Keys) -> None:
    for key in keys:
        subject[key] = key


def store_locked(subject: Locked, keys: Keys) -> None:
    lock, contents = subject.lock, subject.map
    for key in keys:
        with lock:
            contents[key] = key


def store_immutable(subject: Locked, keys: Keys) -> None:
    lock = subject.lock
    for key in keys:
        with lock:
            subject.map = subject.map.set(key, key)


def mix(subject: Any, steps: Iterable[tuple[int, bool]]) -> None:
    get = subject.get
    for key, writes in steps:
        if writes:
            subject[key] = key
        else:
            get(key)


def mix_locked(subject: Locked, steps: Iterable[tuple[int, bool]]) -> None:
    lock, contents, get = subject.lock, subject.map, subject.map.get
    for key, writes in steps:
        if writes:
            with lock:
                contents[key] = key
        else:
            with lock:
                get(key)


def mix_immutable(subject: Locked, steps: Iterable[tuple[int, bool]]) -> None:
    lock = subject.lock
    for key, writes in steps:
        if writes:
            with lock:
                subject.map = subject.map.set(key, key)
        else:
            subject.map.get(key)


def snap(subject: Any, keys: Keys) -> None:
    snapshot = subject.readonly_snapshot
    for _ in keys:
        snapshot()


def snap_writable(subject: Any, keys: Keys) -> None:
    snapshot = subject.snapshot
    for _ in keys:
        snapshot()


def snap_copy(subject: dict[int, int], keys: Keys) -> None:
    copy = subject.copy
    for _ in keys:
        copy()


def snap_locked(subject: Locked, keys: Keys) -> None:
    lock, copy = subject.lock, subject.map.copy
    for _ in keys:
        with lock:
            copy()


def snap_change(subject: Any, keys: Keys) -> None:
    snapshot = subject.snapshot
    for key in keys:
        snapshot()[key] = key


def snap_change_locked(subject: Locked, keys: Keys) -> None:
    lock, copy = subject.lock, subject.map.copy
    for key in keys:
        with lock:
            draft = copy()
        draft[key] = key


def snap_change_immutable(subject: Locked, keys: Keys) -> None:
    for key in keys:
        subject.map.set(key, key)


def snap_store(subject: Any, keys: Keys) -> None:
    snapshot = subject.readonly_snapshot
    for key in keys:
        snapshot()
        subject[key] = key


def snap_store_locked(subject: Locked, keys: Keys) -> None:
    lock, contents, copy = subject.lock, subject.map, subject.map.copy
    for key in keys:
        with lock:
            copy()
        with lock:
            contents[key] = key


def snap_store_immutable(subject: Locked, keys: Keys) -> None:
    lock = subject.lock
    for key in keys:
        subject.map  # noqa: B018 - taking it is the snapshot
        with lock:
            subject.map = subject.map.set(key, key)


LOOPS: dict[str, dict[str, Callable[[Any, Any], None]]] = {
    "get": {
        "none": spin,
        "map": get,
        "many": get_many,
        "locked": get_locked,
        "immutable": get_immutable,
    },
    "get shared": {"none": spin, "map": get_shared, "locked": get_shared_locked},
    "insert": {"none": spin, "map": store, "locked": store_locked, "immutable": store_immutable},
    "mix": {"none": spin, "map": mix, "locked": mix_locked, "immutable": mix_immutable},
    "snapshot": {
        "none": spin,
        "map": snap,
        "writable": snap_writable,
        "bare": snap_copy,
        "locked": snap_locked,
    },
    "snapshot + set in it": {
        "none": spin,
        "map": snap_change,
        "locked": snap_change_locked,
        "immutable": snap_change_immutable,
    },
    "snapshot + set": {
        "none": spin,
        "map": snap_store,
        "locked": snap_store_locked,
        "immutable": snap_store_immutable,
    },
}

# Contents and keys. -------------------------------------------------------------------------------


def pairs(size: int) -> dict[int, int]:
    return {FRESH_BASE + n: FRESH_BASE - n for n in range(size)}


def filled(contender: Contender, size: int) -> Any:
    """A map with these pairs, unless the contender makes its own contents."""
    subject = contender.make(0)
    if len(subject):
        return subject
    if contender.calls == "immutable":
        subject.map = subject.map.update(pairs(size))
    else:
        target = subject.map if contender.calls == "locked" else subject
        for key, value in pairs(size).items():
            target[key] = value
    return subject


# The samples of all cases share one map: they store only under existing keys.
shared_map = cache(filled)


class Own(threading.local):
    """The keys of this thread, made by the thread itself; and maps, if no other thread uses them:
    without the GIL, a dict that another thread has made takes a thousand times as long.
    """

    def __init__(self) -> None:
        self.lists: dict[tuple[int, bool], list[int]] = {}
        self.map = cache(filled)

    def endless(self, size: int, shuffled: bool = False) -> Keys:
        keys = self.lists.get((size, shuffled))
        if keys is None:
            keys = [FRESH_BASE + n for n in range(size)]
            rng = random.Random(threading.get_ident())
            if shuffled:
                rng.shuffle(keys)
            start = rng.randrange(size)
            self.lists[size, shuffled] = keys = keys[start:] + keys[:start]
        return chain.from_iterable(repeat(keys))


own = Own()


def map_trial(what: str, writes: int = 0, shuffled: bool = False) -> Workload:
    """A workload: every thread goes through its share of keys. writes: in percent, for "mix"."""
    pattern = [n * writes // 100 != (n + 1) * writes // 100 for n in range(100)]

    def trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
        loop = own_copy(LOOPS[what][contender.calls])
        share = count // case.threads
        subjects: list[Any] = []

        def find() -> Any:
            if contender.empty_loop:
                return ()
            return (own.map if case.threads == 1 else shared_map)(contender, case.bound)

        def work() -> None:
            global shared
            subject = shared = find()
            keys = islice(own.endless(case.bound, shuffled), share)
            loop(subject, zip(keys, cycle(pattern)) if what == "mix" else keys)
            subjects.append(subject)

        def check() -> None:
            for subject in subjects if not contender.empty_loop else ():
                expect_size(case, contender, subject, SIZES.get(contender.key, case.bound))

        return Trial([(f"thread {n}", work) for n in range(case.threads)], (), count, check)

    return trial


def insert_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """One thread fills new maps, with `bound` keys each."""
    subjects = [contender.make(0) for _ in range(count // case.bound)]
    loop = own_copy(LOOPS["insert"][contender.calls])

    def work() -> None:
        for subject in subjects:
            loop(subject, islice(own.endless(case.bound), case.bound))

    def check() -> None:
        for subject in subjects if not contender.empty_loop else ():
            expect_size(case, contender, subject, case.bound)

    return Trial([("worker", work)], (), count, check)


def expect_size(case: Case, contender: Contender, subject: Any, size: int) -> None:
    if len(subject) != size:
        raise BenchmarkFailure(
            f"{case.key}: {contender.key} has {len(subject)} keys instead of {size}"
        )


# Contenders and cases. ----------------------------------------------------------------------------

EMPTY = Contender("empty loop", BASELINE, lambda bound: None, calls="none")
DICT = Contender("dict", STDLIB, lambda bound: {}, calls="map")
COPIED_DICT = Contender("dict.copy()", STDLIB, lambda bound: {}, calls="bare")
LOCKED_DICT = Contender(
    "dict + Lock",
    STDLIB,
    lambda bound: Locked({}),
    calls="locked",
    over="over\ndict +\nLock",
)
FP_CTRIE = Contender("fastprims.Ctrie", FASTPRIMS, lambda bound: fastprims.Ctrie(), calls="map")

MANY_CTRIE = Contender(
    f"fastprims.Ctrie, get_many({BATCH})", FASTPRIMS, lambda bound: fastprims.Ctrie(), calls="many"
)
DRAFT_CTRIE = Contender(
    "fastprims.Ctrie, writable", FASTPRIMS, lambda bound: fastprims.Ctrie(), calls="writable"
)
SHARED_CTRIE = Contender(
    "fastprims.Ctrie, shared",
    FASTPRIMS,
    lambda bound: fastprims.share(fastprims.Ctrie()),
    calls="map",
)

_immutables = peers.load("immutables")[0]
_cereggii = peers.load("cereggii")[0]
LOCKED_MAP = Contender(
    "immutables.Map + Lock",
    PEER,
    lambda bound: Locked(_immutables.Map()),
    calls="immutable",
    over="over\nMap +\nLock",
)
ATOMIC_DICT = Contender(
    "cereggii.AtomicDict", PEER, lambda bound: _cereggii.AtomicDict(), calls="map"
)


SIZES: dict[str, int] = {}  # of the contenders with a number of keys of their own


def sized(size: int) -> Contender:
    """A Ctrie with its own number of keys, independent of the case's."""
    key = f"fastprims.Ctrie, {size:,} keys"
    SIZES[key] = size
    return Contender(
        key,
        FASTPRIMS,
        lambda bound: fastprims.Ctrie(pairs(size)),
        calls="map",
    )


def present(*contenders: Contender) -> tuple[Contender, ...]:
    """The contenders whose package is installed."""
    away = {LOCKED_MAP} if _immutables is None else set[Contender]()
    away |= {ATOMIC_DICT} if _cereggii is None else set()
    return tuple(c for c in contenders if c not in away)


def _case(
    key: str,
    title: str,
    workload: Workload,
    contenders: tuple[Contender, ...],
    pairings: tuple[Pairing, ...],
    **options: Any,
) -> Case:
    threads = options.get("threads", 1)
    contenders = present(*contenders)
    return Case(
        key,
        title,
        workload,
        contenders,
        tuple(p for p in pairings if p.baseline in contenders),
        **{"bound": KEYS, "kinds": (FRESH,), **options},
        producers=threads,
        consumers=threads,
    )


def _mix_case(writes: int, threads: int) -> Case:
    many = threads == 2 and writes == 10
    return _case(
        f"map-mix-{writes}-{threads}",
        f"a map of {KEYS:,}: {writes} % set, {100 - writes} % get, "
        + ("one thread" if threads == 1 else f"{threads} threads"),
        map_trial("mix", writes),
        (EMPTY, DICT, LOCKED_DICT, LOCKED_MAP, ATOMIC_DICT, FP_CTRIE),
        (
            Pairing(FP_CTRIE, LOCKED_DICT, 4 if many else None, 15 if many else None),
            Pairing(FP_CTRIE, LOCKED_MAP),
            Pairing(FP_CTRIE, ATOMIC_DICT, *((1.2, 1.2) if many else ())),
        ),
        pictured=threads == 2,
        unit="call",
        threads=threads,
    )


def _snapshot_case(key: str, *sizes: int, **options: Any) -> Case:
    tries = {size: sized(size) for size in sorted({COPIED, *sizes})}
    return _case(
        key,
        f"a snapshot, or a copy of {COPIED:,} keys",
        map_trial("snapshot"),
        (EMPTY, COPIED_DICT, LOCKED_DICT, *tries.values(), DRAFT_CTRIE),
        (
            Pairing(tries[COPIED], COPIED_DICT, 200, 200),
            Pairing(tries[max(sizes)], tries[min(sizes)], 1 / 1.5, 1 / 1.5),
            Pairing(DRAFT_CTRIE, tries[COPIED], 1 / 1.5, 1 / 1.5),
        ),
        bound=COPIED,
        unit="snapshot",
        **options,
    )


MAPS: tuple[Case, ...] = (
    _case(
        "map-get",
        f"get from a map of {KEYS:,}, one thread",
        map_trial("get"),
        (EMPTY, DICT, LOCKED_DICT, LOCKED_MAP, ATOMIC_DICT, FP_CTRIE),
        (Pairing(FP_CTRIE, LOCKED_DICT, 3, 3), Pairing(FP_CTRIE, DICT, 0.6, 0.6)),
        pictured=True,
        unit="call",
    ),
    _case(
        "map-get-random",
        f"get from a map of {KEYS:,} in random order, one thread",
        map_trial("get", shuffled=True),
        (EMPTY, DICT, LOCKED_DICT, LOCKED_MAP, ATOMIC_DICT, FP_CTRIE, MANY_CTRIE),
        (Pairing(FP_CTRIE, LOCKED_DICT), Pairing(FP_CTRIE, DICT), Pairing(MANY_CTRIE, DICT)),
        unit="call",
    ),
    _case(
        "map-get-shared",
        f"get from a map of {KEYS:,}, found by its global name, 2 threads",
        map_trial("get shared"),
        (EMPTY, DICT, LOCKED_DICT, ATOMIC_DICT, FP_CTRIE, SHARED_CTRIE),
        (Pairing(SHARED_CTRIE, LOCKED_DICT), Pairing(SHARED_CTRIE, FP_CTRIE)),
        unit="call",
        threads=2,
    ),
    _case(
        "map-insert",
        f"fill a map with {KEYS:,} keys, one thread",
        insert_trial,
        (EMPTY, DICT, LOCKED_DICT, LOCKED_MAP, ATOMIC_DICT, FP_CTRIE),
        (Pairing(FP_CTRIE, LOCKED_DICT, 1, 1), Pairing(FP_CTRIE, LOCKED_MAP, 4, 4)),
        pictured=True,
        unit="call",
        step=KEYS,
    ),
    *(_mix_case(writes, threads) for writes in (10, 50) for threads in (1, 2, 4)),
    _case(
        "map-draft",
        f"a snapshot and a set in it, {COPIED:,} keys",
        map_trial("snapshot + set in it"),
        (EMPTY, LOCKED_DICT, LOCKED_MAP, FP_CTRIE),
        (Pairing(FP_CTRIE, LOCKED_DICT), Pairing(FP_CTRIE, LOCKED_MAP)),
        bound=COPIED,
        unit="pair",
    ),
    _snapshot_case("map-snapshot", 1_000, 100_000, pictured=True),
    _snapshot_case("map-snapshot-full", 1_000, 10_000, 100_000, 1_000_000, only_full=True),
    _case(
        "map-crowd",
        f"snapshot + set, 100 threads, {COPIED:,} keys",
        map_trial("snapshot + set"),
        (EMPTY, LOCKED_DICT, LOCKED_MAP, FP_CTRIE),
        (Pairing(FP_CTRIE, LOCKED_DICT, 100, 150), Pairing(FP_CTRIE, LOCKED_MAP, 3, 10)),
        pictured=True,
        bound=COPIED,
        unit="pair",
        threads=100,
    ),
)
