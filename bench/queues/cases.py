"""The queues' cases: the contenders, and the ratios that are the project's goals."""

from __future__ import annotations

from bench.queues import contenders as who
from bench.queues.loops import BATCH
from bench.queues.trials import (
    batch_trial,
    flood_trial,
    handoff_trial,
    pair_trial,
    pingpong_trial,
)
from bench.run.case import FRESH, Case, Contender, Pairing

BOUND = 1024

_QUEUES = (who.STD_QUEUE, who.STD_SIMPLE, who.FP_QUEUE, who.FP_SIMPLE)
_HANDOFF = (who.NOOP, *_QUEUES, who.FP_MPMC)
_PAIR = (
    who.NOOP,
    who.EMPTY_CALLS,
    who.STD_QUEUE,
    who.STD_SIMPLE,
    who.DEQUE,
    who.LOCKED_DEQUE,
    who.FP_QUEUE,
    who.FP_SIMPLE,
    who.FP_SPSC,
    who.FP_MPMC,
    who.FP_SPSC_TRY,
    who.FP_MPMC_TRY,
)
_PAIR_RATIOS = (
    Pairing(who.FP_QUEUE, who.STD_QUEUE, 40, 50),
    Pairing(who.FP_QUEUE, who.STD_SIMPLE, 1.2, 1.3),
    Pairing(who.FP_SIMPLE, who.STD_SIMPLE),
    Pairing(who.FP_QUEUE, who.LOCKED_DEQUE),
    Pairing(who.FP_SPSC_TRY, who.DEQUE, 1, 1),
    Pairing(who.FP_MPMC_TRY, who.DEQUE, 1, 1),
)


LATENCY_CONTENDERS = (*_QUEUES, who.FP_SPSC, who.FP_MPMC)


def _crowd(key: str, title: str, producers: int, consumers: int, *pairings: Pairing) -> Case:
    return Case(
        key,
        title,
        handoff_trial,
        _HANDOFF,
        (*pairings, Pairing(who.FP_MPMC, who.STD_QUEUE), Pairing(who.FP_MPMC, who.STD_SIMPLE)),
        pictured=True,
        bound=BOUND,
        producers=producers,
        consumers=consumers,
        threads=producers + consumers,
        least=max(4 * BOUND, 20 * (producers + consumers)),
    )


def _duel(key: str, title: str, ours: Contender, theirs: Contender) -> Case:
    return Case(
        key,
        title,
        pair_trial,
        (who.NOOP, theirs, ours),
        (Pairing(ours, theirs),),
        fifo=False,
        kinds=(FRESH,),
    )


QUEUES: tuple[Case, ...] = (
    Case("pair", "put + get, one thread", pair_trial, _PAIR, _PAIR_RATIOS, pictured=True),
    Case(
        "pair-attribute",
        "put + get, one thread, called as q.put(x)",
        pair_trial,
        _PAIR,
        tuple(Pairing(p.contender, p.baseline) for p in _PAIR_RATIOS),
        style="attribute",
    ),
    Case(
        "pair-bounded",
        f"put + get, one thread, bound {BOUND}",
        pair_trial,
        (who.NOOP, who.STD_QUEUE, who.STD_SIMPLE, who.FP_QUEUE, who.FP_MPMC),
        (Pairing(who.FP_QUEUE, who.STD_QUEUE), Pairing(who.FP_QUEUE, who.STD_SIMPLE)),
        bound=BOUND,
    ),
    Case(
        "pair-channel",
        f"put + get, one thread, limits that are not hit, bound {BOUND}",
        pair_trial,
        (who.NOOP, who.EMPTY_CALLS, who.STD_QUEUE, who.FP_QUEUE, who.FP_CHANNEL)
        + (who.FP_DROP_OLDEST, who.FP_CHANNEL_SIZED, who.FP_CHANNEL_PACED),
        (
            Pairing(who.FP_CHANNEL, who.STD_QUEUE),
            Pairing(who.FP_CHANNEL, who.FP_QUEUE, 1 / 1.3, 1 / 1.3),
            Pairing(who.FP_DROP_OLDEST, who.FP_QUEUE, 1 / 1.3, 1 / 1.3),
            Pairing(who.FP_CHANNEL_SIZED, who.FP_QUEUE),
            Pairing(who.FP_CHANNEL_PACED, who.FP_QUEUE),
        ),
        bound=BOUND,
        kinds=(FRESH,),
    ),
    Case(
        "flood",
        f"put into a full one, one thread, bound {BOUND}",
        flood_trial,
        (who.NOOP, who.BOUNDED_DEQUE, who.STD_DROP_OLDEST, who.FP_REJECT, who.FP_DROP_NEWEST)
        + (who.FP_DROP_OLDEST,),
        (
            Pairing(who.FP_DROP_OLDEST, who.STD_DROP_OLDEST),
            Pairing(who.FP_DROP_OLDEST, who.BOUNDED_DEQUE),
            Pairing(who.FP_DROP_NEWEST, who.STD_DROP_OLDEST),
            Pairing(who.FP_REJECT, who.STD_DROP_OLDEST),
        ),
        bound=BOUND,
        lossy=True,
        kinds=(FRESH,),
    ),
    _duel("pair-lifo", "put + get, one thread, LIFO", who.FP_LIFO, who.STD_LIFO),
    _duel("pair-priority", "put + get, one thread, priority", who.FP_PRIORITY, who.STD_PRIORITY),
    Case(
        "1x1",
        "1 producer, 1 consumer",
        handoff_trial,
        (who.NOOP, *_QUEUES, who.FP_SPSC, who.FP_MPMC),
        (
            Pairing(who.FP_QUEUE, who.STD_QUEUE, 20, 25),
            Pairing(who.FP_SPSC, who.STD_SIMPLE, 1.2, 1.5),
            Pairing(who.FP_QUEUE, who.STD_SIMPLE),
            Pairing(who.FP_SIMPLE, who.STD_SIMPLE),
            Pairing(who.FP_MPMC, who.STD_SIMPLE),
        ),
        pictured=True,
        bound=BOUND,
        threads=2,
        least=4 * BOUND,
    ),
    _crowd(
        "4x4",
        "4 producers, 4 consumers",
        4,
        4,
        Pairing(who.FP_QUEUE, who.STD_QUEUE, 15, 15),
        Pairing(who.FP_QUEUE, who.STD_SIMPLE),
        Pairing(who.FP_SIMPLE, who.STD_SIMPLE),
    ),
    _crowd(
        "100x100",
        "100 producers, 100 consumers",
        100,
        100,
        Pairing(who.FP_QUEUE, who.STD_QUEUE, 15, 15),
        Pairing(who.FP_SIMPLE, who.STD_SIMPLE, 1.2, 4),
        Pairing(who.FP_QUEUE, who.STD_SIMPLE),
    ),
    _crowd(
        "1x8",
        "1 producer, 8 consumers",
        1,
        8,
        Pairing(who.FP_QUEUE, who.STD_QUEUE),
        Pairing(who.FP_QUEUE, who.STD_SIMPLE),
        Pairing(who.FP_SIMPLE, who.STD_SIMPLE),
    ),
    Case(
        "ping-pong",
        "ping-pong between two threads",
        pingpong_trial,
        (who.NOOP, *_QUEUES, who.FP_SPSC, who.FP_MPMC),
        (
            Pairing(who.FP_QUEUE, who.STD_QUEUE, 2.5, 2.5),
            Pairing(who.FP_SIMPLE, who.STD_SIMPLE, 1, 1.3),
            Pairing(who.FP_SPSC, who.STD_SIMPLE),
            Pairing(who.FP_MPMC, who.STD_SIMPLE),
        ),
        pictured=True,
        unit="round trip",
        bound=BOUND,
        threads=2,
    ),
    Case(
        "batch-64",
        "64 in, 64 out, one thread",
        batch_trial,
        (who.NOOP, who.STD_QUEUE, who.STD_SIMPLE, who.LOCKED_DEQUE)
        + (who.FP_QUEUE, who.FP_SIMPLE, who.FP_SPSC, who.FP_MPMC),
        (
            Pairing(who.FP_QUEUE, who.STD_SIMPLE, 10, 10),
            Pairing(who.FP_SIMPLE, who.STD_SIMPLE, 10, 10),
            Pairing(who.FP_SPSC, who.STD_SIMPLE, 10, 10),
            Pairing(who.FP_MPMC, who.STD_SIMPLE, 10, 10),
            Pairing(who.FP_QUEUE, who.LOCKED_DEQUE),
        ),
        pictured=True,
        bound=BOUND,
        step=BATCH,
    ),
)
