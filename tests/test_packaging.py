"""The installed package: its version, its type information, and what it depends on."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import pickle
import pickletools
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fastprims

PACKAGE = Path(fastprims.__file__).parent


def _extensions() -> Iterator[str]:
    """In the form "_queues.ext"."""
    for _, name, is_package in pkgutil.iter_modules([str(PACKAGE)]):
        if is_package:
            for _, part, _ in pkgutil.iter_modules([str(PACKAGE / name)]):
                if not (PACKAGE / name / f"{part}.py").exists():
                    yield f"{name}.{part}"


EXTENSIONS = list(_extensions())


def test_the_version_is_that_of_the_distribution() -> None:
    assert fastprims.__version__ == importlib.metadata.version("fastprims")


def test_nothing_is_required_at_run_time() -> None:
    required = importlib.metadata.requires("fastprims") or []
    assert [line for line in required if "extra ==" not in line.replace("'", '"')] == []


def test_type_information_is_installed() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert EXTENSIONS, "no extension modules found"
    for name in EXTENSIONS:
        assert stub_path(name).exists(), f"{name} has no stub"


def test_extension_modules_are_compiled_for_this_interpreter() -> None:
    for name in EXTENSIONS:
        module = importlib.import_module(f"fastprims.{name}")
        assert module.__file__ is not None
        assert module.__file__.endswith((".so", ".pyd"))


def stub_path(name: str) -> Path:
    return PACKAGE / f"{name.replace('.', '/')}.pyi"


def stub_of(name: str) -> ast.Module:
    return ast.parse(stub_path(name).read_text(encoding="utf-8"))


def public_members(cls: type) -> set[str]:
    """What a user may call or read, without what every object has."""
    return {name for name in dir(cls) if not name.startswith("_")}


def stub_classes() -> dict[str, dict[str, ast.AST]]:
    """Every stubbed class with its members, those of stubbed bases included."""
    classes: dict[str, tuple[list[str], dict[str, ast.AST]]] = {}
    for name in EXTENSIONS:
        for node in stub_of(name).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = (_bases(node), _members(node))

    def collect(name: str) -> dict[str, ast.AST]:
        bases, own = classes[name]
        merged: dict[str, ast.AST] = {}
        for base in reversed(bases):
            if base in classes:
                merged.update(collect(base))
        return {**merged, **own}

    return {name: collect(name) for name in classes}


def _bases(node: ast.ClassDef) -> list[str]:
    """`Queue[T]`, `_base.Queue[T]` and `Queue` are all Queue."""
    names = []
    for base in node.bases:
        inner: ast.AST = base.value if isinstance(base, ast.Subscript) else base
        names.append(inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", ""))
    return names


def _members(node: ast.ClassDef) -> dict[str, ast.AST]:
    found: dict[str, ast.AST] = {}
    for member in node.body:
        if isinstance(member, ast.FunctionDef):
            found[member.name] = member  # of several overloads the most general comes last
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            found[member.target.id] = member
        elif isinstance(member, ast.Assign):
            for target in member.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = member
    return found


def queue_classes() -> list[type]:
    """The compiled ones: of a class written in Python, type checkers see the source."""
    values = [getattr(fastprims, name) for name in fastprims.__all__]
    classes = [v for v in values if inspect.isclass(v) and hasattr(v, "try_put")]
    heap_type = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
    return [cls for cls in classes if not cls.__flags__ & heap_type]


@pytest.mark.parametrize("cls", queue_classes(), ids=lambda cls: cls.__name__)
def test_stub_and_class_have_the_same_members(cls: type) -> None:
    stubbed = {name for name in stub_classes()[cls.__name__] if not name.startswith("_")}
    assert stubbed == public_members(cls)


@pytest.mark.parametrize("cls", queue_classes(), ids=lambda cls: cls.__name__)
def test_stub_and_method_have_the_same_parameters(cls: type) -> None:
    """Names, order and defaults; help() and editors show the one, type checkers the other."""
    members = stub_classes()[cls.__name__]
    for name in public_members(cls):
        node = members[name]
        if not isinstance(node, ast.FunctionDef) or _is_property(node):
            continue
        shown = inspect.signature(getattr(cls, name)).parameters.values()
        typed = _parameters(node.args)
        if typed and typed[0][0] == "cls":
            del typed[0]
        assert [p.name for p in shown] == [parameter for parameter, _ in typed], name
        for parameter, (_, default) in zip(shown, typed, strict=True):
            empty = parameter.default is inspect.Parameter.empty
            if default not in (None, "..."):
                assert not empty and repr(parameter.default) == default, name


def _is_property(node: ast.FunctionDef) -> bool:
    decorators = {ast.unparse(d).rpartition(".")[2] for d in node.decorator_list}
    return bool(decorators & {"property", "setter"})


def _parameters(args: ast.arguments) -> list[tuple[str, str | None]]:
    """Names with their defaults as text, positional ones first."""
    positional = [*args.posonlyargs, *args.args]
    missing = len(positional) - len(args.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *args.defaults]
    parameters = [*positional, *args.kwonlyargs]
    values = [*defaults, *args.kw_defaults]
    texts = [None if value is None else ast.unparse(value) for value in values]
    return [(p.arg, text) for p, text in zip(parameters, texts, strict=True)]


def test_the_stubs_name_nothing_that_is_not_there() -> None:
    for name in EXTENSIONS:
        module = importlib.import_module(f"fastprims.{name}")
        for node in stub_of(name).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                assert hasattr(module, node.name), f"{name}.{node.name}"


def names_in(pickle: bytes) -> set[tuple[str, str]]:
    """The classes and functions that a pickle of protocol 2 refers to."""
    found = (arg for op, arg, _ in pickletools.genops(pickle) if op.name == "GLOBAL")
    return {tuple(arg.split(" ", 1)) for arg in found}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: fastprims.Ctrie(a=1), {("fastprims", "Ctrie")}),
        (lambda: fastprims.Ctrie().readonly_snapshot(), {("fastprims._ctrie", "snapshot_of")}),
        (lambda: fastprims.Queue().stats(), {("fastprims._stats", "QueueStats")}),
        (fastprims.ItemTooLarge, {("fastprims._errors", "ItemTooLarge")}),
    ],
)
def test_pickles_keep_the_names_that_they_contain(
    make: Callable[[], object], names: set[tuple[str, str]]
) -> None:
    """Other processes, and files, have pickles of other versions."""
    made = pickle.dumps(make(), 2)
    assert names <= names_in(made)
    assert type(pickle.loads(made)) is type(make())


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory is for Linux")
def test_pickles_of_shared_memory_keep_the_names_that_they_contain() -> None:
    with fastprims.ShmQueue() as q:
        found = names_in(pickle.dumps(q, 2))
    assert {("fastprims._shmqueue", "_attach"), ("fastprims", "ShmQueue")} <= found
