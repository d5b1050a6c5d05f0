"""The standard library's classes, also after install() has put others in their place."""

from __future__ import annotations

from queue import LifoQueue, PriorityQueue, Queue, SimpleQueue

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "SimpleQueue"]
