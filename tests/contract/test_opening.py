"""Who looks into a queue has a standard queue, with all that was in it."""

from __future__ import annotations

import queue as std
import threading
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from support.kinds import Kind, ShutDown, on
from support.opening import CONDITIONS, INSIDE, STATE, is_open
from support.threads import SETTLE, Task, blocked, spawn

import fastprims.queue
from fastprims._queues.opened import KINDS

HOOKS = ["_put", "_get", "_init", "_qsize"]

drop_in = on("tasks", ours=True)


def open_by(q: Any, name: str) -> None:
    if name == "queue":
        len(q.queue)
    else:
        with getattr(q, name):
            pass


@pytest.mark.parametrize("name", INSIDE + STATE)
@drop_in
def test_the_inside_is_seen_on_instances_only(kind: Kind, name: str) -> None:
    q = kind.make()
    assert hasattr(q, name)
    assert not hasattr(kind.cls, name)
    assert name in dir(q)
    assert name not in dir(kind.cls)


@pytest.mark.parametrize("name", ["mutex", *CONDITIONS, *STATE, *HOOKS])
@drop_in
def test_looking_for_it_opens_nothing(kind: Kind, name: str) -> None:
    q = kind.make()
    getattr(q, name)
    assert not is_open(q)


@pytest.mark.parametrize("name", INSIDE)
@drop_in
def test_using_it_opens_with_everything_in_place(kind: Kind, name: str) -> None:
    q = kind.make(9)
    for i in (3, 1, 2, 5):
        q.put(i)
    q.get()
    q.task_done()
    expected = kind.ordered([1, 2, 5] if kind.order == "fifo" else [3, 1, 2])
    if kind.order == "priority":
        expected = [2, 3, 5]
    open_by(q, name)
    assert is_open(q)
    assert (q.qsize(), q.maxsize, q.unfinished_tasks, q.is_shutdown) == (3, 9, 3, False)
    assert [q.get() for _ in range(3)] == expected
    with pytest.raises(std.Empty):
        q.get_nowait()


@drop_in
def test_what_was_handed_out_before_is_what_the_open_queue_uses(kind: Kind) -> None:
    q = kind.make()
    mutex, not_empty = q.mutex, q.not_empty
    with mutex:
        assert q.mutex.locked()
        assert mutex.locked()
        assert q.not_empty is not_empty
        waiting = blocked(q.put, 1)
    waiting.result()
    taken = spawn(lambda: q.get(timeout=10))
    assert taken.result() == 1


@pytest.mark.parametrize("opened_before", [False, True])
@drop_in
def test_waiting_threads_go_on_in_the_open_queue(kind: Kind, opened_before: bool) -> None:
    q = kind.make(1)
    if opened_before:
        open_by(q, "mutex")
    getters = [blocked(q.get), blocked(lambda: q.get(timeout=30)), blocked(q.get_many, 1)]
    open_by(q, "mutex")
    for i in range(3):
        q.put(i, timeout=10)
    found = [g.result() for g in getters]
    assert sorted(f[0] if isinstance(f, list) else f for f in found) == [0, 1, 2]
    joining = blocked(lambda: q.join(30))
    for _ in range(3):
        q.task_done()
    assert joining.result() is True


@drop_in
def test_waiting_puts_and_joins_go_on_in_the_open_queue(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    putters = [blocked(q.put, 1), blocked(lambda: q.put_many([2, 3]))]
    joining = blocked(q.join)
    open_by(q, "not_full")
    assert sorted(q.get(timeout=10) for _ in range(4)) == [0, 1, 2, 3]
    for p in putters:
        p.result()
    for _ in range(4):
        q.task_done()
    joining.result()


@drop_in
def test_a_time_out_keeps_its_deadline_over_the_opening(kind: Kind) -> None:
    q = kind.make()
    waiting = spawn(lambda: q.get(timeout=0.5))
    threading.Event().wait(0.2)
    open_by(q, "mutex")
    with pytest.raises(std.Empty):
        waiting.result()
    assert 0.45 < waiting.elapsed < 5


@drop_in
def test_a_queue_that_was_shut_down_stays_so(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.shutdown()
    open_by(q, "mutex")
    assert q.is_shutdown
    with pytest.raises(ShutDown):
        q.put(2)
    assert q.get() == 1
    with pytest.raises(ShutDown):
        q.get()


@drop_in
def test_the_protocol_goes_on(kind: Kind) -> None:
    q = kind.make(3)
    open_by(q, "queue")
    assert q.put_many([1, 2, 3, 4], block=False) == 3
    assert q.full()
    assert not q.try_put(9)
    with pytest.raises(std.Full):
        q.put_nowait(9)
    with pytest.raises(std.Full):
        q.put(9, timeout=0.01)
    assert sorted(q.get_many(9)) == [1, 2, 3]
    assert q.empty()
    assert q.try_get("none") == "none"
    with pytest.raises(std.Empty):
        q.get(timeout=0.01)
    assert q.join(0.01) is False
    waiting = blocked(q.get)
    q.shutdown()
    with pytest.raises(ShutDown):
        waiting.result()
    with pytest.raises(ShutDown):
        q.put_many([1])


@pytest.mark.parametrize("last", [1, 2, 3])
@drop_in
def test_an_interrupted_get_many_puts_back_what_it_took(kind: Kind, last: int) -> None:
    """An interrupt strikes within a hook; here, when so many items have been taken."""

    class Interrupted(kind.cls):  # type: ignore[name-defined,misc]
        left = -1

        def _get(self) -> Any:
            self.left -= 1
            if self.left == -1:
                raise KeyboardInterrupt
            return super()._get()

    q = Interrupted()
    q.put_many(range(5))
    expected = [Interrupted.get(q) for _ in range(5)]
    q.put_many(range(5))
    q.left = last
    with pytest.raises(KeyboardInterrupt):
        q.get_many(5)
    assert (q.qsize(), q.unfinished_tasks) == (5, 10)
    q.left = -1
    assert q.get_many(9) == expected


@pytest.mark.parametrize("value", [float("inf"), 1e3, True, 2**70])
@drop_in
def test_a_bound_that_is_a_number_is_kept_as_it_was(kind: Kind, value: Any) -> None:
    q = kind.cls(value)
    q.put(1)
    assert q.maxsize is value
    assert not is_open(q)


@drop_in
def test_hooks_of_a_class_are_called(kind: Kind) -> None:
    class Noting(kind.cls):  # type: ignore[name-defined,misc]
        def _init(self, maxsize: int) -> None:
            self.seen: list[Any] = []
            super()._init(maxsize)

        def _put(self, item: Any) -> None:
            super()._put(item)
            self.seen.append(item)

    q = Noting(2)
    q.put(1)
    q.put_many([2])
    assert q.seen == [1, 2]
    assert q.full()
    assert is_open(q)


@drop_in
def test_hooks_of_a_mixin_are_called(kind: Kind) -> None:
    mixin = type("Mixin", (), {"_qsize": lambda self: 7})
    assert type("Custom", (mixin, kind.cls), {})().qsize() == 7


@drop_in
def test_a_hook_set_later_is_called_from_then_on(kind: Kind) -> None:
    class Plain(kind.cls):  # type: ignore[name-defined,misc]
        pass

    old, q = Plain(), kind.make()
    old.put(1)
    waiting = blocked(Plain().get)
    Plain._qsize = lambda self: 7
    assert (old.qsize(), Plain().qsize()) == (7, 7)
    del Plain._qsize
    seen: list[Any] = []
    plain_put = q._put
    q._put = lambda item: (seen.append(item), plain_put(item))
    q.put(1)
    assert seen == [1]
    assert q.get() == 1
    assert waiting.running


@drop_in
def test_a_hook_patched_on_the_library_class_is_called(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    with mock.patch.object(kind.cls, "_qsize", lambda self: 7):
        assert q.qsize() == 7
    assert q.qsize() == 1


@pytest.mark.parametrize("name", ["put", "get", "qsize"])
@drop_in
def test_methods_can_be_patched(kind: Kind, name: str) -> None:
    q = kind.make()
    with mock.patch.object(kind.cls, name, return_value="faked"):
        assert getattr(q, name)() == "faked"
        if name == "get":
            assert q.get_nowait() == "faked"
    q.put(1)
    assert (q.qsize(), q.get()) == (1, 1)
    q.get = lambda block=True, timeout=None: "mine"
    assert q.get_nowait() == "mine"


@drop_in
def test_methods_can_be_overridden_by_one_another(kind: Kind) -> None:
    """The standard ones call hooks, and not each other."""

    class Own(kind.cls):  # type: ignore[name-defined,misc]
        def qsize(self) -> int:
            return 0 if self.empty() else 7 + self.full()

    q = Own(1)
    assert q.qsize() == 0
    q.put(1)
    assert (q.qsize(), q.empty(), q.full()) == (8, False, True)
    assert not is_open(q)


@drop_in
def test_private_names_are_free_for_other_classes(kind: Kind) -> None:
    """threading.Thread, for example, has a _delete()."""
    assert {name for name in dir(kind.cls) if name[0] == "_" != name[1]} == set(HOOKS)

    class Worker(kind.cls, threading.Thread):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            kind.cls.__init__(self)
            threading.Thread.__init__(self)

        def run(self) -> None:
            self.put(1)

    worker = Worker()
    worker.start()
    assert worker.get(timeout=10) == 1
    threading.Thread.join(worker)
    assert worker not in threading.enumerate()


@on("tasks")
def test_a_class_that_adds_a_length_is_true_by_it(kind: Kind) -> None:
    class Sized(kind.cls):  # type: ignore[name-defined,misc]
        def __len__(self) -> int:
            return int(self.qsize())

    q = Sized()
    assert kind.make()
    assert not q
    q.put(1)
    assert q
    del Sized.__len__
    q.get()
    assert q


@on("tasks")
def test_put_nowait_answers_as_put_does(kind: Kind) -> None:
    class Own(kind.cls):  # type: ignore[name-defined,misc]
        def put(self, item: Any, block: bool = True, timeout: Any = None) -> str:
            return f"{item} {block}"

    assert Own().put_nowait(1) == "1 False"
    q = kind.make()
    with mock.patch.object(q, "put", return_value="mine"):
        assert q.put_nowait(1) == "mine"


@pytest.mark.parametrize("name", [*INSIDE, *STATE])
@drop_in
def test_attributes_can_be_patched_and_deleted(kind: Kind, name: str) -> None:
    q = kind.make(3)
    q.put(1)
    with mock.patch.object(q, name, 5):
        assert getattr(q, name) == 5
    assert (q.maxsize, q.unfinished_tasks, q.is_shutdown) == (3, 1, False)
    assert (q.qsize(), q.get(timeout=10)) == (1, 1)
    delattr(q, name)
    assert not hasattr(q, name)
    q = kind.make()
    delattr(q, name)
    assert not hasattr(q, name)
    with pytest.raises(AttributeError, match="nonsense"):
        del q.nonsense


@on("tasks")
def test_init_starts_anew(kind: Kind) -> None:
    """Also of a queue that was used: the standard ones are empty then."""
    q = kind.make(1)
    q.__init__(2)
    if kind.ours:
        assert not is_open(q)  # a class may have two bases that call it
    q.put(1)
    q.put(2)
    assert q.full()
    q.__init__(1)
    assert (q.qsize(), q.maxsize, q.unfinished_tasks) == (0, 1, 0)
    q.put(3)
    assert (q.get(), q.full()) == (3, False)
    if kind.shutdown:
        q = kind.make()
        q.shutdown()
        q.__init__()
        q.put(4)
        assert q.get() == 4


@drop_in
def test_mock_can_imitate_them(kind: Kind) -> None:
    imitation = mock.create_autospec(kind.cls)()
    imitation.put(1)
    imitation.put.assert_called_once_with(1)
    mock.create_autospec(kind.make())


@drop_in
def test_they_are_standard_queues_by_type(kind: Kind) -> None:
    standard = getattr(std, kind.cls.__name__)
    assert issubclass(kind.cls, standard)
    assert isinstance(kind.make(), std.Queue)


@drop_in
def test_opening_is_counted_and_told_if_asked_for(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fastprims.queue.opened["mutex"], fastprims.queue.opened.total()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_by(kind.make(), "mutex")
    monkeypatch.setenv("FASTPRIMS_WARN_OPEN", "1")
    q = kind.make()
    with pytest.warns(fastprims.queue.OpenedWarning, match="mutex") as caught:
        q.not_empty.acquire()
    q.not_empty.release()
    assert caught[0].filename == __file__
    after = fastprims.queue.opened["mutex"], fastprims.queue.opened.total()
    assert after == (before[0] + 2, before[1] + 2)
    assert "open" in repr(q)


@drop_in
def test_init_subclass_of_others_still_runs(kind: Kind) -> None:
    seen = []

    class Mixin:
        def __init_subclass__(cls, tag: str = "", **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            seen.append(tag)

    type("Tagged", (Mixin, kind.cls), {}, tag="x")
    assert seen == ["x"]


@pytest.mark.parametrize("name", STATE)
@drop_in
def test_a_look_that_an_opening_overtakes_finds_what_is_there(kind: Kind, name: str) -> None:
    pending: list[Any] = []

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:  # of a class that has changed, it is asked for
            while pending:
                open_by(pending.pop(), "mutex")
            return super().__getattribute__(name)

    cls = Meta("Late", (kind.cls,), {})
    q = cls(5)
    q.put(1)
    cls.tag = "changed"
    pending.append(q)
    assert getattr(q, name) == {"maxsize": 5, "unfinished_tasks": 1, "is_shutdown": False}[name]
    assert is_open(q)


@drop_in
def test_other_missing_attributes_say_their_name(kind: Kind) -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = kind.make().no_such_thing


def open_in_vain(q: Any, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """An opening without memory for the copy; before that fails, `meanwhile`."""

    def make(items: list[Any]) -> None:
        meanwhile()
        raise MemoryError

    with monkeypatch.context() as patch:
        for kind in list(KINDS):
            patch.setitem(KINDS, kind, make)
        with pytest.raises(MemoryError):
            open_by(q, "mutex")
    assert not is_open(q)


def check_dropped(q: Any) -> None:
    """As any queue that was shut down at once; so does it stay when it is opened."""
    for step in range(2):
        assert q.is_shutdown
        assert (q.qsize(), q.unfinished_tasks) == (0, 0)
        assert q.join(10)
        for call in (q.get, lambda: q.put(1)):
            with pytest.raises(ShutDown):
                call()
        if step == 0:
            open_by(q, "queue")


@drop_in
def test_a_shutdown_beside_an_opening_that_fails_drops_everything(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    q = kind.make()
    q.put_many([1, 2, 3])
    ending: list[Task[None]] = []
    open_in_vain(q, monkeypatch, lambda: ending.append(blocked(q.shutdown, True)))
    ending[0].result()
    check_dropped(q)


@pytest.mark.parametrize("goes_on", ["meanwhile", "afterwards"])
@drop_in
def test_an_opening_that_fails_beside_a_shutdown_brings_nothing_back(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, goes_on: str
) -> None:
    """The shutdown is dropping the items, which takes several batches."""
    dropping, go_on = threading.Event(), threading.Event()

    class Item:
        def __lt__(self, other: object) -> bool:
            return False

        def __del__(self) -> None:
            if not dropping.is_set():
                dropping.set()
                go_on.wait(30)

    def meanwhile() -> None:
        if goes_on == "meanwhile":
            go_on.set()
            ending.join(SETTLE)  # it goes on to where it needs the items

    q = kind.make()
    # By a thread that has ended: without the GIL, the finalizers of an object's own thread run there.
    putting = threading.Thread(target=lambda: q.put_many(Item() for _ in range(200)))
    putting.start()
    putting.join(30)
    ending = spawn(q.shutdown, True)
    assert dropping.wait(30)
    open_in_vain(q, monkeypatch, meanwhile)
    go_on.set()
    ending.result()
    check_dropped(q)
