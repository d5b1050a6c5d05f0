"""The views that Ctrie and CtrieSnapshot return: live, as dict's; an iteration shows one instant."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from reprlib import recursive_repr

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CtrieItems", "CtrieKeys", "CtrieValues", "show"]


def show(mapping: Any) -> str:
    """The contents as a dict displays them."""
    return _show(mapping)


def _display(mapping: Any) -> str:
    return repr(dict(mapping._iterate_items()))


_show: Callable[[Any], str] = recursive_repr("{...}")(_display)


class CtrieKeys(KeysView):  # type: ignore[type-arg]
    """Set-like view of the keys."""

    __slots__ = ("_place",)

    def __init__(self, mapping: Any, *place: int) -> None:
        super().__init__(mapping)
        self._place = place or (0, 0, 0)  # where keys() was called

    def __iter__(self) -> Iterator[Any]:
        return self._mapping._iterate_keys(*self._place)  # type: ignore[attr-defined, no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class CtrieValues(ValuesView):  # type: ignore[type-arg]
    """View of the values."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self._mapping._iterate_values()  # type: ignore[attr-defined, no-any-return]

    def __contains__(self, value: object) -> bool:
        return any(v is value or v == value for v in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class CtrieItems(ItemsView):  # type: ignore[type-arg]
    """Set-like view of the pairs."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self._mapping._iterate_items()  # type: ignore[attr-defined, no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"
