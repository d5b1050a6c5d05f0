"""What the collector shows to others is never what a call is in the middle of filling."""

from __future__ import annotations

import sys

import pytest
from support.isolate import run_child


def get_many_beside_the_collector() -> list[int]:
    import gc

    import fastprims

    chunk = 1 << 20
    q = fastprims.Queue()
    found = []

    def look(phase: str, info: object) -> None:
        for o in gc.get_objects(0):
            if type(o) is list and chunk <= len(o) < chunk + 100:  # not the finished one
                o.extend([None] * 1000)
                found.append(len(o))

    sizes = set()
    for allocated in range(4):  # the collector starts at one of the allocations to come
        q.put_many(range(chunk + 100))
        gc.collect()
        gc.callbacks.append(look)
        held: list[object] = [None] * 4
        gc.set_threshold(1)
        for n in range(allocated):
            held[n] = []
        items = q.get_many(1 << 22)
        gc.set_threshold(100_000)
        gc.callbacks.clear()
        sizes.add(len(items))
        assert items == list(range(chunk + 100))
    return [*sizes, len(found)]


def test_get_many_of_several_chunks_shows_no_list_in_between() -> None:
    assert run_child(get_many_beside_the_collector) == [(1 << 20) + 100, 0]


def put_many_beside_callbacks(options: dict[str, object]) -> list[int]:
    import gc

    import fastprims

    source = tuple(range(100_000, 100_777))

    def find(*args: object) -> int:
        for o in gc.get_objects():
            if type(o) is list and len(o) == len(source) and o[0] == source[0]:
                found.append(len(o))
                o.clear()
        return 1

    found: list[int] = []
    if options.pop("measured", False):
        options.update(max_item_size=1, size_of=find)
    channel = fastprims.BoundedChannel(
        1, overflow="drop_oldest", on_pressure=find, pressure_interval=0, **options
    )
    return [channel.put_many(source), channel.get(), *found]


@pytest.mark.parametrize("options", [{}, {"measured": True}, {"rate": 1e9}], ids=str)
def test_put_many_of_a_channel_shows_no_list_to_callbacks(options: dict[str, object]) -> None:
    assert run_child(put_many_beside_callbacks, options) == [777, 100_776]


def longer_while_buffers_are_taken() -> int:
    import gc

    import fastprims

    class Greedy:
        def __buffer__(self, flags: int) -> memoryview:
            for o in gc.get_objects():
                if type(o) is list and len(o) == 777 and type(o[0]) is Greedy:
                    o.extend([b"x"] * 100_000)
            return memoryview(b"greedy")

    with fastprims.ShmRing.create() as ring:
        return ring.put_many((Greedy(), *[b"x"] * 776))


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info < (3, 12), reason="__buffer__, shared memory"
)
def test_put_many_of_a_shm_ring_asks_no_more_buffers_than_it_has_room_for() -> None:
    assert run_child(longer_while_buffers_are_taken) == 777


def shorter_while_objects_are_unpickled() -> list[int]:
    import gc
    import sys

    import fastprims

    class Finder:
        def __reduce__(self) -> object:
            return find, ()

    def find() -> int:
        for o in gc.get_objects():
            if type(o) is list and len(o) == 77 and all(x is None or type(x) is int for x in o):
                o.clear()
        return 1

    sys.modules["__main__"].find = find  # type: ignore[attr-defined]
    find.__qualname__ = "find"
    with fastprims.ShmQueue() as q:
        q.put_many([Finder() for _ in range(77)])
        return [len(q.get_many(1000)), q.qsize()]


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory")
def test_get_many_of_a_shm_queue_shows_no_list_to_what_is_unpickled() -> None:
    assert run_child(shorter_while_objects_are_unpickled) == [77, 0]
