"""vars(), copies and pickles: of a queue that they open, and as of a standard one."""

from __future__ import annotations

import copy
import pickle
import queue as std
import threading
from typing import Any

import pytest
from support.kinds import Kind, on
from support.opening import CONDITIONS, INSIDE, STATE, is_open

import fastprims.queue


@on("tasks")
def test_vars_are_those_of_a_standard_queue(kind: Kind) -> None:
    q = kind.make(2)
    q.tag = "own"
    assert set(dir(q)) >= {"tag", *INSIDE}
    assert not kind.ours or not is_open(q)
    q.put(1)
    before = fastprims.queue.opened["__dict__"]
    found = vars(q)
    assert fastprims.queue.opened["__dict__"] == before + kind.ours
    assert set(found) | {"is_shutdown"} == {*INSIDE, *STATE, "tag"}
    assert (len(found["queue"]), found["maxsize"], found["unfinished_tasks"]) == (1, 2, 1)
    put: list[Any] = []
    q.__dict__.update(_put=put.append, maxsize=1)
    with pytest.raises(std.Full):
        q.put_nowait(2)
    q.get()
    q.put(3)
    assert put == [3]
    other = kind.make()
    other.__dict__ = found
    assert other.mutex is q.mutex
    assert other.maxsize == 1


class OfAThread:
    """What a class does to have its queues pickled."""

    left_out = ("mutex", "not_empty", "not_full", "all_tasks_done")

    def __getstate__(self) -> dict[str, Any]:
        return {name: it for name, it in self.__dict__.items() if name not in self.left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.mutex = threading.Lock()
        for name in CONDITIONS:
            setattr(self, name, threading.Condition(self.mutex))


class Listed:
    def __getstate__(self: Any) -> tuple[int, list[Any]]:
        return self.maxsize, list(self.queue)

    def __setstate__(self: Any, state: tuple[int, list[Any]]) -> None:
        self.__init__(state[0])
        for item in state[1]:
            self.put(item)


class Bound:
    def __reduce__(self: Any) -> Any:
        return type(self), (self.maxsize,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("way", [OfAThread, Listed, Bound])
@on("tasks")
def test_a_class_can_make_itself_fit_for_pickle(
    kind: Kind, way: type, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {name: it for name, it in vars(way).items() if callable(it) or name == "left_out"}
    cls = type("Pickled", (kind.cls,), {**members, "__module__": __name__})
    monkeypatch.setitem(globals(), "Pickled", cls)
    q = cls(3)
    q.put(1)
    q.put(2)
    for copied in (pickle.loads(pickle.dumps(q, protocol)), copy.copy(q), copy.deepcopy(q)):
        assert type(copied) is cls
        assert copied.maxsize == 3
        if way is not Bound:
            assert sorted(copied.get(timeout=10) for _ in range(2)) == [1, 2]
            assert copied.empty()
            if way is OfAThread:
                q = copied  # copy.copy() shares the content
                q.put(1)
                q.put(2)
        copied.put(3)
        assert copied.get(timeout=10) in (1, 3)


@on("tasks")
def test_a_copy_shares_the_content(kind: Kind) -> None:
    q = kind.make(5)
    q.put(1)
    q.tag = "own"
    copied = copy.copy(q)
    q.put(1)
    assert (copied.qsize(), copied.maxsize, copied.tag) == (2, 5, "own")
    assert copied.mutex is q.mutex
    assert copied.get() == 1
    assert q.qsize() == 1
