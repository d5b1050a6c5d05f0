"""The mutants, by structure: a file of csrc, a text in it, and what to put in its place."""

from mutants import (
    atomics,
    capi,
    channel,
    ctrie,
    invisible,
    limits,
    litmus,
    mpmc,
    orders,
    reclaim,
    segq,
    shm,
    spsc,
    topic,
    wait,
)

_MODULES = (
    capi,
    mpmc,
    segq,
    channel,
    spsc,
    wait,
    reclaim,
    orders,
    litmus,
    atomics,
    limits,
    topic,
    ctrie,
    shm,
    invisible,
)
MUTANTS = [mutant for module in _MODULES for mutant in module.MUTANTS]
