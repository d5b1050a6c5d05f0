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


def test_usage() -> None:
    assert "usage" in run(status=2)
    assert "usage" in run("--help")
    assert "clean" in run("shm", "--help")
    assert "usage" in run("shm", "other", status=2)
