"""ShmRing in one process: the protocol, sizes, records in place, names, what is refused."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from queue import Empty, Full

import pytest
from support.threads import blocked, run_threads, spawn, wait_until

import fastprims
from fastprims import ItemTooLarge, ShmRing, ShutDown

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ShmRing is for Linux")

FOLDER = "/dev/shm/fastprims."


@pytest.fixture
def ring() -> Iterator[ShmRing]:
    with ShmRing.create(capacity=4096) as made:
        yield made


def record(number: int) -> bytes:
    return bytes([number % 256]) * (number * 37 % 2000)


def test_records_come_out_in_order_and_whole(ring: ShmRing) -> None:
    for number in range(500):
        ring.put(record(number))
        assert ring.get() == record(number)
    stored = 0
    while ring.try_put(record(stored)):
        stored += 1
    assert stored > 2
    assert [ring.get() for _ in range(stored)] == [record(n) for n in range(stored)]
    assert ring.try_get() is None


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 2039, 2040])
def test_every_size_up_to_the_limit(ring: ShmRing, size: int) -> None:
    assert ring.max_item_size == 2040
    for _ in range(20):
        item = os.urandom(size)
        ring.put(item)
        assert ring.get() == item


def test_get_many_takes_any_number_and_checks_its_time_out_first(ring: ShmRing) -> None:
    with fastprims.ShmQueue(capacity=4096) as queue:
        for q in (ring, queue):
            q.put(b"a")
            q.put(b"b")
            assert q.get_many(2**70, block=False) == [b"a", b"b"]
            assert q.get_many(0) == []
            for most in (0, 1):
                with pytest.raises(ValueError, match="non-negative"):
                    q.get_many(most, timeout=-1)
            with pytest.raises(ValueError, match="0 or more"):
                q.get_many(-1)


def test_one_byte_more_is_too_large(ring: ShmRing) -> None:
    for put in (ring.put, ring.put_nowait, ring.try_put, lambda x: ring.put_many([b"a", x])):
        with pytest.raises(ItemTooLarge, match="2041 bytes"):
            put(bytes(2041))
    with pytest.raises(ItemTooLarge):
        ring.reserve(2041)
    assert ring.empty()


def test_anything_with_a_buffer_is_an_item(ring: ShmRing) -> None:
    import array

    items = [bytearray(b"ab"), memoryview(b"cd"), array.array("H", [1, 2]), b""]
    assert ring.put_many(items) == 4
    assert ring.get_many(9) == [bytes(memoryview(item)) for item in items]
    for bad in ("text", 5, None, memoryview(b"abcdef")[::2]):
        with pytest.raises((TypeError, BufferError)):
            ring.put(bad)  # type: ignore[arg-type]
        with pytest.raises((TypeError, BufferError)):
            ring.put_many([b"good", bad])  # type: ignore[list-item]
    assert ring.empty()


def test_the_sizes_are_what_was_asked_for() -> None:
    with ShmRing.create(capacity=5000, max_item_size=100, lanes=3) as ring:
        assert (ring.capacity, ring.max_item_size, ring.lanes, ring.maxsize) == (8192, 100, 3, 0)
        with pytest.raises(ItemTooLarge):
            ring.put(bytes(101))
    with pytest.raises(ValueError, match="capacity of 8016 bytes or more"):
        ShmRing.create(capacity=4096, max_item_size=4000)
    for wrong in ({"capacity": 0}, {"lanes": 0}, {"max_item_size": -1}):
        with pytest.raises(ValueError, match="or more"):
            ShmRing.create(**wrong)  # type: ignore[arg-type]
    for wrong in ({"capacity": 1 << 40}, {"lanes": 5000}, {"max_item_size": 1 << 40}):
        with pytest.raises(OverflowError, match="or less"):
            ShmRing.create(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ShmRing.create(capacity=1.5)  # type: ignore[arg-type]


def test_time_outs(ring: ShmRing) -> None:
    began = time.monotonic()
    with pytest.raises(Empty):
        ring.get(timeout=0.05)
    assert time.monotonic() - began >= 0.05
    with pytest.raises(Empty):
        ring.get(block=False)
    with pytest.raises(Empty):
        ring.get_many(5, timeout=0)
    with pytest.raises(ValueError, match="non-negative"):
        ring.get(timeout=-1)
    while ring.try_put(bytes(500)):
        pass
    assert ring.full()
    for call, arg in ((ring.put, bytes(500)), (ring.reserve, 500)):
        with pytest.raises(Full):
            call(arg, timeout=0.01)
        with pytest.raises(Full):
            call(arg, block=False)
        with pytest.raises(ValueError, match="non-negative"):
            call(arg, timeout=-1)
    with pytest.raises(Full):
        ring.put_many([bytes(500)], timeout=0.01)


def test_put_many_says_how_many_fitted(ring: ShmRing) -> None:
    stored = ring.put_many([record(n) for n in range(100)], block=False)
    assert 2 < stored < 100
    assert ring.put_many([], block=False) == 0
    assert ring.get_many(1000) == [record(n) for n in range(stored)]
    assert ring.get_many(0) == []
    with pytest.raises(ValueError, match="0 or more"):
        ring.get_many(-1)


def test_put_many_reads_to_the_end_first(ring: ShmRing) -> None:
    def items() -> Iterator[bytes]:
        yield b"one"
        raise KeyError

    with pytest.raises(KeyError):
        ring.put_many(items())
    assert ring.empty()


def test_waiting_calls_are_woken(ring: ShmRing) -> None:
    getter = blocked(ring.get)
    ring.put(b"news")
    assert getter.result() == b"news"
    while ring.try_put(bytes(900)):
        pass
    putter = blocked(ring.put, b"late" * 200)
    while ring.get() != b"late" * 200:
        pass
    putter.result()


def test_put_many_waits_for_room_again_and_again(ring: ShmRing) -> None:
    items = [record(n) for n in range(300)]
    putter = blocked(ring.put_many, items)
    got: list[bytes] = []
    while len(got) < 300:
        got += ring.get_many(7)
    assert putter.result() == 300
    assert got == items


def test_shutdown_delivers_what_is_left() -> None:
    with ShmRing.create(capacity=4096) as ring, ShmRing.attach(ring.name) as other:
        waiting = blocked(other.get_many, 3)
        ring.put(b"a")
        assert waiting.result() == [b"a"]
        ring.put_many([b"b", b"c"])
        other.shutdown()
        assert ring.is_shutdown
        for put in (ring.put, ring.try_put, other.put_nowait):
            with pytest.raises(ShutDown):
                put(b"x")
        with pytest.raises(ShutDown):
            ring.put_many([b"x"])
        assert [ring.get(), other.get()] == [b"b", b"c"]
        for get in (ring.get, other.try_get, ring.get_nowait, ring.get_view):
            with pytest.raises(ShutDown):
                get()
        ring.shutdown()


def test_shutdown_at_once_drops_what_is_left(ring: ShmRing) -> None:
    ring.put(b"a")
    ring.shutdown(immediate=True)
    assert ring.qsize() == 0
    with pytest.raises(ShutDown):
        ring.get()


def test_shutdown_wakes_everybody() -> None:
    with ShmRing.create(capacity=4096) as ring:
        getters = [blocked(ring.get) for _ in range(3)]
        ring.shutdown()
        for getter in getters:
            with pytest.raises(ShutDown):
                getter.result()
    with ShmRing.create(capacity=4096) as ring:
        while ring.try_put(bytes(900)):
            pass
        putters = [blocked(ring.put, bytes(900)) for _ in range(3)]
        ring.shutdown()
        for putter in putters:
            with pytest.raises(ShutDown):
                putter.result()


def test_close_ends_this_object_only() -> None:
    with ShmRing.create(capacity=4096) as ring:
        other = ShmRing.attach(ring.name)
        other.put(b"kept")
        assert ring.get() == b"kept"
        waiting = blocked(other.get)
        other.close()
        other.close()
        assert other.closed
        with pytest.raises(ValueError, match="closed"):
            waiting.result()
        for call in (lambda: other.put(b""), other.get, other.try_get, lambda: other.reserve(1)):
            with pytest.raises(ValueError, match="closed"):
                call()
        assert not ring.closed
        ring.put(b"still")
        assert ring.get() == b"still"


def test_a_lane_is_free_again_after_the_last_close() -> None:
    other = "import sys; from fastprims import ShmRing; ShmRing.attach(sys.argv[1]).put(b'other')"
    command = [sys.executable, "-c", other]
    with ShmRing.create(capacity=4096, lanes=1) as ring:
        ring.put(b"1")
        second = ShmRing.attach(ring.name)
        second.put(b"2")
        second.close()
        del second
        gc.collect()
        done = subprocess.run([*command, ring.name], capture_output=True, text=True, timeout=60)
        assert "all 1 lanes belong to living processes" in done.stderr
        assert [ring.get(), ring.get()] == [b"1", b"2"]
        ring.close()
        subprocess.run([*command, ring.name], check=True, timeout=60)
        with ShmRing.attach(ring.name) as again:
            again.put(b"3")
            assert [again.get(), again.get()] == [b"other", b"3"]


def test_a_reservation_closed_in_the_middle_can_be_completed(ring: ShmRing) -> None:
    other = ShmRing.attach(ring.name)
    with other.reserve(3) as view:
        other.close()
        view[:] = b"abc"
    assert ring.get() == b"abc"


# --- records in place


def test_reserve_writes_in_place(ring: ShmRing) -> None:
    with ring.reserve(5) as view:
        assert not view.readonly
        assert len(view) == 5
        view[:] = b"hello"
        assert ring.empty()
    assert ring.get() == b"hello"
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    reservation = ring.reserve(100)
    memoryview(reservation)[:3] = b"abc"
    reservation.commit(3)
    assert ring.get() == b"abc"
    with pytest.raises(ValueError, match="ended"):
        reservation.commit()
    with pytest.raises(BufferError):
        memoryview(reservation)
    reservation.abort()


def test_reserve_left_by_an_exception_stores_nothing(ring: ShmRing) -> None:
    with pytest.raises(KeyError), ring.reserve(5) as view:
        view[:] = b"hello"
        raise KeyError
    assert ring.empty()
    ring.put(b"next")
    assert ring.get() == b"next"


def test_a_reservation_that_is_dropped_stores_nothing(ring: ShmRing) -> None:
    reservation = ring.reserve(5)
    with pytest.raises(RuntimeError, match="has a reservation"):
        ring.put(b"x")
    with pytest.raises(OverflowError, match="5 or less"):
        reservation.commit(6)
    del reservation
    gc.collect()
    ring.put(b"x")
    assert ring.get() == b"x"


def test_other_threads_wait_for_a_reservation(ring: ShmRing) -> None:
    with ring.reserve(5) as view:
        view[:] = b"first"
        putter = blocked(ring.put, b"second")
        assert run_threads(lambda: ring.try_put(b"third")) == [False]
    putter.result()
    assert [ring.get(), ring.get()] == [b"first", b"second"]


def test_get_view_takes_when_left(ring: ShmRing) -> None:
    ring.put_many([b"one", b"two"])
    with ring.get_view() as view:
        assert view.readonly
        assert bytes(view) == b"one"
        with pytest.raises(TypeError):
            view[0] = 1
    with pytest.raises(ValueError, match="released"):
        bytes(view)
    with pytest.raises(KeyError), ring.get_view():
        raise KeyError
    with ring.peek() as view:
        assert bytes(view) == b"two"
    held = ring.peek()
    assert bytes(held) == b"two"
    held.accept()
    held.reject()
    with pytest.raises(ValueError, match="ended"):
        held.accept()
    assert ring.empty()


def test_a_view_that_is_dropped_takes_nothing(ring: ShmRing) -> None:
    ring.put(b"one")
    held = ring.get_view()
    assert ring.try_get() is None
    del held
    gc.collect()
    assert ring.get() == b"one"


@pytest.mark.parametrize("way", ["view", "reservation"])
def test_memory_in_use_is_not_given_up(ring: ShmRing, way: str) -> None:
    """A slice that outlives the block would show other records later, or overwrite them."""
    if way == "view":
        ring.put(b"one")
    span = ring.get_view() if way == "view" else ring.reserve(3)
    with pytest.raises(BufferError, match="still uses"), span as view:
        kept = view[1:]
    assert len(kept) == 2
    assert ring.qsize() == int(way == "view")
    kept.release()
    del span, view
    gc.collect()
    if way == "view":
        assert ring.get() == b"one"
    ring.put(b"two")
    assert ring.get() == b"two"


def test_a_view_keeps_the_memory_of_a_ring_that_has_gone() -> None:
    ring = ShmRing.create(capacity=4096)
    ring.put(b"one")
    ring.unlink()
    held = ring.get_view()
    view = memoryview(held)
    del ring, held
    gc.collect()
    assert bytes(view) == b"one"


def test_classes_of_spans_are_not_made_by_hand() -> None:
    for cls in (fastprims.ShmView, fastprims.ShmReservation):
        with pytest.raises(TypeError, match="methods of ShmRing"):
            cls()
    with pytest.raises(TypeError, match=r"ShmRing\.create"):
        ShmRing()
    bare = ShmRing.__new__(ShmRing)
    assert "not made" in repr(bare)
    for call in (bare.get, bare.qsize, bare.full, bare.unlink, lambda: bare.put(b"")):
        with pytest.raises(RuntimeError, match="was not made"):
            call()
    bare.close()


# --- names and files


def test_names(ring: ShmRing) -> None:
    with pytest.raises(FileExistsError):
        ShmRing.create(ring.name)
    assert os.stat(FOLDER + ring.name).st_mode & 0o777 == 0o600
    for bad in ("", "a/b", "n" * 201, "a\0b"):
        with pytest.raises(ValueError, match="is no name"):
            ShmRing.create(bad)
    with pytest.raises(TypeError):
        ShmRing.attach(5)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        ShmRing.attach(ring.name + "-not")
    named = ShmRing.create(ring.name + "-é", capacity=1)
    assert ShmRing.attach(named.name).capacity == 4096
    assert named.name in repr(named)
    named.unlink()
    with pytest.raises(FileNotFoundError):
        named.unlink()
    named.put(b"the memory is there")
    assert named.get() == b"the memory is there"


def test_the_maker_unlinks_when_its_block_ends() -> None:
    with ShmRing.create(capacity=4096) as ring:
        with ShmRing.attach(ring.name):
            pass
        assert os.path.exists(FOLDER + ring.name)
    assert not os.path.exists(FOLDER + ring.name)
    with ShmRing.create(capacity=4096) as ring:
        ring.unlink()


def test_a_copy_is_another_object_of_the_same_ring(ring: ShmRing) -> None:
    for other in (pickle.loads(pickle.dumps(ring)), copy.copy(ring)):
        other.put(b"x")
        assert ring.get() == b"x"
        assert other.name == ring.name


def test_a_subclass(ring: ShmRing) -> None:
    class Mine(ShmRing):
        pass

    other = Mine.attach(ring.name)
    other.note = 5
    other.put(b"x")
    assert ring.get() == b"x"
    assert type(Mine.attach(ring.name)) is Mine


def test_what_is_no_ring_is_refused(ring: ShmRing) -> None:
    name = ring.name + "-broken"
    path = FOLDER + name
    with open(FOLDER + ring.name, "rb") as file:
        image = file.read()
    try:
        for content in (b"", b"short", bytes(100000), image[:-1], image + b"\0", image[:4096]):
            with open(path, "wb") as file:
                file.write(content)
            with pytest.raises(ValueError, match=r"damaged|not made"):
                ShmRing.attach(name)
        os.unlink(path)
        os.mkdir(path)
        with pytest.raises(OSError, match="."):
            ShmRing.attach(name)
        os.rmdir(path)
        os.symlink(FOLDER + ring.name, path)
        with pytest.raises(OSError, match="."):
            ShmRing.attach(name)
        os.unlink(path)
    finally:
        if os.path.lexists(path):
            os.unlink(path)


def test_records_that_lie_are_refused(ring: ShmRing) -> None:
    """The length of the record is damaged, as a process that went wild would do."""
    ring.put(b"x" * 16)
    with open(FOLDER + ring.name, "r+b") as file:
        image = file.read()
        at = image.index(b"x" * 16) - 8
        for length in (2041, 1 << 40, (1 << 64) - 1):
            file.seek(at)
            file.write(length.to_bytes(8, sys.byteorder))
            file.flush()
            with pytest.raises(RuntimeError, match="damaged"):
                ring.get()
        file.seek(at)
        file.write((16).to_bytes(8, sys.byteorder))
    assert ring.get() == b"x" * 16


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_what_belongs_to_others_is_refused_unless_asked_for(ring: ShmRing) -> None:
    os.chown(FOLDER + ring.name, 12345, 12345)
    with pytest.raises(PermissionError, match="anyone=True"):
        ShmRing.attach(ring.name)
    other = ShmRing.attach(ring.name, anyone=True)
    other.put(b"x")
    assert pickle.loads(pickle.dumps(other)).get() == b"x"


def test_size_and_stats(ring: ShmRing) -> None:
    assert ring.empty()
    assert bool(ring)
    ring.put_many([b"", b"", b""])
    assert ring.qsize() == len(ring) == ring.stats().size == 3
    ring.get()
    assert ring.qsize() == 2
    assert not ring.full()
    assert ring.stats().get_waits == 0
    ring.get_many(2)
    with pytest.raises(Empty):
        ring.get(timeout=0.01)
    assert ring.stats().get_waits == 1


# --- threads


def test_threads_of_one_process_share_the_lane(ring: ShmRing) -> None:
    each, writers = 300, 3
    got: list[list[bytes]] = []
    lock = threading.Lock()

    def write(who: int) -> None:
        for number in range(each):
            ring.put(bytes([who]) + number.to_bytes(2, "big") + bytes(number % 300))

    def read() -> None:
        mine = []
        try:
            while True:
                mine += ring.get_many(3) if len(mine) % 2 else [ring.get()]
        except ShutDown:
            with lock:
                got.append(mine)

    def finish() -> None:
        wait_until(lambda: all(not writer.running for writer in tasks), "the writers")
        ring.shutdown()

    tasks = [spawn(write, who) for who in range(writers)]
    run_threads(read, read, finish)
    for task in tasks:
        task.result()
    flat = [item for mine in got for item in mine]
    assert sorted(item[:3] for item in flat) == sorted(
        bytes([who]) + number.to_bytes(2, "big") for who in range(writers) for number in range(each)
    )
    for mine in got:
        for who in range(writers):
            numbers = [item[1:3] for item in mine if item[0] == who]
            assert numbers == sorted(numbers)
    assert all(len(item) == 3 + int.from_bytes(item[1:3], "big") % 300 for item in flat)


def test_a_large_record_is_copied_without_the_gil() -> None:
    with ShmRing.create(capacity=1 << 22) as ring:
        large = os.urandom(1 << 20)
        ring.put(large)
        assert ring.get() == large
        putter = blocked(ring.put_many, [large] * 10)
        assert [ring.get() == large for _ in range(10)] == [True] * 10
        assert putter.result() == 10


def testunsupported_the_classes_say_what_they_need() -> None:
    from fastprims._shm import unsupported

    for call in (unsupported.ShmRing, unsupported.ShmRing.create, unsupported.ShmRing.attach):
        with pytest.raises(NotImplementedError, match=r"ShmRing is for Linux"):
            call("name")


def test_threads_that_end_a_reservation_at_once_end_it_once() -> None:
    """The memoryview of its `with` block was a plain attribute, read and cleared by all."""
    with fastprims.ShmRing.create(capacity=4096) as ring:
        for _ in range(100):
            reservation = ring.reserve(8)
            reservation.__enter__()
            run_threads(*[reservation.abort] * 3)
        assert ring.try_put(b"x"), "the room is free again"
