"""Puts the drop-ins into the standard library's module `queue`, for the whole process, and back."""

from __future__ import annotations

import functools
import os
import queue
import sys
from threading import RLock
from types import ModuleType

from fastprims._common import ext
from fastprims._common.hub import name_of_hub
from fastprims._errors import ShutDown
from fastprims._queues import standard
from fastprims._queues.dropin import LifoQueue, PriorityQueue, Queue
from fastprims._queues.ext import SimpleQueue

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

__all__ = ["build_info", "install", "install_as", "uninstall"]

OURS: dict[str, type] = {
    "LifoQueue": LifoQueue,
    "PriorityQueue": PriorityQueue,
    "Queue": Queue,
    "SimpleQueue": SimpleQueue,
}
STANDARD: dict[str, type] = {name: getattr(standard, name) for name in OURS}
REPLACEMENT = {STANDARD[name]: ours for name, ours in OURS.items()}

SPAWN = "multiprocessing.spawn"

_lock = RLock()  # a signal handler may call install() too


class _State:
    """What install() has done, for uninstall() and for build_info()."""

    def __init__(self, asked_by: str) -> None:
        self.asked_by = asked_by
        self.replaced: list[tuple[ModuleType, str, type]] = []
        self.kept: list[str] = []
        self.added_shut_down = False
        self.told: tuple[ModuleType, Callable[..., Any], Callable[..., Any]] | None = None


_state: _State | None = None


def install() -> None:
    """Make the whole program use fastprims' queues. From here on, `queue.Queue`,
    `queue.SimpleQueue`, `queue.LifoQueue` and `queue.PriorityQueue` are fastprims' classes. So are
    the names in modules that were imported before and had taken the standard classes from there
    (`from queue import Queue`). `queue.ShutDown` is there on every Python version.

    Call it first, before other imports: what was made from the standard classes before stays as it
    is and works as before, but it is no faster. That is: queues, subclasses and the modules that
    define them, default arguments, attributes of classes. `build_info()` tells which names were
    replaced and which were not. Processes that `multiprocessing` starts have the replacement, too.

    A second call does nothing; `uninstall()` undoes the first. Any thread may call either.

    Errors: RuntimeError: gevent or eventlet has patched the standard library. Their own queues let
        greenlets run without polling.
    Complexity: O(names in imported modules).
    Progress: blocking: a lock orders install() and uninstall(). No queue operation takes it.
    Source: the names are assigned; an import hook of multiprocessing's children does the same
        there. fastprims/_queues/install.py.
    Example:
        >>> import queue, fastprims
        >>> fastprims.install()
        >>> queue.Queue is fastprims.Queue
        True
        >>> fastprims.uninstall()
    """
    install_as("install()")


def install_as(asked_by: str) -> None:
    """install(), with the name of the caller for build_info()."""
    global _state
    with _lock:
        if _state is not None:
            return
        if hub := name_of_hub():
            raise RuntimeError(
                f"{hub} has patched the standard library, and its own queues serve its greenlets "
                "better than fastprims', which poll there. Do without install() in this program; "
                f"or call it first, and {hub} afterwards has the last word"
            )
        _state = _State(asked_by)
        if not hasattr(queue, "ShutDown"):
            queue.ShutDown = ShutDown  # type: ignore[attr-defined]
            queue.__all__ = [*queue.__all__, "ShutDown"]
            _state.added_shut_down = True
        _replace_names(_state)
        if (spawn := sys.modules.get(SPAWN)) is not None:
            _tell_children(spawn, _state)
        else:
            sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Undo install(): the names that it replaced are the standard classes again, except where
    other code has changed them since. Without install() it does nothing.

    Existing queues stay what they are and go on working. Modules that were imported in between
    keep the classes that they took.

    Errors: none.
    Complexity: O(names that were replaced).
    Progress: blocking, as install().
    Source: fastprims/_queues/install.py.
    Example:
        >>> import queue, fastprims
        >>> fastprims.install()
        >>> fastprims.uninstall()
        >>> queue.Queue is fastprims.Queue
        False
    """
    global _state
    with _lock:
        if _state is None:
            return
        for module, name, standard in _state.replaced:
            namespace = _namespace(module)
            if namespace.get(name) is REPLACEMENT[standard]:
                namespace[name] = standard
        if _state.added_shut_down:
            del queue.ShutDown  # type: ignore[attr-defined]
            queue.__all__ = [name for name in queue.__all__ if name != "ShutDown"]
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        if _state.told is not None:
            spawn, original, ours = _state.told
            if spawn.get_preparation_data is ours:
                spawn.get_preparation_data = original  # type: ignore[attr-defined]
        _state = None


def build_info() -> dict[str, str | int]:
    """How this copy of fastprims was compiled: the interpreter's threading ("GIL" or
    "free-threaded"), the atomics of Python-object structures ("plain" under the GIL, or "C11"),
    how MPMCRing works ("16-byte compare-and-swap" or "fallback"; with plain atomics neither is
    needed), bytes of cache-line padding, how threads sleep, and the compiler.

    It also tells whose classes the module `queue` has: the entry `queue` is "standard", or
    "fastprims" after `install()`. Then `installed_by` says what asked for it, `replaced` which
    names of which modules were replaced, and `kept`, if there are any, which names are still the
    standard classes, and why.

    Errors: none.
    Complexity: O(names that were replaced).
    Progress: wait-free; it reads constants, and copies what install() has noted.
    Source: macros of the compiler; csrc/base/fp_config.h.
    Example:
        >>> import fastprims
        >>> fastprims.build_info()["threading"] in ("GIL", "free-threaded")
        True
    """
    info = ext.build_info()
    with _lock:
        if _state is None:
            return {**info, "queue": "standard"}
        info = {**info, "queue": "fastprims", "installed_by": _state.asked_by}
        info["replaced"] = ", ".join(
            f"{module.__name__}.{name}" for module, name, _ in _state.replaced
        )
        if _state.kept:
            info["kept"] = "; ".join(_state.kept)
        return info


def _namespace(module: ModuleType) -> dict[str, Any]:
    # module.__dict__ would load a module that is lazy, that is, loaded when it is first used.
    namespace: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return namespace


def _replace_names(state: _State) -> None:
    """Replaces the names in `queue` first, so that concurrent imports get the new classes."""
    bound = _modules_of_subclasses()
    modules = [queue, *(m for m in list(sys.modules.values()) if m is not queue)]
    for module in modules:
        # isinstance() would read module.__class__, and value.__class__ below: many a proxy would
        # take that for its first use.
        if not issubclass(type(module), ModuleType):
            continue
        namespace = _namespace(module)
        own_name = namespace.get("__name__")
        # _queue is where the standard class comes from: a program that imports it wants just that.
        if not isinstance(own_name, str) or own_name.partition(".")[0] in ("_queue", "fastprims"):
            continue
        for name, value in list(namespace.items()):
            if type(value) is not type or value not in REPLACEMENT:
                continue
            if subclass := bound.get(own_name):
                # Methods of the subclass may call Queue.put(self, ...), which accepts only
                # instances of its own class.
                state.kept.append(f"{own_name}.{name}: {subclass} derives from it")
            elif attribute := _attribute_of_class(namespace):
                # The module may compare the two.
                state.kept.append(f"{own_name}.{name}: {attribute} is a standard class, too")
            else:
                namespace[name] = REPLACEMENT[value]
                state.replaced.append((module, name, value))
    for name in OURS.keys() - {name for module, name, _ in state.replaced if module is queue}:
        state.kept.append(f"queue.{name}: somebody else had replaced it")


def _attribute_of_class(namespace: dict[str, Any]) -> str | None:
    """A class attribute that is a standard class, if a class that this module defines has one."""
    for cls in list(namespace.values()):
        if issubclass(type(cls), type):
            attributes = type.__dict__["__dict__"].__get__(cls)
            if attributes.get("__module__") == namespace["__name__"]:
                for name, value in list(attributes.items()):
                    if type(value) is type and value in REPLACEMENT:
                        return f"{cls.__qualname__}.{name}"
    return None


def _modules_of_subclasses() -> dict[str, str]:
    """Modules with classes that derive from the standard ones, each with one of these classes."""

    def below(cls: type) -> Iterator[type]:
        subclasses: list[type] = type.__subclasses__(cls)
        for subclass in subclasses:
            yield subclass
            yield from below(subclass)

    found = (sub for cls in REPLACEMENT for sub in below(cls) if sub.__module__ != "queue")
    ours = set(OURS.values())
    return {sub.__module__: sub.__qualname__ for sub in found if not ours & set(sub.__mro__)}


if hasattr(os, "register_at_fork"):
    # No child starts with half of install() done, or with a lock that no thread will release.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


# Processes that are spawned, or forked by a server: the first message of the parent tells the child
# to install, before the child imports the program. multiprocessing is not imported for that.


class _ForChild:
    """Calls install() in the process that unpickles it. It carries only the parent's sys.path."""

    def __init__(self, path: list[str]) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str, dict[str, Any]]]:
        source = f"import sys; sys.path[:] = {self.path!r}; "
        source += f"import {__name__} as i; i.install_as('multiprocessing')"
        return exec, (source, {})


def _tell_children(module: ModuleType, state: _State) -> None:
    original = module.get_preparation_data

    @functools.wraps(original)
    def get_preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = original(name)
        if name == "ignore":  # the fork server, which would import the program itself, from 3.14 on
            data.pop("init_main_from_path", None)
        data["fastprims"] = _ForChild(data.get("sys_path", sys.path))
        return data

    module.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]
    state.told = module, original, get_preparation_data


class _SpawnFinder:
    """Notices the import of multiprocessing.spawn, and leaves the finding to the other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != SPAWN:
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec: ModuleSpec | None = finder.find_spec(name, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = _SpawnLoader(spec.loader)  # type: ignore[assignment]
                    return spec
        return None


class _SpawnLoader:
    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        with _lock:
            if _state is not None:
                sys.meta_path.remove(_finder)
                _tell_children(module, _state)


_finder = _SpawnFinder()
