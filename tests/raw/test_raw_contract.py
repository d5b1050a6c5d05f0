"""fastprims.raw: the queue protocol, the values, the errors."""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import threading
import weakref
from array import array
from queue import Empty, Full
from typing import Any

import pytest
from support.rawrings import WORDS, RawKind, on_all, on_roles, on_words, raw
from support.threads import blocked, run_threads, spawn

import fastprims
from fastprims import ItemTooLarge, ShutDown

TOP = 2**64 - 1


def taken(call: Any, *arguments: Any) -> Any:
    """The result, on another thread."""
    return spawn(call, *arguments).result()


@on_all
def test_items_come_out_in_order(kind: RawKind) -> None:
    ring = kind.make(4)
    for lap in range(5):
        items = [kind.item(n) for n in range(lap, lap + 4)]
        for item in items:
            ring.put(item)
        assert [ring.get() for _ in items] == items
    assert ring.qsize() == len(ring) == 0 and ring.empty() and ring


@on_all
def test_the_bound_is_exact(kind: RawKind) -> None:
    for capacity in (2, 4, 8):
        ring = kind.make(capacity)
        for n in range(capacity):
            assert ring.try_put(kind.item(n)) is True
        assert ring.try_put(kind.item(99)) is False
        assert ring.qsize() == capacity
        with pytest.raises(Full):
            ring.put_nowait(kind.item(99))
        with pytest.raises(Full):
            ring.put(kind.item(99), timeout=0.001)
        assert ring.get_many(99) == [kind.item(n) for n in range(capacity)]


@on_words
@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 1000])
def test_words_have_any_capacity(kind: RawKind, capacity: int) -> None:
    ring = kind.cls(capacity)
    assert ring.maxsize == capacity and not ring.full()
    assert ring.put_many(range(2 * capacity), block=False) == capacity
    assert ring.full()
    assert ring.get_many(10**9) == list(range(capacity))


@on_all
def test_an_empty_ring_says_so(kind: RawKind) -> None:
    ring = kind.make(2)
    assert ring.try_get() is None
    assert ring.try_get("default") == "default"
    for call in (
        ring.get_nowait,
        lambda: ring.get(timeout=0),
        lambda: ring.get(timeout=0.001),
        lambda: ring.get_many(3, block=False),
        lambda: ring.get_many(3, timeout=0.001),
    ):
        with pytest.raises(Empty):
            call()
    assert ring.get_many(0) == []


@on_words
@pytest.mark.parametrize("word", [0, 1, 2**63 - 1, 2**63, TOP])
def test_every_word_is_an_item(kind: RawKind, word: int) -> None:
    ring = kind.cls(1)
    ring.put(word)
    assert ring.get() == word
    assert ring.put_many([word]) == 1
    assert ring.get_many(1) == [word]


@on_words
def test_what_is_no_word_is_refused(kind: RawKind) -> None:
    ring = kind.cls(8)
    for bad, error in [
        (-1, OverflowError),
        (2**64, OverflowError),
        ("1", TypeError),
        (None, TypeError),
    ]:
        with pytest.raises(error):
            ring.put(bad)
        with pytest.raises(error):
            ring.try_put(bad)
        with pytest.raises(error):
            ring.put_many([1, bad])
    with pytest.raises(TypeError):
        ring.put_many(7)
    with pytest.raises(ZeroDivisionError):
        ring.put_many(1 // (1 - n) for n in range(3))
    assert ring.qsize() == 0


@on_words
def test_a_buffer_of_words_is_stored_as_it_is(kind: RawKind) -> None:
    ring = kind.cls(8)
    words = array("Q", [1, TOP, 3])
    assert ring.put_many(words) == 3
    assert ring.put_many(memoryview(words)[1:]) == 2
    assert ring.put_many(b"\x01\x02") == 2  # bytes are numbers, one each
    assert ring.get_many(9) == [1, TOP, 3, TOP, 3, 1, 2]


def test_records_of_every_size() -> None:
    ring = raw.SPSCBytes(512)
    assert (ring.room, ring.max_item_size) == (512, 248)
    for size in [*range(249), *range(248, -1, -1)]:
        record = bytes(n * size % 251 for n in range(size))
        ring.put(record)
        assert ring.get() == record


def test_records_are_anything_with_a_buffer() -> None:
    ring = raw.SPSCBytes(512)
    numbers = array("d", [1.5, 2.5])
    for record in (b"bytes", bytearray(b"array"), memoryview(b"-view-")[1:-1], numbers):
        ring.put(record)
    assert ring.get_many(9) == [b"bytes", b"array", b"view", numbers.tobytes()]
    for bad in ("text", 7, None, [1]):
        with pytest.raises(TypeError):
            ring.put(bad)
        with pytest.raises(TypeError):
            ring.put_many([b"before", bad])
        assert ring.get() == b"before"
    with pytest.raises((BufferError, ValueError)):
        ring.put(memoryview(b"every other")[::2])
    assert ring.empty()


def test_too_large_a_record_is_refused() -> None:
    ring = raw.SPSCBytes(512, max_item_size=10)
    ring.put(b"0123456789")
    with pytest.raises(ItemTooLarge, match=r"11 bytes.*max_item_size=10"):
        ring.put(b"01234567890")
    with pytest.raises(ItemTooLarge):
        ring.try_put(bytes(600))
    assert ring.get_many(5) == [b"0123456789"]


def test_get_into_copies_the_record() -> None:
    ring = raw.SPSCBytes(512)
    ring.put_many([b"first", b"second", b""])
    buffer = bytearray(b"........")
    assert ring.get_into(buffer) == 5 and buffer == b"first..."
    with pytest.raises(ValueError, match="6 bytes, the buffer 3"):
        ring.get_into(bytearray(3))
    with pytest.raises(TypeError, match="writable"):
        ring.get_into(bytes(9))
    assert ring.get_into(memoryview(buffer)[2:]) == 6 and buffer == b"fisecond"
    assert ring.get_into(bytearray()) == 0
    with pytest.raises(Empty):
        ring.get_into(buffer, timeout=0.001)
    ring.shutdown()
    with pytest.raises(ShutDown):
        ring.get_into(buffer)


@pytest.mark.parametrize("cls", [*(kind.cls for kind in WORDS), raw.SPSCBytes])
def test_sizes_are_checked(cls: Any) -> None:
    for bad, error in [(0, ValueError), (-1, ValueError), ("8", TypeError), (2.0, TypeError)]:
        with pytest.raises(error, match="1 or more|must be an integer"):
            cls(bad)
    with pytest.raises(OverflowError, match="more than memory can hold"):
        cls(2**70)


def test_geometry_of_bytes_is_checked() -> None:
    assert raw.SPSCBytes(1).room == 32
    assert raw.SPSCBytes(33).room == 64
    with pytest.raises(ValueError, match="room=66 or more"):
        raw.SPSCBytes(64, max_item_size=25)
    with pytest.raises(ValueError):
        raw.SPSCBytes(64, max_item_size=0)


@on_words
def test_no_memory_is_an_error(kind: RawKind) -> None:
    with pytest.raises(MemoryError):
        kind.cls(2**58)


@on_all
def test_time_outs_are_checked(kind: RawKind) -> None:
    ring = kind.make(2)
    ring.put(kind.item(1))
    for call in (
        lambda t: ring.get(timeout=t),
        lambda t: ring.put(kind.item(1), timeout=t),
        lambda t: ring.get_many(2, timeout=t),
        lambda t: ring.put_many([kind.item(1)], timeout=t),
    ):
        with pytest.raises(ValueError):
            call(-1)
        with pytest.raises(ValueError):
            call(float("nan"))
        with pytest.raises(OverflowError):
            call(1e10)
        with pytest.raises(TypeError):
            call("1")
    assert ring.get_many(9) == [kind.item(1)]
    with pytest.raises(ValueError):
        ring.get_many(-1)
    with pytest.raises(TypeError):
        ring.get_many("1")


@on_all
def test_a_wait_ends_with_the_item(kind: RawKind) -> None:
    ring = kind.make(2)
    getter = blocked(ring.get)
    ring.put(kind.item(7))
    assert getter.result() == kind.item(7)
    ring = kind.make(2)
    ring.put_many([kind.item(1), kind.item(2)])
    if kind.roles:
        ring.release_producer()
    putter = blocked(ring.put, kind.item(3))
    assert ring.get() == kind.item(1)
    putter.result()
    assert ring.get_many(9) == [kind.item(2), kind.item(3)]


@on_all
def test_batches_wait_for_the_first_and_for_room(kind: RawKind) -> None:
    ring = kind.make(2)
    items = [kind.item(n) for n in range(7)]
    batch = spawn(ring.put_many, items)
    got: list[Any] = []
    while len(got) < 7:
        got += ring.get_many(3)
    assert got == items and batch.result() == 7
    if kind.roles:
        ring.release_producer(force=True)  # its thread has ended
        ring.release_consumer()
    getter = blocked(ring.get_many, 9)
    ring.put(kind.item(1))
    assert getter.result() == [kind.item(1)]


@on_all
def test_a_batch_that_runs_out_of_time_says_how_much(kind: RawKind) -> None:
    ring = kind.make(4)
    items = [kind.item(n) for n in range(7)]
    assert ring.put_many(items, timeout=0.01) == 4
    with pytest.raises(Full):
        ring.put_many(items, timeout=0.01)
    assert ring.get_many(9) == items[:4]


@on_all
def test_shutdown_delivers_what_is_left(kind: RawKind) -> None:
    ring = kind.make(2)
    ring.put(kind.item(1))
    assert not ring.is_shutdown
    ring.shutdown()
    ring.shutdown()
    assert ring.is_shutdown and "shut down" in repr(ring)
    for call in (ring.put, ring.try_put, ring.put_nowait, lambda item: ring.put_many([item])):
        with pytest.raises(ShutDown):
            call(kind.item(2))
    assert ring.get() == kind.item(1)
    for call in (ring.get, ring.try_get, ring.get_nowait, lambda: ring.get_many(2)):
        with pytest.raises(ShutDown):
            call()


@on_all
def test_shutdown_at_once_drops_what_is_left(kind: RawKind) -> None:
    ring = kind.make(2)
    ring.put(kind.item(1))
    ring.shutdown(immediate=True)
    with pytest.raises(ShutDown):
        ring.get()
    with pytest.raises(ShutDown):
        taken(ring.get)


@on_all
def test_shutdown_wakes_both_sides(kind: RawKind) -> None:
    full, empty = kind.make(2), kind.make(2)
    full.put_many([kind.item(1), kind.item(2)])
    kind.hand_over(full)
    waiting = [blocked(full.put, kind.item(3)), blocked(empty.get)]
    for ring in (full, empty):
        ring.shutdown()
    for task in waiting:
        with pytest.raises(ShutDown):
            task.result()


@on_roles
def test_roles_belong_to_threads(kind: RawKind) -> None:
    ring = kind.make(4)
    ring.put(kind.item(1))
    with pytest.raises(RuntimeError, match="release_producer"):
        taken(ring.put, kind.item(2))
    with pytest.raises(RuntimeError, match="only its owner"):
        taken(ring.release_producer)
    ring.release_producer()
    ring.release_producer()
    taken(ring.put, kind.item(2))
    with pytest.raises(RuntimeError):
        ring.put(kind.item(3))
    ring.release_producer(force=True)
    ring.put(kind.item(3))
    assert ring.get_many(9) == [kind.item(n) for n in (1, 2, 3)]
    with pytest.raises(RuntimeError):
        taken(ring.get)
    ring.release_consumer()
    with pytest.raises(Empty):
        taken(ring.get_nowait)


@on_all
def test_stats_count(kind: RawKind) -> None:
    ring = kind.make(2)
    ring.put_many([kind.item(1), kind.item(2)])
    with pytest.raises(Full):
        ring.put(kind.item(3), timeout=0.001)
    ring.get()
    stats = ring.stats()
    assert (stats.puts, stats.gets, stats.size) == (2, 1, 1)
    assert stats.put_waits >= 1 and stats.get_waits == 0
    assert stats.maxsize == (2 if kind.words else ring.room // 8)


@on_all
def test_manners(kind: RawKind) -> None:
    ring = kind.make(2)
    assert kind.name in repr(ring) and "size=0" in repr(ring)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle or copy"):
            attempt(ring)
    alive = weakref.ref(ring)
    ring.myself = ring
    del ring
    gc.collect()
    assert alive() is None


@on_all
def test_a_reference_of_c_code_outlives_the_object(kind: RawKind) -> None:
    prefix = "fastprims_ring" if kind.words else "fastprims_bytes"
    ring = kind.make(2)
    ring.put(kind.item(7))
    kind.hand_over(ring)
    handle = getattr(raw.lib, f"{prefix}_retain")(ring.handle)
    del ring
    gc.collect()
    if kind.words:
        word = raw.ffi.new("uint64_t *")
        assert raw.lib.fastprims_ring_get(handle, word, 0) == raw.lib.FASTPRIMS_OK
        assert word[0] == 7
    else:
        data, size = raw.ffi.new("char[8]"), raw.ffi.new("size_t *")
        status = raw.lib.fastprims_bytes_get(handle, data, 8, size, 0)
        assert status == raw.lib.FASTPRIMS_OK
        assert bytes(raw.ffi.buffer(data)) == kind.item(7)
    getattr(raw.lib, f"{prefix}_release")(handle)


@on_words
def test_ctypes_has_the_same_ring(kind: RawKind) -> None:
    ring = kind.cls(4)
    c = ctypes.CDLL(raw.library)
    c.fastprims_ring_put.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64)
    c.fastprims_ring_get.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_uint64),
        ctypes.c_int64,
    )
    assert c.fastprims_ring_put(ring.address, TOP, 0) == 0
    assert ring.get() == TOP
    ring.put(5)
    word = ctypes.c_uint64()
    assert c.fastprims_ring_get(ring.address, ctypes.byref(word), -1) == 0
    assert word.value == 5
    if kind.roles:  # the same threads have the same roles, whichever way they come
        with pytest.raises(RuntimeError):
            taken(ring.put, 1)


def test_subclasses_are_rings() -> None:
    class Named(raw.MPMCWords):
        def __init__(self, name: str) -> None:
            super().__init__(2)
            self.name = name

    ring = Named("a")
    ring.put(1)
    assert ring.get() == 1 and "Named" in repr(ring)


def test_rings_have_real_atomics_whatever_the_interpreter() -> None:
    assert raw.lib.fastprims_api_version() == 1
    assert isinstance(raw.lib.fastprims_is_lock_free(), bool)
    if fastprims.build_info()["mpmc"] == "16-byte compare-and-swap":
        assert raw.lib.fastprims_is_lock_free()


@on_all
@pytest.mark.parametrize("capacity", [2, 64])
def test_threads_lose_nothing(kind: RawKind, capacity: int, scale: Any) -> None:
    ring = kind.make(capacity)
    sides = 1 if kind.roles else 3
    count = scale(3000)

    def produce(first: int) -> list[Any]:
        for n in range(first, first + count):
            if n % 3:
                ring.put(kind.item(n))
            else:
                assert ring.put_many([kind.item(n)]) == 1
        return []

    def consume() -> list[Any]:
        got: list[Any] = []
        try:
            while True:
                got.append(ring.get())
                got += ring.get_many(5)
        except ShutDown:
            return got

    takers = [spawn(consume) for _ in range(sides)]
    run_threads(*(lambda i=i: produce(i << 32) for i in range(sides)))
    ring.shutdown()
    received = [[kind.number(item) for item in taker.result()] for taker in takers]
    everything = sorted(n for got in received for n in got)
    assert everything == [(i << 32) + n for i in range(sides) for n in range(count)]
    for got in received:
        for producer in range(sides):
            own = [n for n in got if n >> 32 == producer]
            assert own == sorted(own)


def test_a_hundred_threads_at_each_end(scale: Any) -> None:
    ring = raw.MPMCWords(3)
    each = scale(30)
    sums = [0] * 100
    start = threading.Barrier(200)

    def produce(n: int) -> None:
        start.wait(60)
        for _ in range(each):
            ring.put(n)

    def consume(n: int) -> None:
        start.wait(60)
        for _ in range(each):
            sums[n] += ring.get()

    run_threads(
        *(lambda n=n: produce(n) for n in range(100)),
        *(lambda n=n: consume(n) for n in range(100)),
    )
    assert sum(sums) == each * sum(range(100)) and ring.empty()
