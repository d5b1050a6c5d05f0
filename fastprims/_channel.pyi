from collections.abc import Callable
from typing import TypeVar

from fastprims._base import QueueWithState
from fastprims._stats import ChannelStats, PressureReport

_T = TypeVar("_T")

class BoundedChannel(QueueWithState[_T]):
    def __init__(
        self,
        maxsize: int,
        *,
        overflow: str = "block",
        max_item_size: int | None = None,
        size_of: Callable[[_T], int] = ...,
        rate: float | tuple[float, int] | None = None,
        on_pressure: Callable[[PressureReport], object] | None = None,
        pressure_interval: float = 1.0,
    ) -> None: ...
    def __del__(self) -> None: ...
    @property
    def overflow(self) -> str: ...
    @property
    def max_item_size(self) -> int | None: ...
    @property
    def rate(self) -> tuple[float, int] | None: ...
    def stats(self) -> ChannelStats: ...
