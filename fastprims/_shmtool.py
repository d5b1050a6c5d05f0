"""python -m fastprims shm ls | clean: the shared memory that ShmRings and ShmQueues have taken, and
what processes that were killed have left of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastprims._shm import ShmRing

__all__ = ["Segment", "main", "segments"]

FOLDER = Path("/dev/shm")
PREFIX = "fastprims."


@dataclass
class Segment:
    """A file of shared memory."""

    name: str
    owner: int
    inode: int
    users: list[int] = field(default_factory=list)
    """Processes that have mapped it."""
    trouble: str = ""
    """Why it cannot be attached to."""
    contents: str = ""

    @property
    def damaged(self) -> bool:
        return bool(self.trouble) and "PID namespace" not in self.trouble

    @property
    def unused(self) -> bool:
        """Nobody has it, as far as this process can see."""
        return not self.users and (not self.trouble or self.damaged)


def _mappings(pid: str) -> Iterator[int]:
    """Inodes of the shared memory that a process has mapped. (By name it cannot be told: a file
    that got its name after it was opened is shown without.)"""
    try:
        text = Path("/proc", pid, "maps").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # it has ended, or is another user's
        return
    for line in text.splitlines():
        if f"{FOLDER}/" in line:
            yield int(line.split(maxsplit=5)[4])


def _users() -> dict[int, list[int]]:
    """Processes by the inode of what they have mapped; this one left out."""
    found: dict[int, list[int]] = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        if int(pid) != os.getpid():
            for inode in set(_mappings(pid)):
                found.setdefault(inode, []).append(int(pid))
    return found


def _look_into(segment: Segment) -> None:
    try:
        ring = ShmRing.attach(segment.name, anyone=True)
    except (OSError, ValueError, RuntimeError) as error:
        segment.trouble = str(error)
        return
    state = ", shut down" if ring.is_shutdown else ""
    segment.contents = f"{ring.qsize()} records, {ring.lanes} lanes of {ring.capacity} bytes{state}"
    ring.close()


def segments(everybody: bool = False) -> list[Segment]:
    """This user's segments, or everybody's that may be read."""
    users = _users()
    found = []
    for file in sorted(FOLDER.glob(f"{PREFIX}*")):
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        if everybody or status.st_uid == os.geteuid():
            segment = Segment(file.name[len(PREFIX) :], status.st_uid, status.st_ino)
            segment.users = sorted(users.get(segment.inode, []))
            _look_into(segment)
            found.append(segment)
    return found


def _show(segment: Segment) -> str:
    users = f"used by {', '.join(map(str, segment.users))}" if segment.users else "unused"
    return f"{segment.name}  {users}  {segment.trouble or segment.contents}"


def _list(options: argparse.Namespace) -> int:
    for segment in segments(options.all):
        print(_show(segment))
    return 0


def _clean(options: argparse.Namespace) -> int:
    status = 0
    for segment in segments(options.all):
        if options.names and segment.name not in options.names:
            continue
        if not segment.unused or (segment.damaged and not options.damaged):
            print(f"kept     {_show(segment)}")
            continue
        file = FOLDER / (PREFIX + segment.name)
        try:
            # Nobody may have come since it was looked at, nor may it be another one by now.
            if file.lstat().st_ino != segment.inode or segment.inode in _users():
                print(f"kept     {_show(segment)}")
                continue
            if not options.dry_run:
                file.unlink()
        except OSError as error:
            print(f"kept     {segment.name}: {error}", file=sys.stderr)
            status = 1
            continue
        print(f"{'unused  ' if options.dry_run else 'removed '} {segment.name}")
    return status


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m fastprims shm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("ls", help="what there is, and who uses it")
    listing.set_defaults(run=_list)
    cleaning = commands.add_parser(
        "clean",
        help="remove what no process uses",
        description="Removes the segments that no process has mapped: their processes have ended "
        "without unlinking them. One that was made for a process to be started later counts as "
        "unused, too; one that was made in another PID namespace (container) does not.",
    )
    cleaning.add_argument("names", nargs="*", metavar="name", help="only these")
    cleaning.add_argument("--dry-run", action="store_true", help="only say which these are")
    cleaning.add_argument("--damaged", action="store_true", help="also those that are damaged")
    cleaning.set_defaults(run=_clean)
    for sub in (listing, cleaning):
        sub.add_argument("--all", action="store_true", help="other users', too")
    options = parser.parse_args(arguments)
    return int(options.run(options))
