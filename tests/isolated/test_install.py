"""install() and uninstall(), in processes of their own."""

from __future__ import annotations

import pytest
from support.isolate import run_child

NAMES = ("Queue", "SimpleQueue", "LifoQueue", "PriorityQueue")


def of_queue() -> list[str]:
    """The module that each class in `queue` comes from."""
    import queue

    names = ("Queue", "SimpleQueue", "LifoQueue", "PriorityQueue")
    return [getattr(queue, name).__module__ for name in names]


def install_twice_and_back() -> list[object]:
    import queue

    import fastprims

    before = dict(vars(queue))
    seen: list[object] = [fastprims.build_info()["queue"]]
    fastprims.uninstall()  # nothing to take back
    fastprims.install()
    fastprims.install()
    seen += [of_queue(), fastprims.build_info()["queue"]]
    seen.append(queue.ShutDown is fastprims.ShutDown and "ShutDown" in queue.__all__)
    seen.append(all(queue.__dict__[name] is getattr(fastprims, name) for name in queue.__all__))
    fastprims.uninstall()
    seen.append(vars(queue) == before)
    fastprims.install()
    seen.append(of_queue())
    fastprims.uninstall()
    fastprims.uninstall()
    seen.append(vars(queue) == before)
    return seen


def test_install_replaces_the_names_and_uninstall_restores_them() -> None:
    ours = ["fastprims"] * 4
    expected = ["standard", ours, "fastprims", True, True, True, ours, True]
    assert run_child(install_twice_and_back, helpers=(of_queue,)) == expected


def modules_imported_before() -> list[object]:
    import queue
    import sys
    from types import ModuleType

    import fastprims

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError("looking for names must not load it")

    class Proxy:
        @property
        def __class__(self) -> type:
            raise AssertionError("looking for names must not use it")

    early, own = ModuleType("early"), ModuleType("own")
    early.Work, early.stand_in, early.text = queue.Queue, Proxy(), "text"
    own.Queue = fastprims.Queue
    sys.modules.update(early=early, own=own, lazy=Lazy("lazy"), proxy=Proxy(), nothing=None)
    fastprims.install()
    seen = [early.Work is fastprims.Queue, early.Work is queue.Queue]
    seen.append("early.Work" in fastprims.build_info()["replaced"].split(", "))
    late = ModuleType("late")
    exec("from queue import *\nfrom queue import LifoQueue as L", late.__dict__)
    sys.modules["late"] = late
    seen.append(late.L is fastprims.LifoQueue and late.ShutDown is fastprims.ShutDown)
    seen.append(sys.modules["_queue"].SimpleQueue is not fastprims.SimpleQueue)
    fastprims.uninstall()
    seen.append(early.Work is queue.Queue is not fastprims.Queue)
    seen.append(own.Queue is fastprims.Queue)  # which install() has not put there
    return seen


def test_names_in_modules_imported_before_are_replaced_and_told() -> None:
    assert all(run_child(modules_imported_before))


STANDARD_MODULES = ["concurrent.futures.thread", "logging.handlers", "multiprocessing.pool"]
STANDARD_MODULES += ["multiprocessing.managers", "multiprocessing.dummy", "asyncio", "sched"]


def classes_in(modules: list[str]) -> list[str]:
    """Names of these modules that are still a standard class."""
    import importlib
    import sys

    import fastprims

    standard = set(fastprims._queues.install.REPLACEMENT)
    for name in modules:
        importlib.import_module(name)
    fastprims.install()
    found = []
    for module in list(sys.modules.values()):
        names = vars(module).items()
        if module.__name__.partition(".")[0] in ("_queue", "fastprims"):
            continue
        found += [f"{module.__name__}.{n}" for n, v in names if type(v) is type and v in standard]
    return found


def test_no_module_of_the_standard_library_keeps_a_standard_class() -> None:
    assert run_child(classes_in, STANDARD_MODULES) == []


def subclass_from_before() -> list[object]:
    import queue
    from queue import Queue

    class Old(Queue):
        def _init(self, maxsize: int) -> None:
            Queue._init(self, maxsize)
            self.seen = []

        def put(self, item: object) -> None:
            self.seen.append(item)
            Queue.put(self, item)

    import fastprims

    standard, old, plain = Queue, Old(), queue.Queue()
    old.put(1)
    fastprims.install()
    globals()["Queue"] = Queue

    class New(queue.Queue):
        pass

    late = Old()
    late.put(2)
    seen: list[object] = [type(late).__mro__[1] is standard, late.get() == 2, late.seen == [2]]
    seen += [old.get() == 1, plain.mutex.acquire(), queue.Queue is fastprims.Queue]
    seen += [issubclass(New, fastprims.Queue), isinstance(New(), queue.Queue)]
    return seen


def test_a_subclass_from_before_stays_standard() -> None:
    assert all(run_child(subclass_from_before))


def kept() -> list[object]:
    import sys
    from types import ModuleType

    import fastprims

    source = "from queue import Queue\nclass Old(Queue):\n    def put(self, item):\n"
    source += "        Queue.put(self, item)\n"
    early = ModuleType("early")
    sys.modules["early"] = early
    exec(source, early.__dict__)
    ours = ModuleType("ours")
    sys.modules["ours"] = ours
    exec("from fastprims import Queue\nclass Own(Queue): pass", ours.__dict__)
    fastprims.install()
    q = early.Old()
    q.put(1)
    info = fastprims.build_info()
    return [q.get(), info.get("kept"), "early" in info["replaced"], "ours" in str(info)]


def test_a_module_with_a_subclass_keeps_the_standard_class_and_build_info_says_so() -> None:
    assert run_child(kept) == [1, "early.Queue: Old derives from it", False, False]


def class_attribute() -> list[object]:
    import sys
    from types import ModuleType

    import fastprims

    source = "import queue\nDEFAULT = queue.Queue\nclass Pool:\n    queue_class = DEFAULT\n"
    early = ModuleType("early")
    sys.modules["early"] = early
    exec(source, early.__dict__)
    fastprims.install()
    return [early.Pool.queue_class is early.DEFAULT, fastprims.build_info().get("kept")]


def test_a_name_and_an_attribute_of_a_class_stay_the_same_class() -> None:
    reason = "early.DEFAULT: Pool.queue_class is a standard class, too"
    assert run_child(class_attribute) == [True, reason]


def somebody_else_patches() -> list[object]:
    import queue
    from unittest import mock

    import fastprims

    standard = queue.Queue
    with mock.patch("queue.Queue", str):
        fastprims.install()
        seen: list[object] = [queue.Queue is str, queue.LifoQueue is fastprims.LifoQueue]
        seen.append("queue.Queue: somebody else" in str(fastprims.build_info()["kept"]))
    seen.append(queue.Queue is standard)
    fastprims.uninstall()
    fastprims.install()
    queue.LifoQueue = str
    fastprims.uninstall()
    return [*seen, queue.LifoQueue is str, queue.Queue is standard]


def test_what_somebody_else_has_put_there_stays() -> None:
    assert all(run_child(somebody_else_patches))


def green(module: str, function: str) -> str:
    import queue
    import sys
    from types import ModuleType

    import fastprims

    fake = ModuleType(module)
    setattr(fake, function, lambda name: True)
    sys.modules[module] = fake
    try:
        fastprims.install()
    except RuntimeError as error:
        assert queue.Queue is not fastprims.Queue
        return str(error)
    return "installed"


@pytest.mark.parametrize(
    ("module", "function"),
    [("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")],
)
def test_threads_that_are_not_threads_are_refused(module: str, function: str) -> None:
    assert module.partition(".")[0] in run_child(green, module, function)


def imported_after_others() -> list[object]:
    """gevent puts classes of its own into `queue`, and so do tests."""
    import queue
    from unittest import mock

    standard = queue.Queue
    with mock.patch.multiple("queue", Queue=dict, LifoQueue=dict, PriorityQueue=dict):
        import fastprims
    seen: list[object] = [queue.Queue is standard]
    for cls in (fastprims.Queue, fastprims.LifoQueue, fastprims.PriorityQueue):
        for opened in (False, True):
            q = cls(1)
            if opened:
                with q.mutex:
                    q.queue.clear()
            q.put(1)
            seen.append(q.stats().open == opened)
            try:
                q.put(2, timeout=0.01)
            except queue.Full:
                seen.append(q.get() == 1)
            try:
                q.get_nowait()
            except queue.Empty:
                seen.append(True)
    return seen


def test_it_can_be_imported_where_others_have_replaced_the_classes() -> None:
    seen = run_child(imported_after_others)
    assert seen == [True] * 19


def pickles() -> list[object]:
    import pickle
    import queue

    import fastprims

    named = pickle.dumps([queue.Queue, queue.Empty, queue.Full()])
    fastprims.install()
    cls, empty, full = pickle.loads(named)
    seen = [cls is queue.Queue is fastprims.Queue, empty is queue.Empty, type(full) is queue.Full]
    named = pickle.dumps(queue.Queue)
    fastprims.uninstall()
    return [*seen, pickle.loads(named) is fastprims.Queue]


def test_pickles_name_the_classes() -> None:
    assert all(run_child(pickles))


def opened_after_install() -> list[object]:
    """What a queue runs when it is open is the standard library's, not ours in its place."""
    import queue
    from collections import deque

    import fastprims

    Standard = queue.Queue
    fastprims.install()
    seen: list[object] = []
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):

        class Hooked(kind):
            def _put(self, item: object) -> None:
                super()._put(item)

        for q in (kind(3), Hooked(3)):
            q.put(2)
            with q.mutex:
                seen.append(isinstance(q.queue, (deque, list)) and len(q.queue) == 1)
            q.put(3, timeout=1)
            seen += [isinstance(q, Standard), isinstance(q, queue.Queue), q.qsize() == 2]
            seen.append({q.get(), q.get_nowait()} == {2, 3})
            q.task_done()
            q.task_done()
            q.join()
            seen.append(q.join(timeout=1))
            q.shutdown()
            try:
                q.put(1)
            except queue.ShutDown:
                seen.append(True)
    return seen


def test_queues_open_as_ever() -> None:
    seen = run_child(opened_after_install)
    assert len(seen) == 42
    assert all(seen), seen


def from_many_threads() -> list[object]:
    import queue
    import threading

    import fastprims

    before, failures = dict(vars(queue)), []

    def both() -> None:
        try:
            for _ in range(30):
                fastprims.install()
                fastprims.build_info()
                fastprims.uninstall()
        except BaseException as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=both) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [failures, vars(queue) == before, fastprims.build_info()["queue"]]


def test_threads_that_install_and_uninstall_at_once_leave_one_or_the_other() -> None:
    assert run_child(from_many_threads) == [[], True, "standard"]


def forked_while_installing() -> int:
    import os
    import threading

    import fastprims

    done = threading.Event()

    def both() -> None:
        while not done.is_set():
            fastprims.install()
            fastprims.uninstall()

    thread = threading.Thread(target=both)
    thread.start()
    statuses = 0
    for _ in range(20):
        if (child := os.fork()) == 0:
            fastprims.install()
            os._exit(0 if fastprims.build_info()["queue"] == "fastprims" else 1)
        statuses += os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    return statuses


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork here")
def test_a_child_forked_meanwhile_can_install() -> None:
    assert run_child(forked_while_installing, options=("-W", "ignore")) == 0


def spawn_after_uninstall() -> list[object]:
    import sys

    import fastprims

    finders = list(sys.meta_path)
    fastprims.install()
    assert "multiprocessing" not in sys.modules
    fastprims.uninstall()
    seen: list[object] = [sys.meta_path == finders]
    fastprims.install()
    from multiprocessing import spawn

    seen.append(sys.meta_path == finders)
    seen.append("fastprims" in spawn.get_preparation_data("x"))
    seen.append(type(spawn.__loader__).__name__ == type(spawn.__spec__.loader).__name__)
    seen.append(type(spawn.__loader__) is type(sys.modules["multiprocessing"].__loader__))
    fastprims.uninstall()
    seen.append("fastprims" not in spawn.get_preparation_data("x"))
    original = spawn.get_preparation_data
    fastprims.install()
    seen.append("fastprims" in spawn.get_preparation_data("x"))
    fastprims.uninstall()
    seen.append(spawn.get_preparation_data is original)
    return seen


def test_uninstall_leaves_nothing_for_children() -> None:
    assert all(run_child(spawn_after_uninstall))
