"""python -m fastprims shm ls|clean. Always by name: what else is there is not the tests' to remove."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fastprims import ShmRing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is for Linux")

FOLDER = "/dev/shm/fastprims."


def run(*arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "fastprims", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def line_of(text: str, name: str) -> str:
    lines = [line for line in text.splitlines() if name in line.split()]
    assert len(lines) == 1, text
    return lines[0]


HOLDER = """
import sys, time
from fastprims import ShmRing
ring = ShmRing.create(capacity=4096)
ring.put(b"left")
print(ring.name, flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert name
        yield process, name
        process.kill()
    if os.path.exists(FOLDER + name):
        os.unlink(FOLDER + name)


def test_what_a_killed_process_has_left_is_removed(
    holder: tuple[subprocess.Popen[str], str],
) -> None:
    process, name = holder
    assert f"used by {process.pid}" in line_of(run("shm", "ls"), name)
    assert line_of(run("shm", "clean", name), name).startswith("kept")
    process.send_signal(signal.SIGSTOP)
    assert line_of(run("shm", "clean", name), name).startswith("kept")
    process.kill()
    process.wait()
    line = line_of(run("shm", "ls"), name)
    assert "unused" in line
    assert "1 records, 64 lanes of 4096 bytes" in line
    assert line_of(run("shm", "clean", "--dry-run", name), name).startswith("unused")
    assert os.path.exists(FOLDER + name)
    assert line_of(run("shm", "clean", name), name).startswith("removed")
    assert not os.path.exists(FOLDER + name)


def test_what_others_use_is_kept(holder: tuple[subprocess.Popen[str], str]) -> None:
    """The maker is dead, and somebody who has attached is not."""
    process, name = holder
    ring = ShmRing.attach(name)
    process.kill()
    process.wait()
    assert line_of(run("shm", "clean", name), name).startswith("kept")
    assert ring.get(timeout=60) == b"left"
    ring.put(b"more")


def test_what_is_damaged_is_kept_unless_asked_for() -> None:
    with ShmRing.create(capacity=4096) as ring:
        name = f"{ring.name}-damaged"
        with open(FOLDER + name, "wb") as file:
            file.write(b"nothing of ours")
        try:
            assert "not made by this version" in line_of(run("shm", "ls"), name)
            assert line_of(run("shm", "clean", name), name).startswith("kept")
            assert line_of(run("shm", "clean", "--damaged", name), name).startswith("removed")
        finally:
            if os.path.exists(FOLDER + name):
                os.unlink(FOLDER + name)
        assert os.path.exists(FOLDER + ring.name)
        assert name not in run("shm", "clean", "--dry-run", ring.name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_only_ones_own_unless_asked_for() -> None:
    ring = ShmRing.create(capacity=4096)
    name = ring.name
    os.chown(FOLDER + name, 12345, 12345)
    del ring
    try:
        assert name not in run("shm", "ls")
        assert name not in run("shm", "clean", name)
        assert "unused" in line_of(run("shm", "ls", "--all"), name)
    finally:
        os.unlink(FOLDER + name)


DAEMON = """
import os, sys, time
from fastprims import ShmRing
os.setgid(65534)
os.setuid(65534)
ring = ShmRing.create(sys.argv[1], 4096)
ring.put(b"work")
print("ready", flush=True)
time.sleep(600)
"""
CLEANER = """
import contextlib, io, os, sys
import fastprims._shm.tool as tool
with contextlib.redirect_stdout(io.StringIO()):
    # What it imports on the way may lie where only root may read.
    tool.main(["ls"])
    tool.main(["clean", "--dry-run", sys.argv[1]])
os.setgid(65534)
os.setuid(65534)
tool.main(["ls"])
tool.main(["clean", sys.argv[1]])
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_what_a_process_has_that_may_not_be_looked_into_is_kept() -> None:
    """It has dropped its privileges: its /proc/<pid>/maps is root's."""
    name = f"daemon-{os.getpid()}"
    command = [sys.executable, "-c", DAEMON, name]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                command[2] = CLEANER
                found = subprocess.check_output(command, text=True, timeout=60)
            finally:
                process.kill()
        assert all("used" in line for line in found.splitlines() if name in line)
        assert f"kept     {name}" in found
        assert os.path.exists(FOLDER + name)
        assert f"removed  {name}" in subprocess.check_output(command, text=True, timeout=60)
    finally:
        if os.path.exists(FOLDER + name):
            os.unlink(FOLDER + name)


def test_what_the_process_itself_has_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    from fastprims._shm import tool

    with ShmRing.create(capacity=4096) as ring:
        assert tool.main(["clean", ring.name]) == 0
        assert f"kept     {ring.name}" in capsys.readouterr().out
        assert os.path.exists(FOLDER + ring.name)


def test_what_came_after_the_look_is_kept() -> None:
    from fastprims._shm import ext

    ring = ShmRing.create(capacity=4096)
    inode = os.stat(FOLDER + ring.name).st_ino
    assert ext.is_used(ring.name)
    with pytest.raises(OSError, match="busy"):
        ext.remove_unused(ring.name, inode)
    name = ring.name
    del ring
    assert not ext.is_used(name)
    with pytest.raises(OSError):
        ext.remove_unused(name, inode + 1)
    ext.remove_unused(name, inode)
    assert not os.path.exists(FOLDER + name)
    assert ext.is_used(name)  # nobody can know


def test_a_segment_of_another_version_is_refused_and_said_to_be_so() -> None:
    with ShmRing.create(capacity=4096) as ring:
        with open(FOLDER + ring.name, "r+b") as file:
            file.seek(8)
            file.write((1).to_bytes(8, sys.byteorder))
        with pytest.raises(ValueError, match="not made by this version of fastprims"):
            ShmRing.attach(ring.name)


def test_usage() -> None:
    assert "usage" in run(status=2)
    assert "usage" in run("--help")
    assert "clean" in run("shm", "--help")
    assert "usage" in run("shm", "other", status=2)
