"""The native contenders: the program of each, and the cases in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass

FASTPRIMS, PEER, REFERENCE = "fastprims", "peer", "reference"


@dataclass(frozen=True)
class Native:
    """A program in programs/: its source, and the compiler's arguments for it."""

    key: str
    side: str
    source: str
    options: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    header: str = ""  # of a third-party library
    package: str = ""  # the Debian package that has it


def _ours(key: str, kind: str, *options: str, waits: bool = False) -> Native:
    flags = (f"-DKIND=FASTPRIMS_{kind}", f"-DWAITS={int(waits)}", *options)
    return Native(f"fastprims {key}", FASTPRIMS, "fastprims.c", flags)


UNPADDED, NARROW = "-DFP_CACHELINE=16", "-DFP_CAS16=0"

SPSC = _ours("SPSC", "SPSC")
SPSC_UNPADDED = _ours("SPSC, unpadded", "SPSC", UNPADDED)
SPSC_WAITING = _ours("SPSC, waiting", "SPSC", waits=True)
MPMC = _ours("MPMC", "MPMC")
MPMC_UNPADDED = _ours("MPMC, unpadded", "MPMC", UNPADDED)
MPMC_WAITING = _ours("MPMC, waiting", "MPMC", waits=True)
FALLBACK = _ours("MPMC, fallback", "MPMC", NARROW)

MUTEX = Native("mutex + condition variables", REFERENCE, "mutex.c")
TURNS = Native("ring of turns (Rigtorp's kind)", REFERENCE, "turns.c")

_BOOST = "libboost-dev"
BOOST_SPSC = Native(
    "boost spsc_queue",
    PEER,
    "boost_spsc.cc",
    header="boost/lockfree/spsc_queue.hpp",
    package=_BOOST,
)
BOOST_QUEUE = Native(
    "boost queue", PEER, "boost_queue.cc", header="boost/lockfree/queue.hpp", package=_BOOST
)
TBB = Native(
    "TBB bounded queue",
    PEER,
    "tbb.cc",
    libraries=("-ltbb",),
    header="tbb/concurrent_queue.h",
    package="libtbb-dev",
)
MOODYCAMEL = Native(
    "moodycamel (not FIFO)",
    PEER,
    "moodycamel.cc",
    header="concurrentqueue/concurrentqueue.h",
    package="libconcurrentqueue-dev",
)


def _ck(mode: str) -> Native:
    return Native(
        f"Concurrency Kit {mode}",
        PEER,
        "ck.c",
        (f"-DMODE={mode}",),
        header="ck_ring.h",
        package="libck-dev",
    )


CK_SPSC, CK_MPMC = _ck("spsc"), _ck("mpmc")


@dataclass(frozen=True)
class NativePairing:
    """`contender` over `baseline`: times as fast, and the project's goal, if there is one."""

    contender: Native
    baseline: Native
    goal: float | None = None


@dataclass(frozen=True)
class NativeCase:
    key: str
    title: str
    producers: int  # 0: one thread that puts and gets in turn
    consumers: int
    contenders: tuple[Native, ...]
    pairings: tuple[NativePairing, ...]


CAPACITY = 1024
_ALL_MPMC = (
    *(MPMC, MPMC_UNPADDED, FALLBACK, MPMC_WAITING, MUTEX, TURNS),
    *(BOOST_QUEUE, TBB, MOODYCAMEL, CK_MPMC),
)


def _crowd(n: int, *more: NativePairing) -> NativeCase:
    return NativeCase(
        f"native-{n}x{n}",
        f"MPMC, {n} × {n} threads",
        n,
        n,
        _ALL_MPMC,
        (
            NativePairing(MPMC, MPMC_UNPADDED),
            NativePairing(MPMC, FALLBACK),
            *more,
            NativePairing(MPMC_WAITING, MUTEX),
        ),
    )


_AHEAD = (
    NativePairing(MPMC, BOOST_QUEUE, 1),
    NativePairing(MPMC, TBB, 1),
    NativePairing(FALLBACK, TURNS, 1),
    NativePairing(MPMC, MOODYCAMEL),
    NativePairing(MPMC, CK_MPMC),
)

CASES: tuple[NativeCase, ...] = (
    NativeCase(
        "native-pair",
        "put + get, one thread",
        0,
        0,
        (SPSC, MPMC, FALLBACK, MUTEX, TURNS)
        + (BOOST_SPSC, CK_SPSC, BOOST_QUEUE, TBB, MOODYCAMEL, CK_MPMC),
        (
            NativePairing(SPSC, BOOST_SPSC),
            NativePairing(MPMC, BOOST_QUEUE),
            NativePairing(MPMC, TBB),
            NativePairing(FALLBACK, TURNS),
        ),
    ),
    NativeCase(
        "native-spsc",
        "SPSC, 1 × 1 threads",
        1,
        1,
        (SPSC, SPSC_UNPADDED, SPSC_WAITING, MUTEX, BOOST_SPSC, CK_SPSC),
        (
            NativePairing(SPSC, SPSC_UNPADDED),
            NativePairing(SPSC, BOOST_SPSC, 1 / 1.5),
            NativePairing(SPSC, CK_SPSC),
            NativePairing(SPSC_WAITING, MUTEX),
        ),
    ),
    _crowd(1, *_AHEAD),
    _crowd(2, *_AHEAD),
    _crowd(4, *_AHEAD),
    _crowd(100),
)
