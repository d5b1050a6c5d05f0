"""Exits, signals inside of callbacks, subinterpreters and gevent: each in a process of its own."""

from __future__ import annotations

import signal

import pytest
from support.isolate import run_child, run_source

posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")


def signal_in_callbacks(which: str, error: str) -> list[str]:
    """A signal handler that raises what is no Exception, while a callback runs."""
    import os
    import signal
    import sys
    import threading
    import time

    import fastprims

    class Stop(BaseException):
        def __init__(self, number, frame):
            super().__init__(number)

    errors = {"SystemExit": SystemExit(3), "KeyboardInterrupt": KeyboardInterrupt(), "Stop": None}

    def handler(number, frame):
        raise errors[error] or Stop(number, frame)

    signal.signal(signal.SIGTERM, handler)
    hooked = []
    sys.unraisablehook = lambda args: hooked.append(args.exc_type.__name__)
    armed = False

    def callback(*args):
        nonlocal armed
        if armed:
            armed = False
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
            time.sleep(5)
        return bytearray(1)

    def number(*args):
        callback()
        return 0

    channel = fastprims.BoundedChannel(1, overflow="drop_oldest", on_pressure=callback)
    channel.put(1)
    pool = fastprims.ObjectPool(callback, reset=callback)
    limiter = fastprims.RateLimiter(1, 1, clock=number)
    leased = pool.acquire()
    calls = {
        "on_pressure": lambda: channel.put(2),
        "factory": pool.acquire,
        "reset": lambda: pool.release(leased),
        "clock": limiter.try_acquire,
        "size_of": lambda: fastprims.BoundedChannel(1, max_item_size=1, size_of=number).put(1),
        "last report": lambda: (channel.put(2), channel.shutdown()),
    }
    seen = []
    armed = True
    try:
        calls[which]()
        for _ in range(1000):
            pass
    except BaseException as caught:
        seen.append(type(caught).__name__)
    return [seen, hooked, channel.qsize()]


@posix
@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt", "Stop"])
@pytest.mark.parametrize(
    "which", ["on_pressure", "factory", "reset", "clock", "size_of", "last report"]
)
def test_what_a_signal_handler_raises_in_a_callback_is_raised(which: str, error: str) -> None:
    assert run_child(signal_in_callbacks, which, error) == [[error], [], 1]


def exit_of_a_thread() -> list[bool]:
    """sys.exit() in a callback ends the thread that called, after its call."""
    import sys
    import threading
    import time

    import fastprims

    channel = fastprims.BoundedChannel(
        1, overflow="drop_newest", on_pressure=lambda report: sys.exit()
    )
    channel.put(1)
    went_on = []

    def put():
        channel.put(2)
        for _ in range(100):
            time.sleep(0.001)
        went_on.append(True)

    thread = threading.Thread(target=put)
    thread.start()
    thread.join(30)
    return [thread.is_alive(), bool(went_on)]


def test_sys_exit_in_a_callback_ends_its_thread() -> None:
    assert run_child(exit_of_a_thread) == [False, False]


AT_EXIT = """
import sys
import fastprims
from fastprims import *

class Last:
    def __init__(self):
        self.flag, self.number, self.ref = AtomicFlag(), AtomicInt(), AtomicRef()
        self.queues = [Queue(), SimpleQueue(), LifoQueue(), PriorityQueue(), MPMCRing(1)]
        self.queues += [SPSCRing(1), BoundedChannel(1)]
        self.others = [RateLimiter(1, 1), ObjectPool(list, drain_on_gc=True), Ctrie(a=1)]
        self.others += [TopicTrie(), TopicTrie().snapshot(), Ctrie().readonly_snapshot()]
        self.shm = [ShmQueue(), ShmRing.create()] if sys.platform == "linux" else []

    def __del__(self):
        for q in self.queues:
            q.put(1)
            assert q.stats().puts == 1
            repr(q), q.get(), q.get_many(0), q.shutdown()
        for thing in [self.flag, self.number, self.ref, *self.others, *self.shm]:
            thing.stats()
            repr(thing)
        if self.shm:
            self.shm[0].put({"bye": 1})
            assert self.shm[0].get() == {"bye": 1}
        dict(self.others[2]), self.others[2].copy()
        with self.others[1].lease() as leased:
            assert leased == []
        print("fine", flush=True)

last = Last()
"""


def test_methods_work_when_the_interpreter_exits() -> None:
    assert run_source(AT_EXIT).strip() == "fine"


SUBINTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
    make = [lambda: interpreters.create("legacy"), interpreters.create]
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        print("fine"); sys.exit()
    make = [lambda: interpreters.create(isolated=False), interpreters.create]
code = '''
for name in ("fastprims", "fastprims.queue", "fastprims.metrics", "fastprims._queues.ext", "fastprims"):
    try:
        __import__(name)
    except ImportError as error:
        assert "main interpreter only" in str(error), error
    else:
        raise AssertionError(name)
'''
if sys.argv[1:] == ["main first"]:
    import fastprims
for create in make * 2:
    other = create()
    failure = interpreters.run_string(other, code)
    assert failure is None, failure
    interpreters.destroy(other)
import fastprims
q = fastprims.Queue()
q.put("fine")
print(q.get())
"""


@pytest.mark.parametrize("first", ["", "main first"])
def test_subinterpreters_are_refused_and_spoil_nothing(first: str) -> None:
    source = SUBINTERPRETERS.replace("sys.argv[1:]", f"[{first!r}]")
    assert run_source(source).strip() == "fine"


def under_hub(name: str, patcher: str, asks: str) -> list[object]:
    """The interface of gevent or eventlet, as much of it as is asked for, on a hub that counts."""
    import queue
    import sys
    import time
    import types

    import fastprims

    monkey, hub = types.ModuleType(patcher), types.ModuleType(name)
    slept = []
    filled = fastprims.Queue()

    def sleep(seconds):
        slept.append(seconds)
        time.sleep(seconds)
        if len(slept) == 5:  # another greenlet
            filled.put("item")

    setattr(monkey, asks, lambda part: part == "time")
    hub.sleep = sleep
    sys.modules.update({name: hub, patcher: monkey})
    seen = [filled.get(timeout=30), len(slept)]
    ring = fastprims.MPMCRing(1)
    ring.put(1)
    channel = fastprims.BoundedChannel(1)
    channel.put(1)
    for call in (
        lambda: ring.put(2, timeout=0.05),
        lambda: channel.put(2, timeout=0.05),
        lambda: filled.get(timeout=0.05),
        lambda: filled.get_many(5, timeout=0.05),
    ):
        try:
            call()
        except (queue.Empty, queue.Full) as error:
            seen.append(type(error).__name__)
    pool = fastprims.ObjectPool(bytearray, max_size=1)
    pool.acquire()
    limiter = fastprims.RateLimiter(1, 1)
    limiter.acquire()
    for call in (
        lambda: fastprims.AtomicFlag().wait(timeout=5),
        lambda: pool.acquire(timeout=5),
        lambda: limiter.acquire(timeout=5),
    ):
        try:
            call()
        except RuntimeError as error:
            seen.append(f"{name}.sleep()" in str(error))
    setattr(monkey, asks, lambda part: False)
    seen.append(fastprims.AtomicFlag().wait(timeout=0.01))
    return seen


@pytest.mark.parametrize(
    "hub",
    [
        ("gevent", "gevent.monkey", "is_module_patched"),
        ("eventlet", "eventlet.patcher", "is_monkey_patched"),
    ],
)
def test_queues_let_other_greenlets_run_and_other_waits_say_why_not(
    hub: tuple[str, str, str],
) -> None:
    seen = run_child(under_hub, *hub)
    assert seen[0] == "item"
    assert seen[2:6] == ["Full", "Full", "Empty", "Empty"]
    assert seen[6:] == [True, True, True, False]


def where_the_module_queue_is_patched() -> list[object]:
    """gevent puts classes of C there, from which a class that has a layout cannot derive."""
    import collections
    import queue

    class Patched(collections.deque):
        pass

    standard = queue.Queue
    queue.Queue = queue.LifoQueue = queue.PriorityQueue = Patched
    import fastprims

    seen: list[object] = []
    for cls in (fastprims.Queue, fastprims.LifoQueue, fastprims.PriorityQueue):
        for opens in (False, True):
            made = cls(2)
            if opens:
                with made.mutex:
                    seen.append(made._qsize())
            made.put(1)
            made.put(2)
            try:
                made.put(3, timeout=0.01)
            except queue.Full:
                seen.append("full")
            seen += [made.get(), made.get()]
            try:
                made.get_nowait()
            except queue.Empty:
                seen.append("empty")
            seen.append(made.stats().open)
    seen.append(any(standard is base for base in fastprims.Queue.__mro__))
    return seen


def test_drop_ins_are_standard_queues_where_others_have_taken_their_names() -> None:
    seen = run_child(where_the_module_queue_is_patched)
    fifo = ["full", 1, 2, "empty", False, 0, "full", 1, 2, "empty", True]
    lifo = ["full", 2, 1, "empty", False, 0, "full", 2, 1, "empty", True]
    assert seen == [*fifo, *lifo, *fifo, False]
