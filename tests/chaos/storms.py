"""The same few calls over and over, by all threads at once: what a window of a microsecond needs.

The other actions of a world choose each call anew, which takes longer than most calls do; two of
them seldom meet. A storm is chosen once: how an object is made, what is called on it, which call
answers with another object (a snapshot, a lease, a view), what is called on that, and how the
first one ends. Then threads live it as fast as they can, each with objects of its own, or all with
those of one thread, which replaces them in the middle of the others' calls.
"""

from __future__ import annotations

import contextlib
import gc
import random
import time
from typing import TYPE_CHECKING, Any

import fastprims
from chaos.arguments import Member, factories, fill, ours, signature

if TYPE_CHECKING:
    from chaos.world import World


class Call:
    """A call whose arguments are chosen once."""

    __slots__ = ("name", "named", "positional", "world")

    def __init__(self, world: World, rng: random.Random, name: str, parameters: Any) -> None:
        self.world, self.name = world, name
        self.positional, self.named = fill(world, rng, parameters or ())

    def __call__(self, fn: Any) -> Any:
        """Its result; None if it raised what a call may raise."""
        try:
            return fn(*self.positional, **self.named)
        except (SystemError, AssertionError) as error:
            self.world.broken.append(error)
            return None
        except Exception:
            return None

    def on(self, thing: Any) -> Any:
        try:
            fn = getattr(thing, self.name)
        except Exception:
            return None
        return self(fn) if callable(fn) else fn


class Last:
    """In a cycle with an object: makes a last call of it when both are garbage."""

    __slots__ = ("call", "thing")

    def __init__(self, call: Call, thing: Any) -> None:
        self.call, self.thing = call, thing

    def __del__(self) -> None:
        if not self.call.world.is_open(self.thing):
            self.call.on(self.thing)


TOPICS = ("a", "b.a", "a.b.c", "c/a", "a/b/b")


def contents(thing: Any) -> Any:
    """What must be the same whenever it is asked for: the objects that a snapshot shows."""
    try:
        if isinstance(thing, fastprims.CtrieSnapshot):
            return [(id(key), id(value)) for key, value in thing.items()]
        if isinstance(thing, fastprims.TopicSnapshot):
            return [sorted(map(id, thing.match(topic))) for topic in TOPICS]
    except (TypeError, RuntimeError):  # of an object that __new__ alone has made
        pass
    return None


class Storm:
    """`first` objects and `second` ones, which calls of the former answer with."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        first = self.choose_factory(rng)
        for _ in range(20):
            world.use(first, rng)  # to know which members are fertile
        self.before = self.calls(first, rng, (0, 1, 1, 2, 6))
        known = [m for m in world.fertile.get(type(first), []) if m.parameters is not None]
        self.grow = self.call(rng.choice(known), rng) if known else None
        second = self.grow.on(first) if self.grow is not None else None
        self.after = self.calls(second, rng, (1, 2, 4, 8))
        self.ends = self.calls(first, rng, (0, 0, 1, 3))
        self.renewed = rng.choice((1, 1, 1, 10, 1000))  # so many second objects of each first one
        self.shared = rng.random() < 0.4
        self.places: list[Any] = [None, None]  # where others find the objects, if they are shared
        self.compared = rng.random() < 0.3  # and then the first object does not end at once
        self.end = time.monotonic() + rng.choice((0.05, 0.1, 0.3))

    def __str__(self) -> str:
        called = [[call.name for call in calls] for calls in (self.before, self.after, self.ends)]
        grow = self.grow.name if self.grow is not None else ""
        return f"storm {self.make.name} {grow} {called} {self.renewed} {self.shared}"

    def choose_factory(self, rng: random.Random) -> Any:
        """The object that the factory has made, in the end, of arguments that will do."""
        for _ in range(20):
            self.factory: Any = rng.choice(self.world.kinds)
            if rng.random() < 0.2:
                self.factory = rng.choice(factories(self.factory))
            self.make = Call(self.world, rng, self.factory.__qualname__, signature(self.factory))
            if (first := self.make(self.factory)) is not None:
                return first
        return None

    def calls(self, thing: Any, rng: random.Random, counts: tuple[int, ...]) -> list[Call]:
        if not ours(type(thing)):
            return []
        found = [m for m in self.world.members_of(type(thing)) if m.parameters is not None]
        return [self.call(rng.choice(found), rng) for _ in range(rng.choice(counts))]

    def call(self, member: Member, rng: random.Random) -> Call:
        return Call(self.world, rng, member.name, member.parameters)

    def is_over(self) -> bool:
        return self.world.over or time.monotonic() > self.end

    def lead(self) -> None:
        while not self.is_over():
            self.live()
            if self.ends:
                gc.collect()

    def follow(self) -> None:
        while not self.is_over():
            if self.shared:
                first, second = self.places[0:2]  # not one by one: see world.pick
                self.call_all(self.before, first)
                self.call_all(self.after, second)
            else:
                self.live()

    def live(self) -> None:
        """One object's life; what came of it is used when it has ended."""
        first: Any = self.make(self.factory)
        second = None
        for _ in range(self.renewed):
            self.call_all(self.before, first)
            if self.grow is not None:
                second = self.grow.on(first)
            if self.shared:
                self.places[0:2] = [first, second]
                self.call_all(self.after, second)
            if self.is_over():
                break
        if self.shared:
            self.places[0:2] = [None, second]
        for call in self.ends:
            self.world.tie(first, Last(call, first))
        with contextlib.suppress(Exception):
            first.unlink()  # a segment's name would outlive the process
        shown = contents(second) if self.compared else None
        del first
        seen = contents(second)
        if self.compared and seen != shown:
            self.world.broken.append(AssertionError(f"{self}: a snapshot has changed"))
        self.call_all(self.after, second)

    def call_all(self, calls: list[Call], thing: Any) -> None:
        if thing is not None:
            for call in calls:
                call.on(thing)
