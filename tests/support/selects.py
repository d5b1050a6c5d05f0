"""select(), as each kind of caller has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fastprims
from fastprims import Selected, Selector, aio

from .loops import MAIN_LOOPS, run

Ask = Callable[..., "Selected | None"]
"""select(), as one kind of caller has it: for a Selector, or for operations."""

KINDS = ["thread", *MAIN_LOOPS]


def asker(kind: str) -> Ask:
    """In the calling thread, or in a task of a loop of that kind, which is closed after each call."""

    def in_thread(*operations: Any, **options: Any) -> Selected | None:
        if len(operations) == 1 and isinstance(operations[0], Selector):
            return operations[0].select(**options)
        return fastprims.select(*operations, **options)

    def in_task(*operations: Any, **options: Any) -> Selected | None:
        async def main() -> Selected | None:
            if len(operations) == 1 and isinstance(operations[0], Selector):
                return await operations[0].select_async(**options)
            return await aio.select(*operations, **options)

        return run(main, kind)

    return in_thread if kind == "thread" else in_task


def taken(answer: Selected | None) -> tuple[Any, Any, bool]:
    assert answer is not None
    return answer.index, answer.value, answer.closed
