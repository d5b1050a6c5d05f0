"""python -m fastprims run program.py ..., python -m fastprims shm ls|clean."""

from __future__ import annotations

import sys

USAGE = """\
usage: python -m fastprims run {program.py | -m module | -c code} [argument ...]
       python -m fastprims shm {ls,clean} [--help]"""


def main(arguments: list[str]) -> int:
    """Runs the command that the first argument names; returns the exit status."""
    if arguments[:1] == ["run"]:
        from fastprims._queues.run import run

        return run(arguments[1:])
    if arguments[:1] != ["shm"]:
        print(USAGE, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    if sys.platform != "linux":
        print("fastprims: shared memory is for Linux; there is none here", file=sys.stderr)
        return 1
    from fastprims._shm.tool import main as shm

    return shm(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
