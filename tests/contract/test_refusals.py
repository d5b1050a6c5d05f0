"""What a drop-in cannot honour fails loudly, and says what to do instead."""

from __future__ import annotations

import pytest
from support.kinds import Kind, on

INTERNALS = ["mutex", "not_empty", "not_full", "all_tasks_done", "queue"]
HOOKS = ["_put", "_get", "_init", "_qsize"]

drop_in = on("tasks", ours=True)


@pytest.mark.parametrize("name", INTERNALS)
@drop_in
def test_internals_of_the_standard_queue_are_refused_with_advice(kind: Kind, name: str) -> None:
    q = kind.make()
    with pytest.raises(AttributeError) as caught:
        getattr(q, name)
    message = str(caught.value)
    assert name in message
    assert len(message.split()) > 6, f"not a sentence: {message!r}"
    assert not hasattr(q, name)
    assert getattr(q, name, None) is None


@pytest.mark.parametrize("name", INTERNALS)
@drop_in
def test_internals_are_refused_in_subclasses_too(kind: Kind, name: str) -> None:
    class Sub(kind.cls):  # type: ignore[name-defined,misc]
        pass

    with pytest.raises(AttributeError):
        getattr(Sub(), name)


@pytest.mark.parametrize("hook", HOOKS)
@drop_in
def test_overriding_a_hook_fails_when_the_class_is_made(kind: Kind, hook: str) -> None:
    with pytest.raises(TypeError) as caught:
        type("Custom", (kind.cls,), {hook: lambda self, *args: None})
    message = str(caught.value)
    assert hook in message
    assert len(message.split()) > 6, f"not a sentence: {message!r}"


@pytest.mark.parametrize("hook", HOOKS)
@drop_in
def test_a_hook_hidden_in_a_mixin_is_found(kind: Kind, hook: str) -> None:
    """Where the standard class would call the mix-in's hook, silence would be a lie."""
    mixin = type("Mixin", (), {hook: lambda self, *args: None})
    with pytest.raises(TypeError):
        type("Custom", (mixin, kind.cls), {})


@drop_in
def test_a_hook_in_the_grandchild_is_found(kind: Kind) -> None:
    class Fine(kind.cls):  # type: ignore[name-defined,misc]
        pass

    with pytest.raises(TypeError):
        type("Custom", (Fine,), {"_put": lambda self, item: None})


@drop_in
def test_init_subclass_of_others_still_runs(kind: Kind) -> None:
    seen = []

    class Mixin:
        def __init_subclass__(cls, tag: str = "", **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            seen.append(tag)

    type("Tagged", (Mixin, kind.cls), {}, tag="x")
    assert seen == ["x"]


@drop_in
def test_other_missing_attributes_say_their_name(kind: Kind) -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = kind.make().no_such_thing
