"""Queues as Python objects: generics, weak references, subclasses, copies, repr."""

from __future__ import annotations

import copy
import gc
import pickle
import types
import weakref

import pytest
from support.kinds import Kind, on


@on()
def test_classes_take_type_arguments(kind: Kind) -> None:
    alias = kind.cls[int]
    assert isinstance(alias, types.GenericAlias)
    assert alias.__origin__ is kind.cls
    assert alias.__args__ == (int,)
    q = alias(3) if kind.bounded else alias()
    assert type(q) is kind.cls
    q.put(1)
    assert q.get() == 1


@on()
def test_weak_references_work(kind: Kind) -> None:
    q = kind.make()
    fired: list[object] = []
    ref = weakref.ref(q, fired.append)
    assert ref() is q
    del q
    gc.collect()
    assert ref() is None
    assert fired == [ref]


@on()
def test_queues_are_compared_by_identity(kind: Kind) -> None:
    a, b = kind.make(), kind.make()
    assert a == a and a != b
    assert len({a, b, a}) == 2


@on()
def test_a_subclass_may_add_and_extend(kind: Kind) -> None:
    class Counting(kind.cls):  # type: ignore[name-defined,misc]
        """Counts its puts, and takes a name."""

        def __init__(self, name: str, *args: int) -> None:
            super().__init__(*args)
            self.name = name
            self.count = 0

        def put(self, item: object, *args: object, **kwargs: object) -> None:
            super().put(item, *args, **kwargs)
            self.count += 1

    q = Counting("a", 3) if kind.bounded else Counting("a")
    for n in range(3):
        q.put(n)
    assert (q.name, q.count, q.qsize()) == ("a", 3, 3)
    if kind.bounded:
        assert q.full()
    assert isinstance(q, kind.cls)
    assert [q.get() for _ in range(3)] == kind.ordered(range(3))
    ref = weakref.ref(q)
    q.me = q
    del q
    gc.collect()
    assert ref() is None


@on(ours=True)
def test_len_is_qsize(kind: Kind) -> None:
    q = kind.make()
    assert len(q) == 0
    q.put_many(range(7))
    assert len(q) == q.qsize() == 7


@on(ours=True)
def test_repr_names_the_class_and_the_fill(kind: Kind) -> None:
    q = kind.make(17) if kind.bounded else kind.make()
    q.put_many(range(13))
    text = repr(q)
    assert kind.cls.__name__ in text
    assert "13" in text
    if kind.bounded:
        assert "17" in text
    fresh = text
    q.shutdown()
    assert repr(q) != fresh, "a queue that was shut down should say so"

    class Named(kind.cls):  # type: ignore[name-defined,misc]
        pass

    assert "Named" in repr(Named(4) if kind.bounded else Named())


@on(ours=True)
def test_repr_does_not_look_at_the_items(kind: Kind) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise AssertionError("repr of a queue must not call its items")

    q = kind.make()
    q.put(Shy())
    repr(q)
    q.get()
    q.put(q)
    repr(q)
    q.get()


@on(ours=True)
def test_copying_and_pickling_are_refused_with_a_reason(kind: Kind) -> None:
    """The drop-ins refuse what the standard ones refuse, for the reason that those have."""
    q = kind.make()
    q.put(1)
    attempts = [lambda: copy.deepcopy(q)]
    if not kind.tasks:
        attempts.append(lambda: copy.copy(q))
    attempts += [
        lambda protocol=protocol: pickle.dumps(q, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for attempt in attempts:
        with pytest.raises((TypeError, pickle.PicklingError)) as caught:
            attempt()
        reason = "lock" if kind.tasks else kind.cls.__name__
        assert reason in str(caught.value)
    assert q.get() == 1


@on(ours=True)
def test_classes_and_methods_are_documented(kind: Kind) -> None:
    assert kind.cls.__doc__ and len(kind.cls.__doc__) > 40
    for name in dir(kind.cls):
        if not name.startswith("_") and hasattr(kind.cls, name):
            assert getattr(kind.cls, name).__doc__, f"{kind.cls.__name__}.{name} has no docstring"


@on(ours=True)
def test_classes_name_a_public_home(kind: Kind) -> None:
    assert kind.cls.__module__ == "fastprims"
    assert kind.cls.__qualname__ == kind.cls.__name__


@on(ours=True)
def test_classes_cannot_be_changed_by_accident(kind: Kind) -> None:
    """Types are shared by every thread, so they are immutable, but where programs patch them."""
    if kind.tasks:
        kind.cls.note = 1  # type: ignore[attr-defined]
        del kind.cls.note  # type: ignore[attr-defined]
        return
    with pytest.raises(TypeError):
        kind.cls.note = 1  # type: ignore[attr-defined]


@on()
def test_instances_take_attributes_where_the_standard_ones_do(kind: Kind) -> None:
    """Programs hang a name on a Queue; a misspelt attribute of the others fails at once."""
    q = kind.make()
    if kind.tasks:
        q.label = "mine"
        assert q.label == "mine"
    else:
        with pytest.raises(AttributeError):
            q.label = "mine"


@on(ours=True)
def test_a_queue_made_without_init_is_harmless(kind: Kind) -> None:
    """Either it works, or it says at once that it was not initialised."""
    try:
        q = kind.cls.__new__(kind.cls)
    except TypeError:
        return
    for call in (lambda: q.put(1), q.qsize, lambda: q.try_get(), lambda: repr(q), q.shutdown):
        try:
            call()
        except (RuntimeError, ValueError, TypeError):
            pass
    gc.collect()


@on(ours=True)
def test_calling_init_again_loses_no_memory_safety(kind: Kind) -> None:
    q = kind.make()
    q.put("kept")
    try:
        q.__init__(5) if kind.bounded else q.__init__()
    except (RuntimeError, TypeError):
        pass
    for _ in range(q.qsize()):
        assert q.get() == "kept"
    q.put("more")
    assert q.get() == "more"
