"""Numbers as objects of several kinds, for child processes: how they become ones, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Coded:
    """Runs Python code when it is pickled and when it is unpickled."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getstate__(self) -> list[int]:
        return [self.number, *range(20)]

    def __setstate__(self, state: list[int]) -> None:
        for n in range(20):
            state[0] += n
        self.number = state[0] - sum(range(20))


KINDS: dict[str, tuple[Callable[[int], Any], Callable[[Any], int]]] = {
    "tuple": (lambda n: (n, "text"), lambda o: int(o[0])),
    "bytes": (lambda n: b"%d" % n, int),
    "coded": (Coded, lambda o: int(o.number)),
}
