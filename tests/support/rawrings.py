"""fastprims.raw where there is one, and the rings that its tests run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

try:
    from fastprims import raw
except ImportError as reason:
    pytest.skip(str(reason), allow_module_level=True)


@dataclass(frozen=True)
class RawKind:
    """A class of fastprims.raw, with items for it by number."""

    name: str
    roles: bool
    words: bool

    def __str__(self) -> str:
        return self.name

    @property
    def cls(self) -> Any:
        return getattr(raw, self.name)

    def item(self, n: int) -> Any:
        """Different for different numbers below 2^64; records of 8 bytes."""
        return n if self.words else n.to_bytes(8, "little")

    def number(self, item: Any) -> int:
        return item if self.words else int.from_bytes(item, "little")

    def make(self, capacity: int) -> Any:
        """Room for so many items, a power of two of them for records."""
        return self.cls(capacity if self.words else max(32, 16 * capacity))

    def hand_over(self, ring: Any) -> None:
        if self.roles:
            ring.release_producer()
            ring.release_consumer()


KINDS = [
    RawKind("SPSCWords", roles=True, words=True),
    RawKind("MPMCWords", roles=False, words=True),
    RawKind("SPSCBytes", roles=True, words=False),
]
WORDS = [kind for kind in KINDS if kind.words]
WITH_ROLES = [kind for kind in KINDS if kind.roles]

on_all = pytest.mark.parametrize("kind", KINDS, ids=str)
on_words = pytest.mark.parametrize("kind", WORDS, ids=str)
on_roles = pytest.mark.parametrize("kind", WITH_ROLES, ids=str)
