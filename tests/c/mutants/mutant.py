"""What a mutant says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One place of the core, broken: in `file`, `new` in the place of `old`. The builds of tests/c/run
    that are to kill it, in this order, or "litmus", for tests/litmus; the first failure ends it."""

    name: str
    file: str
    old: str
    new: str
    builds: tuple[str, ...] = ("explore", "steps")
    invisible: str = ""  # why no check can see it here
    only: str = ""  # of the explored programs
    program: str = ""  # of the torture programs
    answers: bool = False  # has to be found out by a wrong answer, not by its use of memory
