"""What only an open queue has, and whether a queue is open."""

from __future__ import annotations

from typing import Any

CONDITIONS = ["not_empty", "not_full", "all_tasks_done"]
INSIDE = ["mutex", *CONDITIONS, "queue"]
STATE = ["maxsize", "unfinished_tasks", "is_shutdown"]


def is_open(q: Any) -> bool:
    result: bool = q.stats().open
    return result
