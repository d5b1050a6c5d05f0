"""Random programs of one thread that use a queue and its inside: the same with the standard class."""

from __future__ import annotations

import math
import queue as standard
import random
from collections.abc import Callable
from typing import Any

import pytest

from fastprims import queue as ours

SHUTS_DOWN = hasattr(standard, "ShutDown")
KINDS = ("Queue", "LifoQueue", "PriorityQueue")
SIZES = (0, 1, 2, 3, 5, -1, True, 2.5, math.inf)
PROGRAMS = 60
STEPS = 60


def hooked(base: Any) -> Any:
    class Hooked(base):  # type: ignore[misc]
        def _init(self, maxsize: Any) -> None:
            self.log = ["init"]
            super()._init(maxsize)

        def _put(self, item: Any) -> None:
            self.log.append(f"put {item}")
            super()._put(item)

        def _get(self) -> Any:
            self.log.append("get")
            return super()._get()

    return Hooked


def overriding(base: Any) -> Any:
    class Overriding(base):  # type: ignore[misc]
        count = 0

        def put(self, item: Any, block: bool = True, timeout: Any = None) -> None:
            self.count += 1
            super().put(item, block, timeout)

    return Overriding


CLASSES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda base: base,
    "derived": lambda base: type("Derived", (base,), {}),
    "hooked": hooked,
    "overriding": overriding,
}


class Program:
    """What it does depends on the seed, not on what the queue answers."""

    def __init__(self, module: Any, kind: str, derived: str, seed: int) -> None:
        self.rng = random.Random(f"{kind} {derived} {seed}")
        self.cls = CLASSES[derived](getattr(module, kind))
        self.derived = derived
        self.q = self.cls(self.rng.choice(SIZES))

    def run(self) -> list[tuple[str, object]]:
        seen = []
        steps = [name for name in dir(self) if name.startswith("do_")]
        for _ in range(STEPS):
            name = self.rng.choice(steps)
            arguments = self.rng.randrange(10), self.rng.random()
            if name.endswith("_seldom") and arguments[1] > 0.2:
                continue
            try:
                answer = getattr(self, name)(*arguments)
            except Exception as error:
                answer = type(error).__name__
            seen.append((name, answer))
        return [*seen, ("log", getattr(self.q, "log", getattr(self.q, "count", None)))]

    def do_put(self, n: int, chance: float) -> object:
        return self.q.put(n, chance < 0.5, timeout=0.001)

    def do_put_again(self, n: int, chance: float) -> object:
        return self.q.put(n, False) if chance < 0.5 else self.q.put_nowait(n)

    def do_put_too_late(self, n: int, chance: float) -> object:
        return self.q.put(n, True, -1)

    def do_get(self, n: int, chance: float) -> object:
        return self.q.get(chance < 0.5, 0.001)

    def do_get_again(self, n: int, chance: float) -> object:
        return self.q.get(block=False) if chance < 0.5 else self.q.get_nowait()

    def do_get_too_late(self, n: int, chance: float) -> object:
        return self.q.get(True, -1)

    def do_count(self, n: int, chance: float) -> object:
        return self.q.qsize(), self.q.empty(), self.q.full(), self.q.maxsize

    def do_tasks(self, n: int, chance: float) -> object:
        return self.q.task_done() if chance < 0.5 else self.q.unfinished_tasks

    def do_join(self, n: int, chance: float) -> object:
        return self.q.unfinished_tasks or self.q.join()

    def do_ask_object(self, n: int, chance: float) -> object:
        names = ("mutex", "queue", "not_full", "_put", "unfinished_tasks", "other")
        return [hasattr(self.q, name) for name in names]

    def do_ask_class(self, n: int, chance: float) -> object:
        names = ("mutex", "queue", "not_full", "_put", "unfinished_tasks", "maxsize", "other")
        return [hasattr(self.cls, name) for name in names], isinstance(self.q, standard.Queue)

    def do_bound(self, n: int, chance: float) -> object:
        self.q.maxsize = random.Random(n).choice(SIZES)
        return self.q.maxsize

    def do_shutdown_seldom(self, n: int, chance: float) -> object:
        return self.q.shutdown(chance < 0.1) if SHUTS_DOWN else None

    def do_is_shutdown(self, n: int, chance: float) -> object:
        return self.q.is_shutdown if SHUTS_DOWN else None

    # The inside. ----------------------------------------------------------------------------------

    def do_lock_seldom(self, n: int, chance: float) -> object:
        with self.q.mutex:
            return self.q.mutex.locked(), self.q._qsize()

    def do_notify_seldom(self, n: int, chance: float) -> object:
        with self.q.not_empty:
            return self.q.not_empty.notify()

    def do_look_seldom(self, n: int, chance: float) -> object:
        return sorted(self.q.queue)

    def do_clear_seldom(self, n: int, chance: float) -> object:
        return self.q.queue.clear()

    def do_recount_seldom(self, n: int, chance: float) -> object:
        self.q.unfinished_tasks = n
        return self.q.unfinished_tasks

    def do_hook_object_seldom(self, n: int, chance: float) -> object:
        put = self.q._put
        self.q._put = lambda item: put(item + 100)
        return None

    def do_hook_class_seldom(self, n: int, chance: float) -> object:
        if self.derived == "derived":
            get = self.cls._get
            self.cls._get = lambda q: get(q) + 1000
        return None

    def do_patch_object_seldom(self, n: int, chance: float) -> object:
        self.q.get = lambda *args, **options: "patched"
        return None

    def do_delete_seldom(self, n: int, chance: float) -> object:
        del self.q.get
        return None

    def do_delete_inside_seldom(self, n: int, chance: float) -> object:
        if chance < 0.05:
            delattr(self.q, ("mutex", "queue", "maxsize", "not_full", "other")[n % 5])
        return None


@pytest.mark.parametrize("derived", CLASSES)
@pytest.mark.parametrize("kind", KINDS)
def test_programs_see_what_the_standard_queue_shows(kind: str, derived: str) -> None:
    for seed in range(PROGRAMS):
        expected = Program(standard, kind, derived, seed).run()
        assert Program(ours, kind, derived, seed).run() == expected, f"seed {seed}"
