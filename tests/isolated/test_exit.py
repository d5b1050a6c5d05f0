"""Interpreter exit: threads asleep in a queue, and items that outlive everything."""

from __future__ import annotations

import textwrap

import pytest
from support.isolate import run_source
from support.kinds import OURS, Kind

kinds = pytest.mark.parametrize("kind", OURS, ids=str)

PRELUDE = """
import sys, threading, time
import fastprims
def make():
    return fastprims.{cls}() if "{cls}" == "SimpleQueue" else fastprims.{cls}(1)
"""

SLEEPERS = """
acts = [lambda q: q.get(), lambda q: q.get(timeout=1000), lambda q: q.get_many(3)]
if "{cls}" != "SimpleQueue":
    acts += [lambda q: (q.put(1), q.put(2)), lambda q: (q.put(1), q.put(2, timeout=1000)),
             lambda q: q.put_many(range(9))]
if hasattr(fastprims.{cls}, "join"):
    acts += [lambda q: (q.put(1), q.join()), lambda q: (q.put(1), q.join(1000))]
for act in acts * 2:
    threading.Thread(target=act, args=(make(),), daemon=True).start()
if "{cls}" != "SPSCRing":
    shared = make()
    for _ in range(4):
        threading.Thread(target=shared.get, daemon=True).start()
time.sleep(0.1)
print("done")
"""

HAMMERS = """
q = make()
def put():
    while True:
        q.put((1, "item"))
def get():
    while True:
        q.get()
for act in (put, get) * (1 if "{cls}" == "SPSCRing" else 2):
    threading.Thread(target=act, daemon=True).start()
time.sleep(0.05)
print("done")
"""

LEFTOVERS = """
class Item:
    def __init__(self, n):
        self.n = n
        self.queues = [q, other]
    def __lt__(self, other):
        return self.n < other.n
    def __del__(self):
        try:
            for queue in self.queues:
                queue.try_put(self)
                queue.try_get()
                len(queue), repr(queue)
        except Exception as error:
            print("late:", type(error).__name__)
q, other = make(), make()
q.put(Item(1))
other.put(Item(2))
sys.me = q
keep = [q, other, Item(3)]
keep.append(keep)
print("done")
"""

RAISES = """
q = make()
threading.Thread(target=q.get, daemon=True).start()
time.sleep(0.02)
print("done", flush=True)
sys.exit(0)
"""

ATEXIT = """
import atexit
q = make()
def last():
    q.try_put(1)
    assert q.get_nowait() == 1
    q.shutdown()
    print("done", flush=True)
atexit.register(last)
"""

PROGRAMS = {
    "daemon threads asleep": SLEEPERS,
    "daemon threads at work": HAMMERS,
    "items with finalizers left over": LEFTOVERS,
    "sys.exit beside a sleeper": RAISES,
    "used by an exit function": ATEXIT,
}


@pytest.mark.parametrize("program", PROGRAMS)
@kinds
def test_the_interpreter_ends_well(kind: Kind, program: str) -> None:
    source = textwrap.dedent(PRELUDE + PROGRAMS[program]).replace("{cls}", kind.cls.__name__)
    repeat = 3 if "at work" in program else 1  # a race with the end of the interpreter
    for _ in range(repeat):
        out = run_source(source, timeout=20)
        assert out.splitlines()[0] == "done"
