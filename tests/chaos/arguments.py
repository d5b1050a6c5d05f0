"""What to call, and with what: members by introspection, arguments by the parameter's name."""

from __future__ import annotations

import contextlib
import inspect
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastprims

if TYPE_CHECKING:
    from chaos.world import World

Maker = Callable[["World", random.Random], Any]

SKIPPED = frozenset(
    {
        # What an object has of `object` or its type, and the buffer protocol's own two (memoryview
        # is made of the objects instead).
        "__abstractmethods__", "__annotations__", "__buffer__", "__class__", "__delattr__",
        "__dict__", "__dir__", "__doc__", "__firstlineno__", "__getattribute__",
        "__init_subclass__", "__module__", "__new__", "__orig_bases__", "__parameters__",
        "__pyx_vtable__", "__release_buffer__", "__setattr__", "__slots__",
        "__static_attributes__", "__subclasshook__", "__weakref__",
        # Cython's own, whose argument is Cython's secret; __setstate__ is called.
        "__reduce_cython__", "__setstate_cython__",
    }
)  # fmt: skip


def classes() -> list[type]:
    """Every public class, exceptions apart."""
    found = [getattr(fastprims, name) for name in fastprims.__all__]
    return [c for c in found if isinstance(c, type) and not issubclass(c, BaseException)]


@dataclass(frozen=True)
class Member:
    name: str
    parameters: tuple[inspect.Parameter, ...] | None
    """None: not a call but an attribute."""


# Where neither a signature nor a docstring tells: `pop` has no value that stands for its default.
UNSIGNED = {"pop": "def fn(key, default=None): pass"}


def ours(cls: type) -> bool:
    """Whether it does something of its own: the records of stats() are plain dataclasses."""
    if cls.__module__ == "fastprims._stats":
        return False
    return any(base.__module__.partition(".")[0] == "fastprims" for base in cls.__mro__)


def signature(fn: Any) -> tuple[inspect.Parameter, ...] | None:
    """The parameters, `self` not among them; None if nothing tells them."""
    found: inspect.Signature | None
    try:
        found = inspect.signature(fn)
    except (TypeError, ValueError):
        found = _documented(fn)
    except SystemError:  # of ast.parse, which counts its depth for all threads in one place
        return signature(fn)
    if found is None:
        return None
    return tuple(p for p in found.parameters.values() if p.name != "self")


def _documented(fn: Any) -> inspect.Signature | None:
    """The signature in the first paragraph of a docstring, as Cython embeds it."""
    paragraph = (getattr(fn, "__doc__", None) or "").partition("\n\n")[0]
    _, parenthesis, rest = paragraph.replace("\n", " ").partition("(")
    scope: dict[str, Any] = {}
    text = UNSIGNED.get(getattr(fn, "__name__", "")) or f"def fn{parenthesis}{rest}: pass"
    try:
        exec(text, {}, scope)
    except SyntaxError:
        return None
    return inspect.signature(scope["fn"])


def members(cls: type) -> tuple[Member, ...]:
    """Every method, property and special method that instances of the class have."""
    found = []
    for name in sorted(dir(cls)):
        special = name.startswith("__") and name.endswith("__")
        if name in SKIPPED or (name.startswith("_") and not special):
            continue
        value = getattr(cls, name, None)
        if special and value is getattr(object, name, None):
            continue
        if name == "__init__":
            found.append(Member(name, signature(cls) or ()))
        elif callable(value):
            found.append(Member(name, signature(value) or ()))
        elif not special:
            found.append(Member(name, None))
    return tuple(found)


def factories(cls: type) -> list[Any]:
    """What makes instances: the class, and the class methods that are named for it."""
    return [cls, *(getattr(cls, n) for n in ("create", "attach", "fromkeys") if hasattr(cls, n))]


def fill(
    world: World, rng: random.Random, parameters: tuple[inspect.Parameter, ...]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a call, now and then a wrong one."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            continue
        if p.kind is p.VAR_POSITIONAL:
            count = rng.choice((0, 0, 1, 1, 2))
            positional += [argument(world, rng, p.name) for _ in range(count)]
            continue
        # A time-out is never left away: the call may wait for what never comes.
        if p.default is not p.empty and p.name != "timeout" and rng.random() < 0.5:
            if p.kind is p.POSITIONAL_ONLY:
                break
            continue
        value = argument(world, rng, p.name)
        if p.kind is p.POSITIONAL_ONLY or (p.default is p.empty and p.kind is not p.KEYWORD_ONLY):
            positional.append(value)
        else:
            named[p.name] = value
    return positional, named


WRONG = (None, -1, 0, 1.5, math.nan, "x", b"", (), True)


def argument(world: World, rng: random.Random, name: str) -> Any:
    if rng.random() < 0.02 and name not in ("timeout", "clock"):
        return rng.choice(WRONG)
    maker = MAKERS.get(name)
    return maker(world, rng) if maker else world.anything(rng)


def _one_of(*values: Any) -> Maker:
    return lambda world, rng: rng.choice(values)


def _number(world: World, rng: random.Random) -> Any:
    return rng.choice((0, 1, 1, 2, 3, 7, 20))


def _bound(world: World, rng: random.Random) -> Any:
    return rng.choice((1, 1, 2, 3, 8, 64))


def _callback(world: World, rng: random.Random) -> Any:
    """A function that answers with its last argument, after using the world or raising."""
    answer, raises = rng.random() < 0.8, rng.random() < 0.05

    def callback(*args: Any) -> Any:
        world.call_back()
        if raises:
            raise ValueError("raised by a callback")
        return args[-1] if answer and args else None

    return callback


def _size_of(world: World, rng: random.Random) -> Any:
    def size_of(item: Any) -> int:
        world.call_back()
        return 1 if isinstance(item, int) else 9

    return size_of


def _clock(world: World, rng: random.Random) -> Any:
    shift = [0]

    def clock() -> int:
        shift[0] += 1000
        world.call_back()
        return time.monotonic_ns() + shift[0]

    return clock


def _factory(world: World, rng: random.Random) -> Any:
    def factory() -> Any:
        world.call_back()
        return world.item(rng.randrange(99))

    return factory


class Slowly:
    """An iterator that uses the world in between. Threads may share it, unlike a generator."""

    __slots__ = ("values", "world")

    def __init__(self, world: World, values: list[Any]) -> None:
        self.world, self.values = world, values

    def __iter__(self) -> Slowly:
        return self

    def __next__(self) -> Any:
        self.world.call_back()
        try:
            return self.values.pop()
        except IndexError:
            raise StopIteration from None


def _several(world: World, rng: random.Random) -> Any:
    """Several items: a list, a tuple, or an iterator that uses the world in between."""
    count = rng.choice((0, 1, 2, 3, 5, 40))
    values = [world.value(rng) for _ in range(count)]
    if rng.random() < 0.6:
        return rng.choice((list, tuple))(values)
    return Slowly(world, values)


def _keys(world: World, rng: random.Random) -> Any:
    keys = [world.key(rng) for _ in range(rng.choice((0, 1, 3, 17)))]
    return keys if rng.random() < 0.6 else Slowly(world, keys)


def _contents(world: World, rng: random.Random) -> Any:
    """What a map may be made of: pairs, few or thousands, or another map."""
    if rng.random() < 0.2 and isinstance(kept := world.kept(rng), fastprims.Ctrie):
        return kept
    count = int(2 ** rng.uniform(0, rng.choice((3, 3, 6, 6, 6, 8, 8, 11))))
    return [(world.key(rng), world.value(rng)) if n < 8 else (n, [n]) for n in range(count)]


def _octets(world: World, rng: random.Random) -> Any:
    data = bytes([rng.randrange(256)]) * rng.choice((0, 1, 8, 60, 500, 3000))
    return rng.choice((bytes, bytearray, memoryview))(data)


def _topic(world: World, rng: random.Random) -> str:
    return rng.choice("./.").join(rng.choice("abc") for _ in range(rng.randint(1, 4)))


def _pattern(world: World, rng: random.Random) -> str:
    tokens = [rng.choice(("a", "b", "c", "*", "+")) for _ in range(rng.randint(1, 3))]
    return rng.choice("./.").join([*tokens, *rng.choice(([], [], [">"], ["#"]))])


def _name(world: World, rng: random.Random) -> Any:
    """The name of something that is there, or none."""
    name = None
    if rng.random() < 0.5:
        with contextlib.suppress(Exception):
            name = world.kept(rng).name
    return name


def _flag(world: World, rng: random.Random) -> Any:
    return rng.random() < 0.5


def _rarely(world: World, rng: random.Random) -> Any:
    return rng.random() < 0.1


def _kept(world: World, rng: random.Random) -> Any:
    return world.kept(rng)


def _value(world: World, rng: random.Random) -> Any:
    return world.value(rng)


def _key(world: World, rng: random.Random) -> Any:
    return world.key(rng)


def _anything(world: World, rng: random.Random) -> Any:
    return world.anything(rng)


def _item(world: World, rng: random.Random) -> Any:
    return _octets(world, rng) if world.octets and rng.random() < 0.7 else world.value(rng)


def _iterable(world: World, rng: random.Random) -> Any:
    if world.octets and rng.random() < 0.5:
        return [_octets(world, rng) for _ in range(rng.randrange(6))]
    return _several(world, rng)


def _fn(world: World, rng: random.Random) -> Any:
    answer = rng.choice((1, -1, 1 << 40))

    def fn(old: Any) -> Any:
        world.call_back()
        return old + answer if isinstance(old, int) else world.item(1)

    return fn


def _operation(world: World, rng: random.Random) -> Any:
    """What takes part in a select."""
    kept = world.kept(rng)
    if rng.random() < 0.1:
        return fastprims.after(rng.choice((0, 0.001)))
    if rng.random() < 0.5:
        return (getattr(kept, "put", None), world.value(rng))
    return getattr(kept, "get", kept)


MAKERS: dict[str, Maker] = {
    "anyone": _flag,
    "biased": _flag,
    "block": _flag,
    "burst": _bound,
    "capacity": lambda world, rng: rng.choice((4096, 1 << 14)) if world.octets else _bound(world, rng),
    "clock": _clock,
    "default": _anything,
    "desired": _anything,
    "drain_on_gc": _flag,
    "error": _one_of(None, ValueError("of a block")),
    "expected": _anything,
    "factory": _factory,
    "fn": _fn,
    "force": _flag,
    "immediate": _flag,
    "instance": _kept,
    "item": _item,
    "iterable": _iterable,
    "key": _key,
    "keys": _keys,
    "kind": _one_of(None, ValueError),
    "kwargs": _anything,
    "lanes": _one_of(1, 2, 8),
    "index": _number,
    "mapping": _contents,
    "max_idle": _one_of(None, 0, 1, 5),
    "max_item_size": _one_of(None, 1, 8, 100),
    "max_items": _one_of(0, 1, 2, 5, 100, 1 << 20),
    "max_size": _one_of(None, 1, 3, 20),
    "maxsize": _bound,
    "n": _number,
    "name": _name,
    "ndigits": _one_of(None, 0, -1, 3),
    "new": _value,
    "obj": _kept,
    "object": _anything,
    "on_pressure": _callback,
    "operation": _operation,
    "operations": _operation,
    "other": lambda world, rng: world.kept(rng) if rng.random() < 0.5 else _contents(world, rng),
    "overflow": _one_of("block", "reject", "drop_newest", "drop_oldest"),
    "owner": _anything,
    "pattern": _pattern,
    "pressure_interval": _one_of(0, 0, 0.001, 5),
    "protocol": _one_of(0, 2, 4, 5),
    "rate": lambda world, rng: rng.choice((None, 1e6, (1e5, 3), (10.0, 1))),
    "reset": _callback,
    "seconds": _one_of(0, 0.001),
    "size": _one_of(None, 0, 1, 8, 500),
    "size_of": _size_of,
    "spec": _one_of("", "d", ">5", "x", "?"),
    "subscriber": _key,
    "subscription": _kept,
    "syntax": _one_of("nats", "mqtt", "amqp"),
    "timeout": _one_of(0, 0, 1e-5, 1e-4, 1e-3, -1),
    "topic": _topic,
    "trace": _one_of(None),
    "traceback": _one_of(None),
    "value": _value,
}  # fmt: skip


def parameter_names() -> Iterator[tuple[str, str]]:
    """(parameter, where it is) of everything public, for the test that there is a maker for each."""
    for cls in classes():
        for member in members(cls):
            for p in member.parameters or ():
                if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                    yield p.name, f"{cls.__name__}.{member.name}"
