"""The objects that threads share, what they do with them, and how long anything lives."""

from __future__ import annotations

import contextlib
import copy
import gc
import random
import threading
import weakref
from collections.abc import Callable
from typing import Any

import fastprims
from chaos.arguments import Member, argument, classes, factories, fill, members, ours, signature
from chaos.storms import Storm

DEPTH = 3
"""How deep callbacks may call what calls back."""


class Item:
    """A value that uses the world when it is compared and when it dies, and may be in a cycle."""

    __slots__ = ("__weakref__", "held", "number", "world")
    alive = fastprims.AtomicInt()

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.held: Any = None
        Item.alive.fetch_add()

    def __del__(self) -> None:
        Item.alive.fetch_sub()
        held, self.held = self.held, None
        if held is not None:
            self.world.call_back(held)
        else:
            self.world.call_back()

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (self.number,)  # a copy, and what a process would get, is a number

    def __lt__(self, other: object) -> bool:
        self.world.call_back_from_a_comparison()
        number: Any = getattr(other, "number", other)
        return bool(self.number < number)


class Key:
    """A key whose hash collides and whose comparison uses the world."""

    __slots__ = ("number", "world")

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number

    def __hash__(self) -> int:
        return self.number % 3

    def __eq__(self, other: object) -> bool:
        self.world.call_back()
        return isinstance(other, Key) and self.number == other.number


def pick(places: list[Any], rng: random.Random) -> Any:
    """What is in one of the places, which other threads fill.

    By way of a slice: without the GIL, list[i] looks at objects that may have been freed, knowing
    that it may, which the address sanitizer does not know.
    """
    place = rng.randrange(len(places))
    return places[place : place + 1][0]


class Trace:
    """The last calls of every thread, where a crash of the process leaves them: in a file's map."""

    WIDTH, LINES = 96, 12

    def __init__(self, memory: Any, thread: int) -> None:
        self.memory, self.base, self.next = memory, thread * self.LINES * self.WIDTH, 0
        size = self.LINES * self.WIDTH
        memory[self.base : self.base + size] = b" " * size

    def note(self, text: str) -> None:
        line = text[: self.WIDTH - 8].encode("ascii", "replace").ljust(self.WIDTH - 8)
        place = self.base + self.next % self.LINES * self.WIDTH
        self.memory[place : place + self.WIDTH] = b"%6d " % (self.next % 1_000_000) + line + b"\n"
        self.next += 1


class World:
    """One round: a few kinds of objects on a shelf, and what their calls have answered."""

    def __init__(self, seed: str, kinds: list[type], memory: Any, without: frozenset[str]) -> None:
        """`without` names actions, and members of any class, that are left out."""
        rng = random.Random(seed)
        self.seed, self.kinds, self.memory, self.without = seed, kinds, memory, without
        self.octets: bool = any(cls.__name__.startswith("Shm") for cls in kinds)
        self.shelf: list[Any] = [None] * rng.choice((1, 2, 4, 8))
        self.attic: list[Any] = [None] * rng.choice((4, 12, 30))
        self.keys: list[Any] = [Key(self, n) for n in range(6)]
        self.keys += [n << rng.choice((0, 0, 27)) for n in range(rng.choice((4, 40, 400)))]
        self.keys += ["a", "b", ("c", 1)]
        self.over = False
        self.broken: list[BaseException] = []
        self.local = threading.local()
        self.spoken = rng.choice((0.02, 0.1, 0.3))
        self.actions = [ACTIONS[name][0] for name in ACTIONS if name not in without]
        # Each round is good at something else: some actions and some members crowd out the others.
        self.weights = [
            ACTIONS[name][1] * 2 ** rng.uniform(-3, 3) for name in ACTIONS if name not in without
        ]
        if "storm" not in without and rng.random() < 0.5:
            self.weights[self.actions.index(lead_storm)] = sum(self.weights)
        self.share = rng.choice((1, 1, 0.5, 0.2))
        self.swarm: dict[type, list[Member]] = {}
        self.fertile: dict[type, list[Member]] = {}
        self.storm: Storm | None = None

    # Values and arguments.

    def item(self, number: int) -> Item:
        return Item(self, number)

    def value(self, rng: random.Random) -> Any:
        kind = rng.random()
        if kind < 0.4:
            return rng.randrange(100)
        if kind < 0.8:
            return Item(self, rng.randrange(100))
        return [rng.randrange(9)] if kind < 0.9 else self.kept(rng)

    def key(self, rng: random.Random) -> Any:
        return rng.choice(self.keys)

    def kept(self, rng: random.Random) -> Any:
        return pick(self.shelf if rng.random() < 0.4 else self.attic, rng)

    def anything(self, rng: random.Random) -> Any:
        return rng.choice((self.value, self.key, self.kept))(rng)

    def keep(self, thing: Any, rng: random.Random) -> None:
        """What it takes the place of is dropped here, unless others have it."""
        if thing is not None and not isinstance(thing, (int, str, bool, type)):
            self.attic[rng.randrange(len(self.attic))] = thing

    # Calls.

    def make(self, rng: random.Random) -> Any:
        factory = rng.choice(factories(rng.choice(self.kinds)))
        return self.attempt(rng, factory, signature(factory) or (), factory.__qualname__)

    def can_make(self) -> bool:
        """Whether its kinds can be made, or come of the calls of others only."""
        self.begin(0, "can make")
        return any(self.make(self.local.rng) is not None for _ in range(30))

    def some_of(self, cls: type) -> list[Member]:
        """The members that this round calls, the same ones whenever it is repeated."""
        found = [member for member in members(cls) if member.name not in self.without]
        count = min(len(found), max(4, int(len(found) * self.share)))
        return random.Random(f"{self.seed} {cls.__name__}").sample(found, count)

    def members_of(self, cls: type) -> list[Member]:
        found = self.swarm.get(cls)
        if found is None:
            found = self.swarm[cls] = self.some_of(cls)
        return found

    def is_open(self, thing: Any) -> bool:
        """A standard queue by now, which a callback within its own calls must not use."""
        return isinstance(thing, fastprims.Queue) and thing.stats().open

    def use(self, thing: Any, rng: random.Random, fertile: bool = False) -> Any:
        """Any one of its methods and attributes, special ones included.

        `fertile`: one that has answered with an object of ours before, if there is any.
        """
        cls = type(thing)
        found = self.fertile.get(cls) if fertile else None
        found = found or self.members_of(cls)
        if not found:
            return None
        member = rng.choice(found)
        result = self.use_member(thing, cls, member, rng)
        known = self.fertile.setdefault(cls, [])
        if ours(type(result)) and result is not thing and member not in known:
            known.append(member)
        return result

    def use_member(self, thing: Any, cls: type, member: Member, rng: random.Random) -> Any:
        where = f"{cls.__name__}.{member.name}"
        if self.local.depth and self.is_open(thing):
            return None
        if member.parameters is not None:
            call = self.attempt(rng, lambda: getattr(thing, member.name), (), where)
            return None if call is None else self.attempt(rng, call, member.parameters, where)
        if rng.random() < 0.2:
            value = argument(self, rng, member.name)
            return self.attempt(rng, setattr, (), where, thing, member.name, value)
        return self.attempt(rng, getattr, (), where, thing, member.name)

    def attempt(
        self, rng: random.Random, call: Any, parameters: Any, where: str, *arguments: Any
    ) -> Any:
        """The call's result; None if it raised what a call may raise."""
        positional, named = fill(self, rng, parameters)
        owner = getattr(call, "__self__", arguments[0] if arguments else None)
        if isinstance(owner, fastprims.PriorityQueue) and getattr(self.local, "comparing", False):
            return None
        self.local.trace.note(f"{'  ' * self.local.depth}{where}")
        try:
            return call(*arguments, *positional, **named)
        except (SystemError, AssertionError) as error:
            self.broken.append(error)
            return None
        except Exception:
            return None

    def call_back(self, held: Any = None) -> None:
        """Whatever calls this goes on in the middle of something: now and then use the world."""
        local = self.local
        rng = getattr(local, "rng", None)
        if rng is None or self.over or local.depth >= DEPTH:
            return
        if held is None and rng.random() > self.spoken:
            return
        local.depth += 1
        try:
            if held is not None and ours(type(held)):
                self.use(held, rng)
            self.step(rng)
        finally:
            local.depth -= 1

    def call_back_from_a_comparison(self) -> None:
        """A priority queue compares under its lock. Two threads that each use the other's queue in
        a comparison would wait for each other for ever, as with the standard library's."""
        local = self.local
        before, local.comparing = getattr(local, "comparing", False), True
        try:
            self.call_back()
        finally:
            local.comparing = before

    def tie(self, thing: Any, item: Any) -> None:
        """Put the item into the object, if it takes any."""
        for name in ("__setitem__", "try_put", "store", "subscribe", "release"):
            if hasattr(type(thing), name):
                put = getattr(thing, name)
                arguments = ("a", item) if name in ("__setitem__", "subscribe") else (item,)
                self.attempt(self.local.rng, put, (), f"cycle {name}", *arguments)

    def step(self, rng: random.Random) -> None:
        storm = self.storm
        if storm is not None and self.local.depth == 0:
            self.local.trace.note(str(storm))
            storm.follow()
        (act,) = rng.choices(self.actions, self.weights)
        act(self, rng)

    def begin(self, thread: int, name: str) -> random.Random:
        local = self.local
        local.depth, local.trace = 0, Trace(self.memory, thread)
        local.rng = rng = random.Random(f"{self.seed} {name}")
        return rng

    def work(self, thread: int, name: str, steps: int) -> None:
        """One thread's life."""
        rng = self.begin(thread, name)
        try:
            for _ in range(steps):
                if self.over or self.broken:
                    return
                self.step(rng)
        except BaseException as error:
            self.broken.append(error)


# What a thread does at a time.


def use_shelf(world: World, rng: random.Random) -> None:
    thing = pick(world.shelf, rng)
    if thing is None:
        put_on_shelf(world, rng)
    else:
        for _ in range(rng.choice((1, 1, 5))):
            result = world.use(thing, rng)
            if rng.random() < 0.3:
                world.keep(result, rng)


def use_attic(world: World, rng: random.Random) -> None:
    thing = pick(world.attic, rng)
    if isinstance(thing, memoryview):
        touch(world, rng)
    elif ours(type(thing)):
        result = world.use(thing, rng)
        if rng.random() < 0.5:
            world.keep(result, rng)


def put_on_shelf(world: World, rng: random.Random) -> None:
    thing = world.make(rng)
    if thing is not None:
        world.shelf[rng.randrange(len(world.shelf))] = thing


def drop(world: World, rng: random.Random) -> None:
    place = rng.choice((world.shelf, world.attic))
    place[rng.randrange(len(place))] = None


def share(world: World, rng: random.Random) -> None:
    """A result becomes what the others use: a writable snapshot, a queue that was an item."""
    thing = pick(world.attic, rng)
    if ours(type(thing)):
        world.shelf[rng.randrange(len(world.shelf))] = thing


def outlive(world: World, rng: random.Random) -> None:
    """A short life, and what came of it is used when it has ended."""
    thing = world.make(rng)
    if thing is None:
        return
    results = [world.use(thing, rng) for _ in range(rng.choice((0, 1, 3, 40)))]
    results += [world.use(thing, rng, fertile=True) for _ in range(2)]
    results = [result for result in results if ours(type(result))]
    del thing
    for result in results:
        for _ in range(rng.choice((1, 4))):
            world.use(result, rng)
        world.keep(result, rng)


def leave_garbage(world: World, rng: random.Random) -> None:
    """A cycle, through the object where it takes items, with a finalizer that uses the object."""
    thing = world.make(rng) if rng.random() < 0.7 else pick(world.shelf, rng)
    if thing is None:
        return
    item = Item(world, 1)
    item.held = [thing, item]
    if rng.random() < 0.7:
        item.held = thing
        world.tie(thing, item)
    if rng.random() < 0.3:
        with contextlib.suppress(TypeError):
            world.keep(weakref.ref(thing, lambda ref: world.call_back()), rng)


def collect(world: World, rng: random.Random) -> None:
    world.local.trace.note("gc.collect")
    gc.collect(rng.choice((0, 1, 2)))


def enter(world: World, rng: random.Random) -> None:
    """A `with` block of whatever can be entered, and steps within it."""
    thing = world.kept(rng)
    if not hasattr(type(thing), "__enter__"):
        return
    world.local.trace.note(f"with {type(thing).__name__}")
    world.local.depth += 1
    try:
        with thing as inside:
            world.keep(inside, rng)
            if world.local.depth < DEPTH:
                world.step(rng)
            if rng.random() < 0.2:
                raise ValueError("out of a block")
    except SystemError as error:
        world.broken.append(error)
    except Exception:
        return
    finally:
        world.local.depth -= 1


def walk(world: World, rng: random.Random) -> None:
    """A few steps of an iterator, which is kept half way."""
    thing = world.kept(rng)
    if getattr(type(thing), "__iter__", None) is None:
        return
    world.local.trace.note(f"iterate {type(thing).__name__}")
    with contextlib.suppress(Exception):
        iterator = iter(thing)
        for _ in range(rng.choice((1, 3, 100))):
            world.keep(next(iterator), rng)
        world.keep(iterator, rng)


def lead_storm(world: World, rng: random.Random) -> None:
    if world.local.depth or world.storm is not None:
        return
    storm = Storm(world, rng)
    world.local.trace.note(str(storm))
    world.storm = storm
    storm.lead()
    world.storm = None


def touch(world: World, rng: random.Random) -> None:
    """The bytes behind a view, which may be older than anything."""
    thing = world.kept(rng)
    world.local.trace.note(f"memoryview {type(thing).__name__}")
    with contextlib.suppress(Exception):
        view = memoryview(thing)
        if len(view):
            view[-1]
            if not view.readonly:
                view[0] = 7
        if rng.random() < 0.5:
            world.keep(view, rng)
        elif rng.random() < 0.3:
            view.release()


def duplicate(world: World, rng: random.Random) -> None:
    thing = world.kept(rng)
    if ours(type(thing)):
        how: Callable[[Any], Any] = rng.choice((copy.copy, copy.deepcopy))
        world.keep(world.attempt(rng, how, (), f"copy {type(thing).__name__}", thing), rng)


def unready(world: World, rng: random.Random) -> None:
    """An object without __init__: by __new__ alone, or of a subclass that forgets it."""
    cls: Any = rng.choice(world.kinds if rng.random() < 0.5 else classes())
    if rng.random() < 0.5:
        cls = type(cls.__name__, (cls,), {"__init__": lambda self: None})
    thing = world.attempt(rng, cls.__new__, (), f"{cls.__name__}.__new__", cls)
    if thing is not None:
        for _ in range(rng.randrange(5)):
            world.use(thing, rng)
        world.shelf[rng.randrange(len(world.shelf))] = thing


def derive(world: World, rng: random.Random) -> None:
    """A subclass of one or of two, whose __init__ is that of any base."""
    bases = tuple(rng.sample(world.kinds, min(len(world.kinds), rng.choice((1, 2, 2)))))
    first: Any = rng.choice(bases)
    body = {"__init__": first.__init__} if rng.random() < 0.5 else {}
    cls = world.attempt(rng, type, (), "type", "Derived", bases, body)
    if cls is not None:
        parameters = signature(first) or ()
        thing = world.attempt(rng, cls, parameters, " + ".join(b.__name__ for b in bases))
        if thing is not None:
            for _ in range(rng.randrange(9)):
                world.use(thing, rng)
            world.shelf[rng.randrange(len(world.shelf))] = thing


ACTIONS: dict[str, tuple[Callable[[World, random.Random], None], float]] = {
    "collect": (collect, 0.08),
    "derive": (derive, 0.5),
    "drop": (drop, 6),
    "duplicate": (duplicate, 1),
    "enter": (enter, 4),
    "garbage": (leave_garbage, 2),
    "make": (put_on_shelf, 5),
    "outlive": (outlive, 3),
    "share": (share, 2),
    "storm": (lead_storm, 0.2),
    "touch": (touch, 3),
    "unready": (unready, 1),
    "use_attic": (use_attic, 20),
    "use_shelf": (use_shelf, 50),
    "walk": (walk, 3),
}
