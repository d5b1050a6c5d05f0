"""Who is a member of a segment, from the first handle to the end of the process's image: lanes and
order over several handles, exec, forks, PID namespaces, closed descriptors, other users; and what
questions change, which is nothing."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import shm_workers
from support.isolate import run_child, run_source
from support.threads import run_threads

if sys.platform != "linux":
    pytest.skip("ShmRing is for Linux", allow_module_level=True)

from fastprims import Empty, Full, ShmQueue, ShmRing

FOLDER = "/dev/shm/fastprims."
PATIENCE = 60.0

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(source: str, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """The output of a program, which has to end well."""
    done = subprocess.run(
        [*before, sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


# --- one process, several handles


def test_records_of_one_thread_come_in_order_over_all_handles() -> None:
    with ShmRing.create(capacity=4096) as ring:
        others = [ShmRing.attach(ring.name) for _ in range(3)]
        expected = []
        for n in range(60):
            expected.append(b"%d" % n)
            # Not by turns: a reader that takes turns with the lanes would find that order too.
            [ring, *others][n * n % 7 % 4].put(expected[-1])
            if n % 7 == 0:
                others[n % 3] = ShmRing.attach(ring.name)
        assert [ring.get() for _ in range(60)] == expected


def test_records_come_in_order_though_every_handle_is_closed_after_each() -> None:
    ring = ShmRing.create(capacity=4096)
    name, reader = ring.name, "from fastprims import ShmRing; print(ShmRing.attach({!r}).get())"
    try:
        ring.put(b"0")
        ring.close()
        run(f"from fastprims import ShmRing; ShmRing.attach({name!r}).put(b'others')")
        for n in (1, 2):
            with ShmRing.attach(name) as again:
                again.put(b"%d" % n)
        del ring, again
        got = [run(reader.format(name)) for _ in range(4)]
        assert [record for record in got if "others" not in record] == ["b'0'", "b'1'", "b'2'"]
    finally:
        os.unlink(FOLDER + name)


def test_threads_with_handles_of_their_own_keep_their_order() -> None:
    with ShmRing.create(capacity=1 << 16) as ring:

        def write(me: int) -> None:
            for n in range(300):
                with_own = ShmRing.attach(ring.name)
                with_own.put(bytes([me]) + n.to_bytes(4, "big"), timeout=PATIENCE)
                with_own.close()

        run_threads(*[lambda me=me: write(me) for me in range(3)])  # type: ignore[misc]
        last = [-1] * 3
        for _ in range(900):
            record = ring.get()
            number = int.from_bytes(record[1:], "big")
            assert number == last[record[0]] + 1
            last[record[0]] = number


@pytest.mark.parametrize("lanes", [3, 64])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_objects_of_a_pool_s_processes_come_in_order(method: str, lanes: int) -> None:
    """Each task unpickles the queue, and drops it."""
    last: dict[int, int] = defaultdict(lambda: -1)
    q = ShmQueue[tuple[int, int]](capacity=1 << 16, lanes=lanes)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        tasks = [pool.submit(shm_workers.put_own_number, q, n) for n in range(200)]
        for _ in range(200):
            pid, n = q.get(timeout=PATIENCE)
            assert n > last[pid]
            last[pid] = n
        for task in tasks:
            task.result(PATIENCE)
    q.close()


def test_a_reservation_is_the_process_s_whichever_handle_is_used() -> None:
    with ShmRing.create(capacity=4096) as ring:
        other = ShmRing.attach(ring.name)
        with ring.reserve(3) as view:
            with pytest.raises(RuntimeError, match="reservation"):
                other.put(b"x")
            view[:] = b"abc"
        other.put(b"x")
        assert [ring.get(), ring.get()] == [b"abc", b"x"]


# --- questions


def contents(name: str) -> tuple[bytes, int]:
    with open(FOLDER + name, "rb") as file:
        return file.read(), os.fstat(file.fileno()).st_blocks


def test_questions_change_nothing() -> None:
    with ShmRing.create(lanes=1, capacity=1 << 20) as ring, ShmQueue[int](name=None) as q:
        questions: list[Callable[[], object]] = []
        for one in (ring, q):
            questions += [one.qsize, one.empty, one.full, one.stats, one.__len__, one.__bool__]
            questions += [one.__repr__, lambda one=one: (one.closed, one.is_shutdown, one.name)]
            questions += [lambda one=one: (one.capacity, one.lanes, one.maxsize, one.max_item_size)]
        before = contents(ring.name), contents(q.name)
        for question in questions:
            question()
        assert (contents(ring.name), contents(q.name)) == before
        run(f"from fastprims import ShmRing; ShmRing.attach({ring.name!r}).put(b'x')")
        assert ring.get() == b"x"
        with ring.reserve(4):
            assert not ring.full()


def test_full_means_that_the_largest_record_finds_no_room() -> None:
    with ShmRing.create(capacity=4096, lanes=1) as ring:
        assert not ring.full()
        ring.put(bytes(ring.max_item_size))
        assert not ring.full()
        ring.put(b"x")
        assert ring.full()
        with pytest.raises(Full):
            ring.put_nowait(bytes(ring.max_item_size))
        ring.get_many(2)
        ring.close()
        with ShmRing.attach(ring.name) as other:
            assert not other.full()
            other.put_many([bytes(300)] * 14, block=False)
            assert other.full()


def test_full_without_a_lane_to_be_had() -> None:
    source = "import sys; from fastprims import ShmRing; print(ShmRing.attach(sys.argv[1]).full())"
    with ShmRing.create(capacity=4096, lanes=1) as ring:
        assert run(source, ring.name) == "False"
        ring.put(b"x")
        assert run(source, ring.name) == "True"


# --- exec


EXECUTES = """
import os, sys
from fastprims import ShmRing
ring, n = ShmRing.attach(sys.argv[1]), int(sys.argv[2])
ring.put(b"%d" % n)
if n == 6:
    view = ring.peek()
if n < 6:
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[3], sys.argv[1], str(n + 1), sys.argv[3]])
"""


def test_a_process_that_executes_another_program_leaves_its_lane() -> None:
    with ShmRing.create(capacity=4096, lanes=2) as ring:
        ring.put(b"mine")
        run(EXECUTES, ring.name, "0", EXECUTES)
        assert ring.get() == b"mine"
        assert [ring.get() for _ in range(7)] == [b"%d" % n for n in range(7)]


@pytest.mark.parametrize("holding", ["view = ring.peek()", "room = ring.reserve(9)"])
def test_a_process_that_executes_another_program_holds_nothing(holding: str) -> None:
    source = f"""
import os, sys
from fastprims import ShmRing
ring = ShmRing.attach(sys.argv[1])
ring.put(b"first"); ring.put(b"second")
{holding}
os.execv("/bin/sleep", ["sleep", "600"])
"""
    with (
        ShmRing.create(capacity=4096, lanes=1) as ring,
        subprocess.Popen([sys.executable, "-c", source, ring.name]) as process,
    ):
        try:
            state = Path(f"/proc/{process.pid}/stat")
            while "(sleep) S" not in state.read_text():  # it has come back from execv
                assert process.poll() is None
            assert ring.get(timeout=PATIENCE) == b"first"
            assert ring.get(timeout=PATIENCE) == b"second"
            ring.put(b"third", timeout=PATIENCE)
            assert ring.get() == b"third"
        finally:
            process.kill()


# --- forks


def fork_and_put(close_descriptors: bool, drop_privileges: bool) -> list[str]:
    import os

    from fastprims import ShmRing

    ring = ShmRing.create(capacity=4096, lanes=4)
    ring.put(b"parent")
    if close_descriptors:
        os.closerange(3, 256)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if drop_privileges:
                os.setgid(65534)
                os.setuid(65534)
            ring.put(b"child")
            code = 0 if ring.qsize() == 2 else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    names = os.listdir("/proc/self/fd")
    ring.put(b"parent again")
    got = sorted(ring.get(timeout=20).decode() for _ in range(3))
    ring.unlink()
    del ring
    assert len(os.listdir("/proc/self/fd")) <= len(names)
    return got


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("drop", [False, pytest.param(True, marks=as_root)])
def test_a_forked_child_is_a_member_of_its_own(closed: bool, drop: bool) -> None:
    assert run_child(fork_and_put, closed, drop) == ["child", "parent", "parent again"]


def test_a_daemon_that_closes_all_descriptors_is_alive() -> None:
    """Nor is another file that gets the number taken for the segment."""
    source = """
import os, sys, time
from fastprims import ShmRing
ring = ShmRing.attach(sys.argv[1])
view = ring.peek()
os.closerange(3, 256)
files = [open(os.devnull) for _ in range(20)]
os.mkdir(sys.argv[2])
time.sleep(600)
"""
    with ShmRing.create(capacity=4096, lanes=1) as ring:
        run(f"from fastprims import ShmRing; ShmRing.attach({ring.name!r}).put(b'held')")
        mark = FOLDER.replace("fastprims", "mark") + ring.name
        with subprocess.Popen([sys.executable, "-c", source, ring.name, mark]) as process:
            try:
                while not os.path.exists(mark):
                    assert process.poll() is None
                with pytest.raises(Empty):
                    ring.get(timeout=0.3)
            finally:
                process.kill()
                os.rmdir(mark)
        assert ring.get(timeout=PATIENCE) == b"held"


def descriptors_are_strangers() -> int:
    """The numbers of closed descriptors are other files': these are neither written to nor closed."""
    import os
    import tempfile

    from fastprims import ShmRing

    ring = ShmRing.create(capacity=4096)
    os.closerange(3, 64)
    files = [tempfile.TemporaryFile() for _ in range(20)]  # noqa: SIM115
    ring.put(b"x")
    other = ShmRing.attach(ring.name)
    assert other.get() == b"x"
    other.close()
    ring.unlink()
    del ring, other
    return sum(os.fstat(file.fileno()).st_size for file in files)


def test_another_file_with_our_descriptor_s_number_is_left_alone() -> None:
    assert run_child(descriptors_are_strangers) == 0


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_name_goes_when_a_process_of_multiprocessing_ends(method: str) -> None:
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=shm_workers.make_queue_and_end, args=(there,))
    process.start()
    name = here.recv()
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert not os.path.exists(FOLDER + name)


def test_the_name_stays_until_the_children_have_ended() -> None:
    """The queue is not dropped; the program just ends, and multiprocessing waits for the child."""
    run_source(
        """
import multiprocessing, time
from fastprims import ShmQueue

def attach_late(name, pipe):
    time.sleep(0.3)
    ShmQueue.attach(name).put(1)

if __name__ == "__main__":
    q = ShmQueue()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=attach_late, args=(q.name, None))
    child.start()
    import atexit, os
    def check():
        assert child.exitcode == 0, child.exitcode
    import multiprocessing.util
    multiprocessing.util.Finalize(None, check, exitpriority=-20)
""",
    )


# --- namespaces


IN_NAMESPACE = """
import os, sys
from fastprims import ShmRing
ring = ShmRing.attach(sys.argv[1])
for w in range(2):
    if os.fork() == 0:
        for i in range(4000):
            ring.put(bytes([w]) + i.to_bytes(4, "big"), timeout=50)
        os._exit(0)
for _ in range(2):
    assert os.wait()[1] == 0
"""


@as_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.parametrize("mount", [(), ("--mount-proc",)])
def test_processes_of_another_pid_namespace_are_members_as_all(mount: tuple[str, ...]) -> None:
    """With a /proc that is their parents', and with their own: their ids mean something else here."""
    command: list[Any] = ["unshare", "--pid", "--fork", *mount, sys.executable, "-c", IN_NAMESPACE]
    with ShmRing.create(capacity=4096, lanes=4) as ring:
        with subprocess.Popen([*command, ring.name]) as process:
            last = [-1, -1]
            for _ in range(8000):
                record = ring.get(timeout=PATIENCE)
                number = int.from_bytes(record[1:], "big")
                assert number == last[record[0]] + 1
                last[record[0]] = number
        assert process.returncode == 0
        assert ring.empty()
