"""Finds the private names of other packages that this package uses."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.compatibility.rows import ROOT

PACKAGE = ROOT / "pytest_supercache"

PROMISED = frozenset({"_exit", "_replace"})
"""Names that are documented in spite of it: of `os`, and of named tuples."""

OTHER_WORDS = frozenset({"_FAST", "_test"})
"""A part of names of instructions, and how names of test files end."""

_PRIVATE = re.compile(r"(?<!\w)_[a-zA-Z]\w*(?<!_)(?!\w)")
_CLASS = re.compile(r"^class ", re.MULTILINE)
_DOTTED = re.compile(r"[\w.:]+(?: [\w.:]+)*")


class Used(NamedTuple):
    """A name, and where it is used."""

    name: str
    place: str

    def is_in(self, page: str) -> bool:
        """Say whether a page mentions it."""
        return self.name in _words_of(page)


@cache
def _words_of(page: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", page))


def used_names(package: Path = PACKAGE) -> list[Used]:
    """Return each private name that is used of others, once for each module.

    A name is our own where the module that uses it defines it; behind ``self``, in a text or as
    the attribute of another module's class, where any module of the package does.
    """
    trees = {
        path: list(ast.walk(ast.parse(path.read_text("utf-8"))))
        for path in sorted(package.rglob("*.py"))
    }
    defined = {path: frozenset(_defined(tree)) for path, tree in trees.items()}
    everywhere = frozenset().union(*defined.values()) | PROMISED | OTHER_WORDS
    found: dict[tuple[str, Path], Used] = {}
    for path, tree in trees.items():
        for name, line, is_near in _used(tree):
            own = everywhere if is_near else defined[path] | PROMISED | OTHER_WORDS | _SHARED
            if name not in own:
                place = f"{path.relative_to(package)}:{line}"
                found.setdefault((name, path), Used(name=name, place=place))
    return list(found.values())


_SHARED = frozenset({"_real", "_take_in", "_is_quiet_by_default"})
"""Attributes of our own classes that other modules of the package use."""


def _defined(tree: list[ast.AST]) -> Iterator[str]:
    """Yield the names that a module defines: functions, classes, variables, attributes of self."""
    for node in tree:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if _is_self(node.value):
                yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


def _used(tree: list[ast.AST]) -> Iterator[tuple[str, int, bool]]:
    """Yield private names, the line of each, and whether any module may define it."""
    described = {id(node.value) for node in tree if isinstance(node, ast.Expr)}
    for node in tree:
        if isinstance(node, ast.Attribute) and _PRIVATE.fullmatch(node.attr):
            yield node.attr, node.lineno, _is_self(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                yield name, node.lineno, True
        elif isinstance(node, ast.Constant) and id(node) not in described:
            for name in _named_in(node.value):
                yield name, node.lineno, True


def _is_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in {"self", "cls"}


def _imported(node: ast.Import | ast.ImportFrom) -> Iterable[str]:
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    return _PRIVATE.findall(" ".join([module, *(alias.name for alias in node.names)]))


def _named_in(value: object) -> Iterable[str]:
    """Return the private names in a text that consists of names: ``"module:Class._attribute"``."""
    if not isinstance(value, str) or not _DOTTED.fullmatch(value):
        return ()
    return [name for name in _PRIVATE.findall(value) if not name.startswith("_supercache")]


def overridden_names(package: Path = PACKAGE) -> list[Used]:
    """Return the private methods of others that classes of the package override."""
    found = []
    for path in sorted(package.rglob("*.py")):
        if _CLASS.search(path.read_text("utf-8")) and path.stem != "__main__":
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
            module = importlib.import_module(name.removesuffix(".__init__"))
            for kind in vars(module).values():
                if inspect.isclass(kind) and kind.__module__ == module.__name__:
                    found += [Used(name=one, place=f"{name}:{kind.__name__}") for one in _of(kind)]
    return found


def _of(kind: type[Any]) -> Iterator[str]:
    bases = [base for base in kind.__mro__ if not base.__module__.startswith("pytest_supercache")]
    for name, value in vars(kind).items():
        is_private_method = inspect.isfunction(value) and _PRIVATE.fullmatch(name)
        if is_private_method and any(name in vars(base) for base in bases):
            yield name
