"""All against all, as a program: python -m chaos [--seconds N] [--seed S] (in the folder tests).

A process of its own does the work, so that a crash leaves somebody who tells what happened: the
seed, the round, the last calls of each thread. `--seed S --round N` starts again at that round;
what threads do there is the same, when they do it is not.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import mmap
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from chaos.arguments import classes
from chaos.world import ACTIONS, Item, Trace, World

THREADS = 16
ROUND = 2.0
"""Seconds of a round: objects, keys and threads of the next one are others."""
GRACE = 60.0
"""Seconds after its end in which a round must have come to it."""


def main() -> int:
    options = parser().parse_args()
    if options.child:
        return child(options)
    with tempfile.TemporaryDirectory(prefix="fastprims-chaos-") as folder:
        return parent(options, Path(folder))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="chaos", description=__doc__)
    top.add_argument(
        "--seconds", type=float, default=float(os.environ.get("FASTPRIMS_CHAOS_SECONDS", "20"))
    )
    top.add_argument("--seed", default=None, help="any word (default: a random number)")
    top.add_argument("--round", type=int, default=0, help="the first one")
    top.add_argument("--only", default="", metavar="CLASS,...", help="of these classes")
    top.add_argument(
        "--without", default="", metavar="NAME,...", help="methods, or " + ", ".join(ACTIONS)
    )
    top.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    return top


def parent(options: argparse.Namespace, folder: Path) -> int:
    seed = options.seed or str(random.randrange(10**9))
    calls, output = folder / "calls", folder / "output"
    calls.write_bytes(b" " * (THREADS + 1) * Trace.LINES * Trace.WIDTH)
    command = [sys.executable, "-m", "chaos", "--child", str(calls), "--seed", seed]
    command += ["--seconds", str(options.seconds), "--round", str(options.round)]
    command += ["--only", options.only, "--without", options.without]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            status = process.wait(options.seconds + 3 * GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
    remove_segments(folder)
    text = output.read_text(encoding="utf-8", errors="replace")
    if status == 0:
        print(text.splitlines()[-1] if text else "chaos: nothing said")
        return 0
    print(text[-100_000:])  # a sanitizer's report is long
    for thread in range(THREADS + 1):
        if lines := last_calls(calls.read_bytes(), thread):
            print(f"-- thread {thread}: its last calls", *lines, sep="\n")
    rounds = [line for line in text.splitlines() if line.startswith("round ")]
    number = rounds[-1].split()[1] if rounds else "0"
    print(f"chaos: ended with status {status}; again: --seed {seed} --round {number}")
    return 1


def mark_of(folder: Path) -> bytes:
    return folder.name[-8:].encode()


def remove_segments(folder: Path) -> None:
    """Shared memory that the process has left behind: its names have the mark."""
    for file in Path("/dev/shm").glob(f"*{mark_of(folder).hex()}*"):
        file.unlink(missing_ok=True)


def last_calls(memory: bytes, thread: int) -> list[str]:
    """The calls that a thread had noted, the last one last."""
    size = Trace.LINES * Trace.WIDTH
    lines = memory[thread * size : (thread + 1) * size].decode("ascii", "replace").split("\n")
    noted = [line for line in lines if line[:6].strip().isdigit()]
    return [line.rstrip() for line in sorted(noted, key=lambda line: int(line[:6]))]


def child(options: argparse.Namespace) -> int:
    faulthandler.enable()
    sys.unraisablehook = quiet
    sys.setswitchinterval(1e-5)
    wanted = options.only.split(",") if options.only else [c.__name__ for c in classes()]
    without = frozenset(options.without.split(","))
    end = time.monotonic() + options.seconds
    lived = 0
    mark, numbers = mark_of(Path(options.child).parent), count()
    os.urandom = lambda n: mark + b"%d" % next(numbers)  # ShmRing.create() takes its hex()
    with open(options.child, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
        kinds = [
            cls
            for cls in classes()
            if cls.__name__ in wanted and World("kinds", [cls], memory, without).can_make()
        ]
        gc.collect()
        gc.freeze()  # the collections to come have less to look at, so more happens in between
        for number in count(options.round):
            if time.monotonic() >= end:
                break
            seconds = min(ROUND, end - time.monotonic())
            world = round_of(f"{options.seed}/{number}", number, kinds, memory, without)
            lived += play(world, seconds)
            if world.broken:
                for error in world.broken:
                    traceback.print_exception(type(error), error, error.__traceback__)
                return 1
            if problem := clean_up(world):
                print(problem)
                return 1
    print(f"chaos: seed {options.seed}, {number - options.round} rounds, {lived} threads: ok")
    return 0


def quiet(unraisable: Any) -> None:
    """What callbacks and finalizers raise is the point; an error of the interpreter is not."""
    if issubclass(unraisable.exc_type, SystemError):
        sys.__unraisablehook__(unraisable)
        os._exit(4)


def round_of(
    seed: str, number: int, kinds: list[type], memory: Any, without: frozenset[str]
) -> World:
    """The world of a round: of one or two classes mostly, so that their calls meet."""
    rng = random.Random(seed)
    chosen = rng.sample(kinds, min(len(kinds), rng.choice((1, 1, 2, 2, 3, len(kinds)))))
    gc.set_threshold(rng.choice((700, 5000, 50_000)))
    print("round", number, *[cls.__name__ for cls in chosen], flush=True)
    return World(seed, chosen, memory, without)


def play(world: World, seconds: float) -> int:
    """Let threads come and go until the time is up; how many there were."""
    rng = random.Random(f"{world.seed} threads")
    crowd = rng.choice((2, 4, 4, 8, THREADS))
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True)
    end = time.monotonic() + seconds
    names = lives(rng)
    places: list[threading.Thread | None] = [None] * crowd
    started = 0
    while time.monotonic() < end and not world.broken:
        for place, thread in enumerate(places):
            if thread is None or not thread.is_alive():
                name, steps = next(names)
                thread = threading.Thread(target=world.work, args=(place, name, steps), daemon=True)
                thread.start()
                places[place] = thread
                started += 1
        time.sleep(0.002)
    world.over = True
    for thread in places:
        if thread is not None:
            thread.join()  # the alarm clock is set
    faulthandler.cancel_dump_traceback_later()
    return started


def lives(rng: random.Random) -> Iterator[tuple[str, int]]:
    """Names and lengths of threads' lives: most of them are short."""
    for number in count():
        yield str(number), int(2 ** rng.uniform(2, 14))


def clean_up(world: World) -> str:
    """Drop everything; what is left over then has been leaked."""
    world.shelf.clear()
    world.attic.clear()
    deadline = time.monotonic() + 5
    while Item.alive.load():
        gc.collect()
        if time.monotonic() > deadline:
            return f"leak: {Item.alive.load()} items are alive though nothing holds them"
    return ""


if __name__ == "__main__":
    sys.exit(main())
