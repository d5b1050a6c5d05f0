"""Ends for event loops where a process is at stake: forks, interrupts, the interpreter's end, memory."""

from __future__ import annotations

import sys

import pytest
from support.isolate import needs_fork, needs_proc, run_child, run_source

CLASSES = ["Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "MPMCRing", "BoundedChannel"]


def make(name: str):
    import fastprims

    cls = getattr(fastprims, name)
    return cls(16) if name in ("MPMCRing", "BoundedChannel") else cls()


def fork_beside_a_waiting_task(name: str) -> list:
    """The child uses the queue, the parent's task gets the parent's item."""
    import asyncio

    from support.forks import in_child

    q = make(name)

    async def use() -> object:
        getter = asyncio.ensure_future(q.async_q.get())
        await asyncio.sleep(0.01)
        assert not getter.done()
        q.put("child's")
        return await asyncio.wait_for(getter, 20)

    def child() -> None:
        asyncio.events._set_running_loop(None)
        q.put("first")  # the task that waits for it lives in the parent
        assert q.get(timeout=20) == "first"
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(use()) == "child's"
        loop.close()

    async def main() -> object:
        getter = asyncio.ensure_future(q.async_q.get())
        await asyncio.sleep(0.01)
        in_child(child)
        await asyncio.sleep(0.01)
        assert not getter.done()
        q.put("parent's")
        return await asyncio.wait_for(getter, 20)

    return [asyncio.run(main()), q.qsize()]


@needs_fork
@pytest.mark.parametrize("name", CLASSES)
def test_a_fork_beside_a_waiting_task(name: str) -> None:
    found = run_child(fork_beside_a_waiting_task, name, helpers=(make,))
    assert found == ["parent's", 0]


def fork_from_a_loop_that_goes_on(name: str) -> list:
    """The child leaves the copied loop alone, and its own has its own descriptor."""
    import asyncio
    import os
    import threading

    from support.forks import in_child

    q = make(name)

    async def echo(count: int) -> list:
        def put() -> None:
            for n in range(count):
                q.put(n)

        thread = threading.Thread(target=put)
        thread.start()
        got = [await asyncio.wait_for(q.async_q.get(), 20) for _ in range(count)]
        thread.join()
        return got

    async def main() -> int:
        assert sorted(await echo(50)) == list(range(50))
        for _ in range(3):

            def child() -> None:
                asyncio.events._set_running_loop(None)
                loop = asyncio.new_event_loop()
                assert sorted(loop.run_until_complete(echo(50))) == list(range(50))

            in_child(child)
            assert sorted(await echo(50)) == list(range(50))
        return os.getpid()

    return [asyncio.run(main()) == os.getpid()]


@needs_fork
@pytest.mark.parametrize("name", ["Queue", "MPMCRing"])
def test_parent_and_child_have_loops_of_their_own(name: str) -> None:
    assert run_child(fork_from_a_loop_that_goes_on, name, helpers=(make,)) == [True]


def interrupted_run(name: str) -> list:
    import asyncio
    import os
    import signal
    import threading
    import time

    q = make(name)
    interrupts = 0

    async def wait() -> object:
        return await q.async_q.get()

    for _ in range(10):
        ready = threading.Event()

        def press(ready: threading.Event = ready) -> None:
            ready.wait()
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=press)
        thread.start()
        try:
            ready.set()
            asyncio.run(wait())
        except KeyboardInterrupt:
            interrupts += 1
        thread.join()
    q.put(1)
    return [interrupts, asyncio.run(wait()), q.qsize()]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT can be sent to one process there")
@pytest.mark.parametrize("name", CLASSES)
def test_ctrl_c_ends_a_wait_and_loses_nothing(name: str) -> None:
    assert run_child(interrupted_run, name, helpers=(make,)) == [10, 1, 0]


def signals_beside_waiting_tasks(name: str, seconds: float) -> list:
    """A handler of the loop puts; so the put may come at any moment of the loop's own work."""
    import asyncio
    import random
    import signal
    import time

    q = make(name)
    rng = random.Random(4)
    sent = 0

    def handle(*_: object) -> None:
        nonlocal sent
        sent += 1
        q.put_nowait(sent)

    async def beat() -> None:
        """The interpreter misses a signal that comes just before the loop sleeps, until it wakes."""
        while True:
            await asyncio.sleep(0.01)

    async def main() -> list:
        got = []
        beating = asyncio.ensure_future(beat())
        signal.signal(signal.SIGALRM, handle)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 6e-4))
            got.append(await asyncio.wait_for(q.async_q.get(), 20))
        beating.cancel()
        return got

    got = asyncio.run(main())
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while not q.empty():
        got.append(q.get())
    return [sorted(got) == list(range(1, sent + 1)), sent]


@pytest.mark.skipif(sys.platform == "win32", reason="no alarms there")
@pytest.mark.parametrize("name", CLASSES)
def test_a_signal_handler_puts_for_a_task_of_the_same_thread(name: str) -> None:
    whole, sent = run_child(signals_beside_waiting_tasks, name, 0.5, helpers=(make,))
    assert whole
    assert sent > 20


def finalizers_beside_waiting_tasks(name: str) -> list:
    """A put from __del__, which may run at any allocation, also within a call of the same queue."""
    import asyncio
    import gc
    import itertools

    q = make(name)
    numbers = itertools.count()
    total = 400

    class Late:
        def __init__(self) -> None:
            self.me = self  # only the collector frees it

        def __del__(self) -> None:
            n = next(numbers)
            if n < total:
                q.try_put(n)

    async def consume() -> list:
        got = []
        while len(got) < total // 2:
            Late()
            try:
                got.append(await q.async_q.get(timeout=0.001))
            except asyncio.QueueEmpty:
                gc.collect()
        return got

    async def main() -> int:
        parts = await asyncio.gather(consume())
        return len({n for part in parts for n in part})

    gc.set_threshold(3)
    found = asyncio.run(main())
    gc.disable()
    return [found]


@pytest.mark.parametrize("name", CLASSES)
def test_a_finalizer_puts_for_a_task_of_the_same_thread(name: str) -> None:
    assert run_child(finalizers_beside_waiting_tasks, name, helpers=(make,)) == [200]


def what_calls_leave(name: str) -> dict:
    import asyncio

    from support.leaks import blocks_that_stay

    loop = asyncio.new_event_loop()
    q = make(name)
    a = q.async_q
    found = {}

    async def at_once() -> None:
        for n in range(10):
            await a.put(n)
            await a.get()

    async def after_a_wait() -> None:
        for n in range(10):
            getter = asyncio.ensure_future(a.get())
            await asyncio.sleep(0)
            q.put(n)
            await getter

    async def cancelled() -> None:
        for _ in range(10):
            getter = asyncio.ensure_future(a.get())
            await asyncio.sleep(0)
            getter.cancel()
            await asyncio.wait([getter])

    async def timed_out() -> None:
        for _ in range(2):
            try:
                await a.get(timeout=1e-4)
            except asyncio.QueueEmpty:
                pass

    async def dropped() -> None:
        for _ in range(10):
            call = a.get()
            call.send(None)
            del call

    async def batches() -> None:
        for _ in range(5):
            await a.put_many(range(10))
            await a.get_many(10)

    def ends() -> None:
        make(name).async_q.put_nowait(1)

    for act in (at_once, after_a_wait, cancelled, timed_out, dropped, batches):
        run = lambda act=act: loop.run_until_complete(act())
        blocks_that_stay(run, 20, 1)
        found[act.__name__] = min(blocks_that_stay(run, 50))
    blocks_that_stay(ends, 20, 1)
    found["ends"] = min(blocks_that_stay(ends, 100))
    loop.close()
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_calls_leave_no_memory_behind(name: str) -> None:
    found = run_child(what_calls_leave, name, helpers=(make,), timeout=90)
    assert {what: blocks for what, blocks in found.items() if blocks > 10} == {}


def loops_that_come_and_go(name: str) -> float:
    import asyncio
    import gc
    import threading

    from support.leaks import growth, resident

    q = make(name)

    async def use() -> None:
        for n in range(20):
            getter = asyncio.ensure_future(q.async_q.get())
            await asyncio.sleep(0)
            q.put(n)
            await getter

    sizes = []
    for _ in range(12):
        for _ in range(10):
            thread = threading.Thread(target=lambda: asyncio.run(use()))
            thread.start()
            thread.join()
        gc.collect()
        sizes.append(resident())
    return growth(sizes)


@needs_proc
def test_loops_that_come_and_go_leave_no_memory_behind() -> None:
    assert run_child(loops_that_come_and_go, "Queue", helpers=(make,), timeout=90) < 0.05


ENDS = {
    "in the middle of a wait": """
import asyncio, fastprims
q = fastprims.Queue()
loop = asyncio.new_event_loop()
task = loop.create_task(q.async_q.get())
loop.run_until_complete(asyncio.sleep(0.01))
print("end")
""",
    "with a thread that puts": """
import asyncio, threading, time, fastprims
q = fastprims.Queue()
def put():
    while True:
        q.put(1)
        time.sleep(0.0001)
threading.Thread(target=put, daemon=True).start()
async def main():
    for _ in range(50):
        await q.async_q.get()
asyncio.run(main())
print("end")
""",
    "with a thread that runs a loop": """
import asyncio, threading, time, fastprims
q = fastprims.Queue()
async def main():
    while True:
        await q.async_q.get()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
for n in range(200):
    q.put(n)
    time.sleep(0.0001)
print("end")
""",
    "with a task that nobody ended": """
import asyncio, fastprims
q = fastprims.Queue()
async def main():
    global task
    task = asyncio.ensure_future(q.async_q.get())
    await asyncio.sleep(0.01)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
q.put(1)
print("end", q.get(timeout=20))
""",
}


@pytest.mark.parametrize("when", ENDS)
def test_the_interpreter_ends(when: str) -> None:
    assert "end" in run_source(ENDS[when])


def test_importing_the_queues_does_not_import_asyncio() -> None:
    """It takes longer than all of fastprims, and few programs need it."""
    run_source("import sys, fastprims\nassert 'asyncio' not in sys.modules")


def call_beside_what_is_called_trio(what: str) -> list:
    import asyncio
    import sys
    import types

    import fastprims
    from fastprims import aio

    module = None if what == "forbidden" else types.ModuleType("trio")
    if what == "old":
        module.lowlevel = types.ModuleType("trio.lowlevel")
    sys.modules["trio"] = module

    async def main() -> list:
        end = fastprims.Queue().async_q
        getter = asyncio.ensure_future(end.get())
        await asyncio.sleep(0)
        end.put_nowait(1)
        answer = await aio.select((end.put, 2))
        return [await getter, answer.index, await end.get()]

    return asyncio.run(main())


@pytest.mark.parametrize("what", ["forbidden", "another", "old"])
def test_a_module_called_trio_does_not_disturb(what: str) -> None:
    assert run_child(call_beside_what_is_called_trio, what) == [1, 0, 2]
