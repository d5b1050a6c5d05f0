"""The reference, from docstrings and stubs.

Docstrings are plain text with `names`, lists, and the parts that tools/docs.py asks for:

    Errors: what is raised, and when.
    Example:
        >>> code()

Signatures come from the stubs, since compiled methods have no annotations.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import fastprims
from fastprims import aio, metrics, queue, raw

PARTS = ("Errors", "Complexity", "Progress", "Source", "Example")
PART = re.compile(rf"^({'|'.join(PARTS)}):(.*)$")
CODE = re.compile(r"(``?)(.+?)\1")
SPECIAL = re.compile(r"[\\*_|]")
MODULES = {"": fastprims, "aio.": aio, "queue.": queue, "metrics.": metrics, "raw.": raw}


def to_rst(lines: list[str]) -> Iterator[str]:
    in_code = False
    for line in lines:
        stripped = line.strip()
        in_code = bool(stripped) and (in_code or stripped.startswith(">>>"))
        if in_code:
            yield line
        elif part := PART.match(line):
            yield f":{part[1]}:{_escaped(part[2])}"
        else:
            yield _escaped(line)


def _escaped(line: str) -> str:
    """Only code in backticks is markup."""
    pieces, end = [], 0
    for code in CODE.finditer(line):
        pieces += [SPECIAL.sub(r"\\\g<0>", line[end : code.start()]), f"``{code[2]}``"]
        end = code.end()
    return "".join([*pieces, SPECIAL.sub(r"\\\g<0>", line[end:])])


def process_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    if what != "module":
        lines[:] = _joined(lines)
        lines[:] = to_rst(lines)


def _joined(lines: list[str]) -> list[str]:
    """Code in backticks may go on in the next line; join those lines."""
    joined: list[str] = []
    open_ = False
    for line in lines:
        if open_:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
        open_ = not line.lstrip().startswith((">>>", "...")) and joined[-1].count("`") % 2 == 1
    return joined


# Signatures: {"Queue": {"put": definition}}, and the functions of modules under "". The classes of
# fastprims.aio, which have the names of others, are "aio.Queue" and so on.
Stubs = dict[str, dict[str, ast.FunctionDef]]


def read_stubs(package: Path) -> Stubs:
    stubs: Stubs = {"": {}}
    bases: dict[str, list[str]] = {}
    for file in sorted(package.rglob("*.pyi")):
        prefix = "aio." if file.parent.name == "_aio" else ""
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                stubs[""][node.name] = node
            elif isinstance(node, ast.ClassDef):
                found = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef)}
                stubs[prefix + node.name] = found
                bases[prefix + node.name] = [prefix + _base(base) for base in node.bases]

    def whole(name: str) -> dict[str, ast.FunctionDef]:
        inherited: dict[str, ast.FunctionDef] = {}
        for base in reversed(bases.get(name, [])):
            inherited.update(whole(base))
        return {**inherited, **stubs.get(name, {})}

    return {name: whole(name) or found for name, found in stubs.items()}


def _base(node: ast.expr) -> str:
    inner = node.value if isinstance(node, ast.Subscript) else node
    return inner.id if isinstance(inner, ast.Name) else ""


STUBS = read_stubs(Path(fastprims.__file__).parent)


def process_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """The stub's signature, without the parameter for the object itself."""
    if signature is None:  # it has none: such an object is made by another one's method
        return None
    owner, _, member = name.rpartition(".")
    if what == "class":
        members = STUBS.get(_key(name), {})
        found = members.get("__init__") or members.get("__new__")
    elif what == "method":
        found = STUBS.get(_key(owner), {}).get(member)
    else:
        found = STUBS[""].get(member) if what == "function" else None
    if found is None:
        return None
    decorators = {d.id for d in found.decorator_list if isinstance(d, ast.Name)}
    answer = _plain(found.returns) if found.returns and what != "class" else None
    if "overload" in decorators:  # the last one: its answer is the most general
        return signature, answer
    static = "staticmethod" in decorators
    arguments = found.args
    if what != "function" and not static:
        _drop_first(arguments := _copy(arguments))
    return f"({_plain(arguments)})", answer


def _key(cls: str) -> str:
    """Of a class, by its full name."""
    module, _, name = cls.rpartition(".")
    return "aio." * (module == "fastprims.aio") + name


def _plain(node: ast.AST) -> str:
    """As source, with T for the type variable _T."""
    return re.sub(r"\b_(?=[A-Z]\b)", "", ast.unparse(node))


def _copy(arguments: ast.arguments) -> ast.arguments:
    parsed = ast.parse(f"def f({ast.unparse(arguments)}): ...").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    return parsed.args


def _drop_first(arguments: ast.arguments) -> None:
    if arguments.posonlyargs:
        del arguments.posonlyargs[0]
    else:
        del arguments.args[0]


def link_names(app: Sphinx, document: nodes.document) -> None:
    """`Queue`, `Queue(maxsize)` or `Queue.put` in any text becomes a link to its place in the reference."""
    for literal in list(document.findall(nodes.literal)):
        if isinstance(literal.parent, (nodes.reference, addnodes.pending_xref, nodes.title)):
            continue
        target = target_of(literal.astext())
        if target:
            link = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True, refwarn=True
            )
            literal.replace_self(link)
            link += literal


def plain_types(app: Sphinx, document: nodes.document) -> None:
    """Builtin types and type variables have no page, and must not lead to an attribute's."""
    for link in list(document.findall(addnodes.pending_xref)):
        name = link.get("reftarget", "")
        if link.get("reftype") == "class" and (hasattr(builtins, name) or name.endswith("._T")):
            link.replace_self(nodes.Text(link.children[0].astext()))


def target_of(text: str) -> str | None:
    """The documented object that a piece of code names, if it names a public one."""
    name = re.sub(r"\(.*\)$", "", text).removeprefix("fastprims.")
    for prefix, module in MODULES.items():
        head, _, member = name.removeprefix(prefix).partition(".")
        if prefix and not name.startswith(prefix):
            continue
        if head in module.__all__ and (not member or hasattr(getattr(module, head), member)):
            if prefix == "queue." and head in fastprims.__all__:
                return f"fastprims.{head}{member and '.' + member}"
            return f"fastprims.{prefix}{head}{member and '.' + member}"
    return None


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("doctree-read", link_names)
    app.connect("doctree-read", plain_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
