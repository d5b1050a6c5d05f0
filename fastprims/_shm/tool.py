"""python -m fastprims shm ls | clean: the shared memory of ShmRings and ShmQueues, and segments
that killed processes have left behind."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fastprims._shm.ext import ShmRing, is_used, remove_unused

__all__ = ["Segment", "main", "segments"]

FOLDER = Path("/dev/shm")
PREFIX = "fastprims."
MAGIC = b"fstpirpm"


@dataclass
class Segment:
    """A file of shared memory."""

    name: str
    owner: int
    inode: int
    used: bool
    """True if the kernel says that a process has it, of whatever user or PID namespace; or if that
    cannot be known."""
    users: list[int] = field(default_factory=list)
    """The ids of these processes, as far as this process may look into them."""
    trouble: str = ""
    """Why attaching to it fails; "" if it does not."""
    contents: str = ""


class _Users:
    """The processes, by the inode of the shared memory that they have mapped."""

    def __init__(self) -> None:
        self.of: dict[int, list[int]] = {}
        self.hidden: set[int] = set()
        """The owners of the processes that this process may not look into."""
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                for inode in _mappings(pid):
                    self.of.setdefault(inode, []).append(int(pid))
            except PermissionError:
                self.hidden |= _uids(pid)
            except OSError:  # it has ended
                pass


def _mappings(pid: str) -> set[int]:
    """The inodes of the shared memory that a process has mapped. (Names would not do: a file that
    got its name after it was opened is shown without one.)"""
    text = Path("/proc", pid, "maps").read_text(encoding="utf-8", errors="surrogateescape")
    return {int(x.split(maxsplit=5)[4]) for x in text.splitlines() if f"{FOLDER}/" in x}


def _uids(pid: str) -> set[int]:
    try:
        text = Path("/proc", pid, "status").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return set()
    return {int(u) for x in text.splitlines() if x.startswith("Uid:") for u in x.split()[1:]}


def _is_segment(file: Path) -> bool:
    """True if a version of this library has made it, or if that cannot be known."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return True  # perhaps
    with os.fdopen(fd, "rb") as content:
        return content.read(len(MAGIC)) == MAGIC


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
    """This user's segments, or those of all users that may be read."""
    users = _Users()
    found = []
    for file in sorted(FOLDER.glob(f"{PREFIX}*")):
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        if everybody or status.st_uid == os.geteuid():
            name = file.name[len(PREFIX) :]
            segment = Segment(name, status.st_uid, status.st_ino, is_used(name))
            segment.users = sorted(users.of.get(segment.inode, []))
            _look_into(segment)  # makes this process one more user, for a moment
            # Another version of this library may not have told the kernel which processes use it.
            unknown = segment.trouble and segment.owner in users.hidden and _is_segment(file)
            segment.used = bool(segment.used or segment.users or unknown)
            found.append(segment)
    return found


def _show(segment: Segment) -> str:
    users = "unused"
    if segment.users:
        users = f"used by {', '.join(map(str, segment.users))}"
    elif segment.used:
        users = "used, perhaps, by processes that cannot be looked into"
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
        if segment.used or (segment.trouble and not options.damaged):
            print(f"kept     {_show(segment)}")
            continue
        try:
            if not options.dry_run:
                remove_unused(segment.name, segment.inode)
        except OSError as error:
            if error.errno == errno.EBUSY:  # a process has attached since the check
                segment.used = True
                print(f"kept     {_show(segment)}")
                continue
            print(f"kept     {segment.name}: {error}", file=sys.stderr)
            status = 1
            continue
        print(f"{'unused  ' if options.dry_run else 'removed '} {segment.name}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fastprims shm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("ls", help="what there is, and who uses it")
    listing.set_defaults(run=_list)
    cleaning = commands.add_parser(
        "clean",
        help="remove what no process uses",
        description="Removes the segments that no process has: those that had them have ended "
        "without unlinking them. One that was made for a process to be started later counts as "
        "unused, too. One of which it cannot be known is kept.",
    )
    cleaning.add_argument("names", nargs="*", metavar="name", help="only these")
    cleaning.add_argument("--dry-run", action="store_true", help="only say which these are")
    cleaning.add_argument("--damaged", action="store_true", help="also those that are damaged")
    cleaning.set_defaults(run=_clean)
    for sub in (listing, cleaning):
        sub.add_argument("--all", action="store_true", help="other users', too")
    return parser


# Made early: argparse imports further modules, which a process that gives up its privileges later
# may not be able to read any more.
PARSER = _parser()


def main(arguments: list[str]) -> int:
    options = PARSER.parse_args(arguments)
    return int(options.run(options))
