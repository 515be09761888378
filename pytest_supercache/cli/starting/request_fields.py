"""Reads in the source of a view which fields of a request it takes, and from where."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_ATTRIBUTES = {
    "json": "json", "data": "json", "form": "form", "POST": "form", "args": "params",
    "GET": "params",
}  # fmt: skip
"""Attributes of a request, and the argument of a test client that fills them."""


class TakenFields(NamedTuple):
    """The argument of a client's method (`json`, `form`, `params`), and the names that are read."""

    kind: str
    names: tuple[str, ...]  # none: the value as a whole


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of a function below its decorators' wrappers, or an empty text."""
    try:
        return textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError):
        return ""


def fields_of(function: Callable[..., Any]) -> TakenFields | None:
    """Return what a view takes from its request; None: nothing, or it cannot be told."""
    try:
        tree = ast.parse(source_of(function))
    except SyntaxError:
        return None
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (kind := _kind(node.value, known)):
            known |= {target.id: kind for target in node.targets if isinstance(target, ast.Name)}
    read = sorted(_read(tree, known), key=lambda one: one[0])
    forms = list(_forms(tree, known, inspect.unwrap(function)))
    for kind in ("json", "form", "params"):
        names = dict.fromkeys(name for _, of, name in read if of == kind)
        if names:
            return TakenFields(kind, tuple(names))
    if forms:
        return TakenFields("form", tuple(forms))
    return TakenFields("json", ()) if "json" in known.values() else None


def _kind(node: ast.AST, known: dict[str, str]) -> str | None:
    """Return where an expression comes from: a part of the request, or a name for one."""
    match node:
        case ast.Name(id=name):
            return known.get(name)
        case ast.Attribute(value=ast.Name(id="request") | ast.Attribute(attr="request"), attr=attr):
            return _ATTRIBUTES.get(attr)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="request"), attr="get_json")):
            return "json"
        case ast.Call(func=ast.Attribute(attr="loads"), args=[first, *_]) if (
            "request" in ast.unparse(first)
        ):
            return "json"
        case ast.BoolOp(values=[first, *_]):
            return _kind(first, known)
        case _:
            return None


def _read(tree: ast.AST, known: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the kind and the name of each field that is looked up."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
                kind = _kind(value, known)
            case ast.Call(
                func=ast.Attribute(value=value, attr="get"),
                args=[ast.Constant(value=str() as name), *_],
            ):
                kind = _kind(value, known)
            case _:
                continue
        if kind:
            yield node.lineno, kind, name


def _forms(tree: ast.AST, known: dict[str, str], function: Any) -> Iterator[str]:
    """Yield the fields of Django forms that are made of the request."""
    names = getattr(function, "__globals__", {})
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if (
                _kind(first, known) == "form"
            ):
                yield from getattr(names.get(name), "base_fields", ())
