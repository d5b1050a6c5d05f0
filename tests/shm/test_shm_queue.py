"""ShmQueue: the protocol, what is pickled how, the bound, every way to start a process."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, Full
from typing import Any

import pytest
from support import shm_workers
from support.isolate import run_child, run_source
from support.threads import blocked, run_threads

import fastprims
from fastprims import ItemTooLarge, ShmQueue, ShutDown

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="ShmQueue is for Linux"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # beside threads, on purpose
]

START = ["fork", "spawn", "forkserver"]
PATIENCE = 60.0


@pytest.fixture
def q() -> Iterator[ShmQueue[Any]]:
    with ShmQueue[Any](capacity=1 << 16) as made:
        yield made


class Hands:
    """Hands its buffer out of band, as NumPy's arrays do."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        assert protocol == 5
        return Hands, (pickle.PickleBuffer(self.data),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hands) and bytes(self.data) == bytes(other.data)


class Refuses:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise KeyError("not to be pickled")


class Explodes:
    def __reduce_ex__(self, protocol: Any) -> Any:
        return int, ("no number",)


ITEMS = [
    None,
    5,
    "text",
    (1, "a", 2.5),
    b"",
    b"bytes",
    bytearray(b"ab"),
    [b"x" * 1000, {"k": [1]}],
    Hands(b"out of band"),
    [Hands(bytearray(b"a")), Hands(b""), Hands(b"x" * 777), "between"],
]


def test_objects_come_out_as_they_went_in(q: ShmQueue[Any]) -> None:
    for item in ITEMS:
        q.put(item)
    assert q.qsize() == len(ITEMS)
    for item in ITEMS:
        got = q.get()
        assert got == item
        assert type(got) is type(item)


def test_a_subclass_of_bytes_stays_one(q: ShmQueue[Any]) -> None:
    q.put(Sub(b"abc"))
    assert type(q.get()) is Sub


class Sub(bytes):
    pass


def test_buffers_are_aligned_and_writable(q: ShmQueue[Any]) -> None:
    q.put([Hands(bytearray(b"a" * 3)), Hands(bytearray(b"b" * 5)), Hands(b"frozen")])
    first, second, third = q.get()
    assert bytes(first.data) == b"aaa"
    view = memoryview(second.data)
    view[0] = 0
    assert bytes(view) == b"\0bbbb"
    assert memoryview(third.data).readonly


def test_numpy_arrays(q: ShmQueue[Any]) -> None:
    np = pytest.importorskip("numpy")
    for array in (np.arange(1000.0), np.ones((4, 5))[::2], np.zeros(0), np.arange(6, dtype="c16")):
        q.put({"array": array})
        got = q.get()["array"]
        assert got.dtype == array.dtype
        assert (got == array).all()
        assert got.flags.aligned
        got += 1


def copies(kind: str) -> int:
    """Bytes allocated by one put and one get of a large object, in units of its size."""
    import pickle
    import tracemalloc

    from fastprims import ShmQueue

    size = 1 << 20
    with ShmQueue(capacity=1 << 22) as q:
        item = bytes(size) if kind == "bytes" else memoryview(bytearray(size))
        if kind != "bytes":
            item = pickle.PickleBuffer(item)
        q.put(pickle.PickleBuffer(b"what is made at the first time"))
        q.get()
        tracemalloc.start()
        q.put(item)
        putting = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        got = q.get()
        getting = tracemalloc.get_traced_memory()[1]
        assert len(memoryview(got)) == size
    assert putting < size // 4, putting
    return getting // size


@pytest.mark.parametrize("kind", ["bytes", "buffer"])
def test_a_megabyte_is_copied_once(kind: str) -> None:
    """Into shared memory without anything in between, and out of it into the object itself."""
    assert run_child(copies, kind) == 1


def test_errors_of_pickling_store_nothing(q: ShmQueue[Any]) -> None:
    for bad, error in (
        (Refuses(), KeyError),
        (lambda: 0, Exception),
        (threading.Lock(), TypeError),
    ):
        with pytest.raises(error):
            q.put(bad)
        with pytest.raises(error):
            q.put_many([1, bad])
    with pytest.raises(ItemTooLarge):
        q.put(bytes(q.max_item_size + 1))
    with pytest.raises(ItemTooLarge, match="object 1"):
        q.put_many([1, bytes(q.max_item_size + 1)])
    assert q.empty()
    q.put(bytes(q.max_item_size))
    assert len(q.get()) == q.max_item_size


def test_errors_of_unpickling_are_raised_by_get(q: ShmQueue[Any]) -> None:
    q.put(Explodes())
    q.put("next")
    with pytest.raises(ValueError, match="no number"):
        q.get()
    assert q.get() == "next"


def test_what_only_multiprocessing_can_pickle(q: ShmQueue[Any]) -> None:
    q.put({1: 2})  # makes a pickler, maybe before multiprocessing registers how to send connections
    assert q.get() == {1: 2}
    here, there = multiprocessing.Pipe()
    q.put(there)
    got = q.get()
    assert got.fileno() not in (here.fileno(), there.fileno())
    got.send("through")
    assert here.recv() == "through"
    for connection in (here, there, got):
        connection.close()


def test_the_bound_is_exact() -> None:
    with ShmQueue[int](3) as q, ShmQueue.attach(q.name) as other:
        assert q.maxsize == other.maxsize == 3
        q.put(1)
        other.put_many([2, 3])
        assert q.full()
        assert not q.try_put(4)
        for put in (q.put, other.put):
            with pytest.raises(Full):
                put(4, timeout=0.01)
            with pytest.raises(Full):
                put(4, False)
        putter = blocked(other.put_many, [4, 5, 6])
        assert sorted(q.get() for _ in range(6)) == [1, 2, 3, 4, 5, 6]
        assert putter.result() == 3
        assert not q.full()
    assert ShmQueue[int](-1).maxsize == 0


def test_the_bound_is_exact_when_several_put(scale: Callable[[int], int]) -> None:
    """Each through an object and a lane of its own, as processes do."""
    for _ in range(scale(30)):
        with ShmQueue[int](7, capacity=4096) as q:
            others = [ShmQueue.attach(q.name) for _ in range(3)]

            def fill(other: ShmQueue[int]) -> int:
                stored = 0
                while not other.full():
                    stored += other.try_put(stored)
                return stored

            assert sum(run_threads(*(lambda other=other: fill(other) for other in others))) == 7
            assert len([q.get_nowait() for _ in range(7)]) == 7
            assert q.empty()
            for other in others:
                other.close()


def test_time_outs_and_shutdown(q: ShmQueue[Any]) -> None:
    with pytest.raises(Empty):
        q.get(timeout=0.01)
    with pytest.raises(Empty):
        q.get_nowait()
    with pytest.raises(Empty):
        q.get_many(3, timeout=0.01)
    with pytest.raises(ValueError, match="non-negative"):
        q.get(timeout=-1)
    with pytest.raises(ValueError, match="0 or more"):
        q.get_many(-1)
    assert q.get_many(0) == []
    assert q.try_get("nothing") == "nothing"
    assert q.put_many([1, 2, 3]) == 3
    assert q.get_many(2) == [1, 2]
    assert q.get() == 3
    waiting = [blocked(q.get), blocked(q.get)]
    q.put_nowait(4)
    q.shutdown()
    assert q.is_shutdown
    results = []
    for task in waiting:
        try:
            results.append(task.result())
        except ShutDown:
            results.append(None)
    assert set(results) == {4, None}
    with pytest.raises(ShutDown):
        q.get_many(3)
    with pytest.raises(ShutDown):
        q.put(5)
    with pytest.raises(ShutDown):
        q.put_many([5])


def test_what_multiprocessing_has_beside_it(q: ShmQueue[Any]) -> None:
    other = ShmQueue.attach(q.name)
    other.put(1)
    other.close()
    other.join_thread()
    other.cancel_join_thread()
    other.close()
    assert other.closed
    for call in (other.get, lambda: other.put(1), other.get_nowait):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert q.get() == 1
    assert ShmQueue[int].__origin__ is ShmQueue  # type: ignore[attr-defined]
    assert "closed" in repr(other)
    assert q.name in repr(q)
    assert (bool(q), len(q), q.stats().size) == (True, 0, 0)


def test_the_name_goes_with_the_queue() -> None:
    for drop in ("close", "del"):
        q: ShmQueue[int] | None = ShmQueue()
        assert q is not None
        path = f"/dev/shm/fastprims.{q.name}"
        assert os.path.exists(path)
        other = ShmQueue.attach(q.name)
        if drop == "close":
            q.close()
        q = None
        gc.collect()
        assert not os.path.exists(path)
        other.put(1)
        assert other.get() == 1
        del other
        gc.collect()


def test_the_name_goes_with_the_process() -> None:
    name = run_source("import fastprims; q = fastprims.ShmQueue(); print(q.name)").strip()
    assert not os.path.exists(f"/dev/shm/fastprims.{name}")


@pytest.mark.parametrize("method", START)
def test_every_way_to_start_a_process(q: ShmQueue[Any], method: str) -> None:
    context = multiprocessing.get_context(method)
    with ShmQueue[Any]() as back:
        process = context.Process(target=shm_workers.echo, args=(q, back, len(ITEMS[:-2])))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONWARNINGS", "ignore::DeprecationWarning")
            process.start()
        try:
            for item in ITEMS[:-2]:
                q.put(item)
                assert back.get(timeout=PATIENCE) == item
            process.join(PATIENCE)
            assert process.exitcode == 0
        finally:
            shm_workers.end(process)
        assert os.path.exists(f"/dev/shm/fastprims.{q.name}")  # the child has not removed it


POOL = """
import multiprocessing, sys
import fastprims

def work(jobs, results):
    while True:
        try:
            job = jobs.get()
        except fastprims.ShutDown:
            return
        results.put((job, job * job))

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    jobs, results = fastprims.ShmQueue(10), fastprims.ShmQueue()
    workers = [multiprocessing.Process(target=work, args=(jobs, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for n in range(200):
        jobs.put(n)
    jobs.shutdown()
    got = dict(results.get(timeout=60) for _ in range(200))
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert got == {n: n * n for n in range(200)} and results.empty()
"""


@pytest.mark.parametrize("method", START)
def test_a_program_with_workers(tmp_path: Any, method: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(POOL)
    command = [sys.executable, "-W", "ignore", str(program), method]
    subprocess.run(command, check=True, timeout=PATIENCE)


def put_without_end(queue_name: str) -> None:
    """Puts without end into a bounded queue."""
    import fastprims

    q = fastprims.ShmQueue.attach(queue_name)
    while True:
        q.put("x")


def test_killed_writers_do_not_stop_a_bounded_queue(scale: Callable[[int], int]) -> None:
    """Whatever they were in the middle of, the count included."""
    with ShmQueue[str](2, lanes=4) as q:
        context = multiprocessing.get_context("fork")
        for _ in range(scale(15)):
            process = context.Process(target=put_without_end, args=(q.name,))
            process.start()
            for _ in range(20):
                assert q.get(timeout=PATIENCE) == "x"
            time.sleep(0.001)
            shm_workers.end(process)
            while not q.empty():
                q.get(timeout=PATIENCE)
            q.put("mine", timeout=PATIENCE)
            assert q.get(timeout=PATIENCE) == "mine"


def test_threads_of_one_process() -> None:
    with ShmQueue[int](5) as q:

        def write() -> None:
            for n in range(200):
                q.put(n)

        def read() -> list[int]:
            return [q.get() for _ in range(200)]

        results = run_threads(write, write, read, read)
        assert sorted(results[2] + results[3]) == sorted([*range(200), *range(200)])


def testunsupported_it_says_what_it_needs() -> None:
    from fastprims._shm import unsupported

    with pytest.raises(NotImplementedError, match="ShmQueue is for Linux"):
        unsupported.ShmQueue()
    assert fastprims.ShmQueue is ShmQueue
