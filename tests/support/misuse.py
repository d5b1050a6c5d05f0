"""All that can be done to an object of a public class, in states that nobody meant it to be in.

Nothing here knows a class: methods, properties and special methods are found with dir(), objects
by trying constructors, and what methods return. For child processes (isolate.py): a fault is a
crash or a hang.
"""

from __future__ import annotations

import copy
import faulthandler
import gc
import inspect
import itertools
import os
import pickle
import queue
import re
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fastprims

STANDARD = (
    ArithmeticError,
    AttributeError,
    BufferError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    queue.Empty,
    queue.Full,
    fastprims.ShutDown,
    pickle.PicklingError,
)

# What the interpreter has, or what makes no call of ours.
LEFT_OUT = {"__class__", "__dict__", "__doc__", "__module__", "__subclasshook__", "__weakref__"}

PATIENCE = 0.01
"""Seconds after which a call that waits is interrupted."""


CURIOUS = 10.0
"""Seconds in which callbacks use the target. A wait whose clock does goes on until they stop."""


class Alarm(Exception):
    """Raised in a call that waits."""


class Misuse:
    """Uses objects, and notes what went wrong."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.target: Any = None
        self.depth = 0
        self.calls = 0
        self.began = time.monotonic()
        signal.signal(signal.SIGALRM, self._alarm)

    def _alarm(self, _: int, frame: types.FrameType | None) -> None:
        while frame is not None and frame.f_globals.get("__name__") in OPEN_QUEUES:
            frame = frame.f_back
        if frame is None:
            return
        # A wait that calls a clock has its signals handled in the clock, if that is Python.
        clock = frame.f_back is not None and frame.f_back.f_code is enter.__code__
        if frame.f_code in INTERRUPTED or (clock and frame.f_code.co_name in ("__call__", "nosy")):
            raise Alarm

    def call(self, what: str, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What the call returns, None if it raises; an exception that is not standard is a fault.
        An Alarm if it waited."""
        self.calls += 1
        try:
            signal.setitimer(signal.ITIMER_REAL, PATIENCE, PATIENCE)
            return enter(fn, args, options)
        except Alarm as error:
            return error
        except STANDARD as error:
            text = str(error)
            if "NoneType" in text and not OF_ITEMS.search(text) and None not in args:
                self.faults.append(f"{what}: {type(error).__name__}: {text}")
        except BaseException as error:
            self.faults.append(f"{what}: {type(error).__name__}: {error}")
        return None

    def again(self) -> None:
        """From a callback: the target is used from within its own call."""
        if self.target is None or self.depth or self.calls > 40_000:
            return
        if time.monotonic() - self.began > CURIOUS:
            return
        self.depth += 1
        try:
            self.use(self.target, "in a callback", ((), (1,), (0, False)))
        finally:
            self.depth -= 1

    def nosy(self) -> Any:
        """An object of which every special method uses the target."""
        again = self.again

        class Nosy:
            def __index__(self) -> int:
                again()
                return 3

            def __float__(self) -> float:
                again()
                return 0.5

            def __len__(self) -> int:
                again()
                return 2

            def __call__(self, *args: Any) -> Any:
                again()
                return args[0] if args else 1

            def __hash__(self) -> int:
                again()
                return 1

            def __eq__(self, other: object) -> bool:
                again()
                return self is other

            def __lt__(self, other: object) -> bool:
                again()
                return True

            def __iter__(self) -> Iterator[Any]:
                again()
                return iter((("a", 1), ("b", 2)))

            def __del__(self) -> None:
                again()

        return Nosy()

    def arguments(self) -> Iterator[tuple[Any, ...]]:
        yield ()
        for only in (1, b"x", "a", None, self.nosy(), [self.nosy(), self.nosy()], lambda x: x):
            yield (only,)
            yield (only, False)
        yield from (("a", 1), (1, self.nosy()), (self.nosy(), self.nosy()), (None, None, None))
        yield (self.nosy(), self.nosy(), self.nosy())

    def use(self, o: Any, state: str, arguments: Any = None) -> list[Any]:
        """All attributes of `o`, called with all arguments, and all that is done by operators.
        Returns what the calls returned."""
        kind = f"{type(o).__name__} {state}"
        results = []
        for name in sorted(set(dir(o)) - LEFT_OUT):
            if not isinstance(name, str):
                continue
            what = f"{kind}: {name}"
            attribute = self.call(what, getattr, o, name)
            if not callable(attribute) or isinstance(attribute, Alarm):
                self.call(what, setattr, o, name, attribute)
                continue
            waited = 0
            for args in self.arguments() if arguments is None else arguments:
                if waited < 2:
                    result = self.call(f"{what}{args}", attribute, *args)
                    waited += isinstance(result, Alarm)
                    results.append(result)
        for fn in OPERATIONS:
            results.append(self.call(f"{kind}: {fn.__name__}", fn, o))
        return results


def enter(fn: Callable[..., Any], args: Any, options: Any) -> Any:
    """The call itself: an alarm that comes while Python runs anything else is not for it."""
    return fn(*args, **options)


def equal(o: Any) -> Any:
    return o == 1, o != o, o == type(o)


def order(o: Any) -> Any:
    return o < o


def within(o: Any) -> Any:
    with o as inside:
        return inside


def contains(o: Any) -> Any:
    return 1 in o


def subscript(o: Any) -> Any:
    return o[1]


def store(o: Any) -> None:
    o[1] = 2


def unpack(o: Any) -> Any:
    return {**o}


def inplace(o: Any) -> None:
    o += 1
    o |= {}


def first(o: Any) -> Any:
    return next(iter(o))


OPERATIONS: list[Callable[[Any], Any]] = [
    *(len, bool, repr, str, hash, int, list, dict, memoryview, bytes, sys.getsizeof),
    *(copy.copy, copy.deepcopy, pickle.dumps, gc.get_referents, dir),
    *(equal, order, within, contains, subscript, store, unpack, inplace, first),
]

# What None gets that is an item, compared with another one, or a key, for bytes().
OF_ITEMS = re.compile("'<' not supported|cannot be interpreted as an integer")
OPEN_QUEUES = ("fastprims._queues.opened", "queue", "threading")  # what runs while one waits
INTERRUPTED = {fn.__code__ for fn in (enter, *OPERATIONS) if isinstance(fn, types.FunctionType)}


def public_classes() -> list[str]:
    """The classes that fastprims offers."""
    found = [getattr(fastprims, name) for name in fastprims.__all__]
    return [c.__name__ for c in found if isinstance(c, type) and not issubclass(c, Exception)]


def is_ours(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "fastprims" and not issubclass(kind, Exception)


ENDS = ("shutdown", "close", "abort", "accept", "reject", "commit", "clear", "unlink")

SEEDS = ((), (4,), ("nats",), (list,), (4.0, 4), ("a", 1), (b"x",), (1, False), (False,))


def construct(cls: type) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Objects of a class, and the arguments; none if it has no constructor."""
    for make in (cls, getattr(cls, "create", None)):
        for args in SEEDS if make is not None else ():
            try:
                made = make(*args)
            except STANDARD:
                continue
            yield made, args
            return


def offspring(m: Misuse, o: Any) -> Iterator[Any]:
    """What its methods return that is ours, iterators and views included."""
    for name in [name for name in dir(o) if not name.startswith("_")] + ["__iter__"]:
        if name in ENDS:
            continue
        for args in SEEDS:
            if hasattr(o, "put"):
                m.call("", o.put, b"x", False)  # something to be read
            if isinstance(o, fastprims.Selector):
                m.call("", o.add, fastprims.after(0))  # something that is ready
            made = m.call("", m.call("", getattr, o, name), *args)
            if is_ours(type(made)) and type(made) is not type(o):
                yield made


def samples(m: Misuse) -> dict[str, Any]:
    """How to make an object of each class that can be met; see fresh()."""
    found: dict[str, Any] = {}
    for name in public_classes():
        cls = getattr(fastprims, name)
        for parent, args in construct(cls):
            found[name] = cls, args
            for child in offspring(m, parent):
                found.setdefault(type(child).__name__, (cls, type(child)))
    m.faults.clear()
    return found


def fresh(m: Misuse, recipe: Any) -> Any:
    """Another object by a recipe of samples()."""
    kind, args = recipe
    for parent, _ in construct(kind):
        if not isinstance(args, type):
            return parent
        for child in offspring(m, parent):
            if type(child) is args:
                return child
    raise LookupError(recipe)


def states(m: Misuse, cls: type, recipe: Any) -> Iterator[tuple[str, Any]]:
    """The object in each of its states."""
    try:
        yield "without __init__", cls.__new__(cls)
    except TypeError:  # the interpreter makes none
        pass
    try:
        forgets = types.new_class("Forgets", (cls,), {}, lambda ns: ns.update(__init__=nothing))
    except TypeError:  # final
        pass
    else:
        yield "of a class that forgets __init__", forgets()
        failed = forgets()
        for bad in ((object(),), (-1,), (None, None)):
            try:
                cls.__init__(failed, *bad)
            except STANDARD:
                pass
        yield "after a failed __init__", failed
    if recipe is None:
        return
    yield "in use", fresh(m, recipe)
    for name in ENDS:
        if hasattr(cls, name):
            ended = fresh(m, recipe)
            try:
                getattr(ended, name)()
            except STANDARD:
                continue
            yield f"after {name}()", ended
    for again in SEEDS:
        twice = fresh(m, recipe)
        try:
            twice.__init__(*again)
        except STANDARD:
            pass
        if again in ((), (4,)):
            yield f"with a second __init__{again}", twice


def nothing(self: Any) -> None:
    pass


def with_callbacks(m: Misuse, cls: type, recipe: Any) -> Iterator[Any]:
    """Objects to whose constructors functions and numbers of the test's were given."""
    try:
        names = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return
    args = recipe[1] if recipe is not None and not isinstance(recipe[1], type) else ()
    for name in names:
        for value in (m.nosy(), m.nosy):
            o = cls.__new__(cls)
            m.target = o
            m.call(f"{cls.__name__}({name}=...)", o.__init__, *args, **{name: value})
            yield o
    for limit in ("reject", "drop_newest", "drop_oldest"):
        o = m.call("", cls, 1, overflow=limit, on_pressure=m.nosy(), pressure_interval=0)
        if isinstance(o, cls):
            yield o


def check(name: str) -> list[str]:
    """What is wrong with a class; see the module."""
    faulthandler.dump_traceback_later(150, exit=True)
    m = Misuse()
    with segments_of_our_own():
        check_in_all_states(m, name)
        m.target = None
        gc.collect()
        signal.setitimer(signal.ITIMER_REAL, 0)
    return m.faults


@contextmanager
def segments_of_our_own() -> Iterator[None]:
    """Shared memory that is made meanwhile gets names of one kind, and is removed."""
    mark = os.urandom(8).hex()
    numbers = itertools.count()
    os.urandom = lambda n: f"{mark}{next(numbers)}".encode()  # ShmRing.create() takes its hex()
    try:
        yield
    finally:
        for name in os.listdir("/dev/shm") if sys.platform == "linux" else ():
            if mark.encode().hex() in name or name == "fastprims.a":
                os.unlink(f"/dev/shm/{name}")


def check_in_all_states(m: Misuse, name: str) -> None:
    found = samples(m)
    recipe = found.get(name)
    related = [recipe[1]] if recipe and isinstance(recipe[1], type) else []
    cls = related[0] if related else getattr(fastprims, name)
    for state, o in states(m, cls, recipe):
        m.target = o
        m.use(o, state)
        m.target = None
    for o in with_callbacks(m, cls, recipe):
        m.target = o
        m.use(o, "with callbacks")
        m.target = None
