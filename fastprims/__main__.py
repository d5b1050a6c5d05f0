"""python -m fastprims shm ls|clean."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Runs the tool that the first argument names; returns the exit status."""
    if arguments[:1] != ["shm"]:
        print("usage: python -m fastprims shm {ls,clean} [--help]", file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    if sys.platform != "linux":
        print("fastprims: shared memory is for Linux; there is none here", file=sys.stderr)
        return 1
    from fastprims._shmtool import main as shm

    return shm(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
