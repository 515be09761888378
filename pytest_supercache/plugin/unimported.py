"""Says, from its text alone, whether a module that was not imported may have explored tests.

A module has some if it imports this package, or if a decorator of a function is from a module of
the project that imports it: projects wrap ``explore`` in a helper of their own.
"""

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_supercache.core.folders import real_path
from pytest_supercache.plugin.shadowed import text_of

NAME = b"pytest_supercache"
_HELPERS_MAX = 1_000  # modules that are looked into for one; a module that has more may have tests


def names_us(path: Path) -> bool:
    """Say whether the text of a module has the name of this package, as a quick test."""
    return NAME in text_of(path)


def may_explore(path: Path, root: Path) -> bool:
    """Say whether a module may have explored tests; modules outside of ``root`` have none."""
    text = text_of(path)
    if NAME in text:
        return True
    decorators, imported = _decorators_and_imports(text)
    names = decorators & set(imported)
    if decorators - names:  # `from helper import *` may have brought it
        names.add("*")
    modules = [module for name in names for module in imported.get(name, ())]
    return _lead_to_us(_files(modules, path, root), root)


_LIKE_TESTS = re.compile("test|tset|spec", re.IGNORECASE)
_OF_TESTS = re.compile("tests?|specs?", re.IGNORECASE)
"""The names of modules, and of folders, in which a function is meant as a test."""


def is_among_tests(path: Path, root: Path) -> bool:
    """Say whether a module is called like tests, whatever pytest's patterns, or lies among them."""
    folders = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    return bool(_LIKE_TESTS.search(path.stem) or any(map(_OF_TESTS.fullmatch, folders)))


def has_explored_tests(path: Path) -> bool:
    """Say whether a module itself has functions named like tests that ``explore`` decorates.

    A text with a mistake in its syntax counts if it may be one of these.
    """
    text = text_of(path)
    if NAME not in text:
        return False
    if not (nodes := _nodes(text)):
        return _MAY_EXPLORE.search(text) is not None
    explores = {"explore", *_names_of_explore(nodes)}
    return any(not _words(made).isdisjoint(explores) for made in _made_as_tests(nodes))


_MAY_EXPLORE = re.compile(rb"\bexplore\b.*\bdef\s+test", re.DOTALL)


def explored_tests(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each function like a test that an import should decorate.

    They have ``explore`` among their decorators, wherever they stand in the module: under a
    condition, too, or in a function that nothing in the module calls or decorates.
    """
    text = text_of(path)
    nodes = _nodes(text) if NAME in text else []
    explores = {"explore", *_names_of_explore(nodes)}
    waiting: list[ast.AST] = nodes[:1]  # the module
    while waiting:
        node = waiting.pop()
        if isinstance(node, _FUNCTION):
            if not _words(node.decorator_list).isdisjoint(explores):
                if node.name.startswith("test"):
                    yield node.lineno, node.name
                continue
            if _may_be_called(node, text):
                continue
        waiting += ast.iter_child_nodes(node)


def _may_be_called(function: ast.FunctionDef | ast.AsyncFunctionDef, text: bytes) -> bool:
    """Say whether pytest, or other code of the module, may call a function."""
    name = function.name
    times = len(re.findall(rb"\b%s\b" % re.escape(name.encode()), text))
    return times > 1 or bool(function.decorator_list) or name.startswith(_CALLED_BY_PYTEST)


_CALLED_BY_PYTEST = ("test", "pytest_", "setup", "teardown")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def _made_as_tests(nodes: Iterable[ast.AST]) -> Iterator[list[ast.expr]]:
    """Yield what makes each test: its decorators, or the value that has its name."""
    for node in nodes:
        if isinstance(node, _FUNCTION):
            names, made = [node.name], node.decorator_list
        elif isinstance(node, ast.Assign):
            names, made = _targets(node), [node.value]
        else:
            continue
        if any(name.startswith("test") for name in names):
            yield made


def _targets(node: ast.Assign) -> list[str]:
    return [one.id for one in node.targets if isinstance(one, ast.Name)]


def files_imported_by(path: Path, root: Path) -> Iterator[Path]:
    """Yield the files of the project that the imports of a module may mean."""
    _, imported = _decorators_and_imports(text_of(path))
    modules = (module for found in imported.values() for module in found)
    return _files(modules, path, root)


def _words(decorators: Iterable[ast.expr]) -> set[str]:
    """Return the last names of decorators: `explore` of `@sc.explore(search="dpor")`."""
    called = (one.func if isinstance(one, ast.Call) else one for one in decorators)
    return {one.attr if isinstance(one, ast.Attribute) else _first_name(one) for one in called}


def _names_of_explore(nodes: list[ast.AST]) -> set[str]:
    """Return the other names that a module has for ``explore``: imported, or assigned."""
    found = (node for node in nodes if isinstance(node, ast.ImportFrom))
    ours = (node for node in found if node.module == NAME.decode())
    names = {one.asname or "" for node in ours for one in node.names if one.name == "explore"}
    for node in nodes:
        if isinstance(node, ast.Assign) and _words([node.value]) & {"explore", *names}:
            names |= set(_targets(node))
    return names


def was_imported(path: Path) -> bool:
    """Say whether a module was imported to its end: its last function or class is there.

    A module whose import has failed may stay in ``sys.modules`` with what it had by then.
    """
    from pytest_supercache.runtime.kernel.under_test import members_of

    names = _definitions(text_of(path))
    modules = [members_of(module) for module in sys.modules.copy().values()]
    file = real_path(str(path))
    found = [members for members in modules if real_path(str(members.get("__file__"))) == file]
    return any(not names or names[-1] in members for members in found)


def _definitions(text: bytes) -> list[str]:
    """Return the names of the functions and classes of a module, in their order."""
    try:
        nodes = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [node.name for node in nodes if isinstance(node, _FUNCTION | ast.ClassDef)]


def _lead_to_us(files: Iterable[Path], root: Path) -> bool:
    """Say whether one of the modules imports this package, directly or by another module."""
    waiting, seen = list(files), set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = text_of(path)
        if NAME in text or len(seen) > _HELPERS_MAX:
            return True
        _, imported = _decorators_and_imports(text)
        modules = [module for found in imported.values() for module in found]
        waiting += _files(modules, path, root)
    return False


_Module = tuple[int, str]
"""The number of leading dots, and the name after them."""


def _decorators_and_imports(text: bytes) -> tuple[set[str], dict[str, list[_Module]]]:
    """Return the first names of functions' decorators, and the modules of imported names."""
    decorators, imported = set[str](), dict[str, list[_Module]]()
    for node in _nodes(text):
        if isinstance(node, _FUNCTION):
            decorators |= {_first_name(one) for one in node.decorator_list}
        for name, module in _imports(node):
            imported.setdefault(name, []).append(module)
    return decorators - {""}, imported


def _nodes(text: bytes) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):  # then it cannot be imported
        return []


def _imports(node: ast.AST) -> Iterator[tuple[str, _Module]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], (0, alias.name)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        for alias in node.names:
            yield alias.asname or alias.name, (node.level, module)
            yield alias.asname or alias.name, (node.level, f"{module}.{alias.name}".lstrip("."))


def _first_name(decorator: ast.expr) -> str:
    while isinstance(decorator, ast.Call | ast.Attribute):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _files(modules: Iterable[_Module], importer: Path, root: Path) -> Iterator[Path]:
    """Yield the files of the project that the modules may be in."""
    folders = [one for one in importer.parents if one.is_relative_to(root)]
    told = [Path(os.path.realpath(entry)) for entry in sys.path]
    anywhere = [*folders, *(one for one in told if one.is_relative_to(os.path.realpath(root)))]
    for level, name in modules:
        bases = folders[level - 1 : level] if level else anywhere
        for base in bases:
            path = base.joinpath(*name.split("."))
            for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
                if file.is_file():
                    yield file
