"""Finds modules that were not imported because another one of the same name already was.

pytest puts the folders of conftest files and tests on ``sys.path``. If two of them have a module
``shop``, both get the one that was imported first, and the other one is never run. Nor is a module
of the project of which an older copy, or that of another checkout, is installed.
"""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.folders import forget_links, is_in_packages, real_path
from pytest_supercache.gate.always_on import top_of
from pytest_supercache.plugin.copies import PACKAGED, file_of, imported_files, outdated

_SUFFIX = ".py"
_CONFTEST = "conftest"


class Shadows:
    """The imports of a project's files by which they got a module of another folder."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._root = os.path.realpath(config.rootpath)
        self._mode = config.getoption("importmode", "prepend")
        self._names = set[str]()  # of modules that were looked at
        self._conftests = set[str]()  # likewise, which share one name
        self._found = set[str]()
        self._told = set[str]()  # by workers of xdist
        forget_links()
        for known in (_names_in, _packaged_above, _sources_below, import_folder):
            known.cache_clear()  # another run in this process may have other files

    def pass_over(self) -> None:
        """Leave what was imported by now to the last look."""
        self._names |= sys.modules.keys()

    def look(self) -> None:
        """Look at what was imported since the last look, while ``sys.modules`` still has it so."""
        modules = sys.modules.copy()
        files = {file_of(modules[name]) for name in modules.keys() - self._names}
        self._names |= modules.keys()
        plugins = map(file_of, self._config.pluginmanager.get_plugins())
        conftests = {file for file in plugins if file and Path(file).stem == _CONFTEST}
        self._look_at({one for one in files if one is not None} | conftests - self._conftests)
        self._conftests |= conftests

    def look_again(self) -> None:
        """Look at all modules: a function may have imported something when it was called."""
        files = imported_files() | self._conftests
        self._look_at(files, besides=_CONFTEST)
        self._look_beside(files)
        self._look_at_installed(files)
        top = os.path.realpath(top_of(Path(self._root)))
        for own, got, what in outdated(self._root, top):
            is_own = _is_below(real_path(got), self._root) and not is_in_packages(got)
            self._found.add(
                f"{self._shown(own)} is behind {self._shown(got) if is_own else got},{what}"
            )

    def part(self) -> list[str]:
        """Return what was found, also by workers."""
        return sorted(self._found | self._told)

    def learn(self, told: list[str]) -> None:
        """Add what a worker of xdist has found."""
        self._told |= set(told)

    def _look_at(self, files: set[str], besides: str = "") -> None:
        if self._mode == "importlib":
            return  # the folders of tests are no place to import from
        searched = [os.path.realpath(path) for path in sys.path]
        roots = tuple(f"{root}{os.sep}" for root in (self._root, self._config.rootpath))
        own = [real_path(one) for one in files if one.startswith(roots) and not is_in_packages(one)]
        in_folders: dict[str, list[str]] = {}
        for file in own:
            in_folders.setdefault(import_folder(file), []).append(file)
        folders = in_folders.keys() & set(searched)
        if self._mode == "append":
            named = (*self._config.getini("pythonpath"), *_told_by_environment(), os.curdir)
            folders -= {os.path.realpath(path) for path in named}
            searched = [path for path in searched if path in folders]
        for folder in folders:
            if names := _taken(folder) - {besides}:
                for file in in_folders[folder]:
                    self._found |= set(self._got_others(file, folder, names, searched, set()))

    def _look_beside(self, files: set[str]) -> None:
        """Look at folders that code is imported from, and in which no importing file needs to be.

        The project has put them on ``sys.path``; two with one module are a mistake.
        """
        below = f"{self._root}{os.sep}"
        real = {file for file in map(real_path, files) if file.startswith(below)}
        tests = {import_folder(file) for file in real if _is_of_tests(file)}
        named = {os.path.realpath(path) for path in self._config.getini("pythonpath")}
        folders = {
            path
            for path in map(os.path.realpath, sys.path)
            if _is_below(path, self._root) or path in named
        }
        run = {real_path(file) for file in self._conftests}  # by pytest, whoever else has the name
        for folder in (one for one in folders - (tests - named) if not is_in_packages(one)):
            for top in _taken(folder):
                for own, got in _imported_instead(folder, top):
                    if real_path(own) not in run and _is_below(real_path(got), self._root):
                        self._found.add(f"{self._shown(own)} is behind {self._shown(got)},")

    def _look_at_installed(self, files: set[str]) -> None:
        """Look at modules that are installed, and not from the project's folder that has them.

        What is in the folder ``src`` of a project is there to be imported. For its other folders,
        and those of projects beside it, a file has to import the module by its name.
        """
        own = [
            one
            for one in {real_path(file) for file in files}
            if _is_below(one, self._root) and not is_in_packages(one)
        ]
        folders = {
            one for file in own for one in _packaged_above(str(Path(file).parent), self._root)
        }
        sources = {str(Path(folder, "src")) for folder in folders}
        for folder in sources:
            for top in _taken(folder):
                self._look_at_one(folder, top)
                self._look_at_one_of_the_project(folder, top, own)
        for folder in {*folders, *(_sources_below(self._root) if own else ())} - sources:
            taken = {top for top in _taken(folder) if top != _CONFTEST}
            for file in own if taken else ():
                for top in {name.partition(".")[0] for name in _imported(file, taken)} & taken:
                    self._look_at_one(folder, top)

    def _look_at_one(self, folder: str, top: str) -> None:
        """Note the modules of a name that a folder has, and that are installed with other code."""
        for own, got in _imported_instead(folder, top):
            is_own = _is_below(real_path(got), self._root) and not is_in_packages(got)
            if got.endswith(_SUFFIX) and not is_own:
                self._found.add(f"{self._shown(own)} is behind {got}, which is installed,")

    def _look_at_one_of_the_project(self, folder: str, top: str, own: list[str]) -> None:
        """Note the modules of ``src`` that ``PYTHONPATH`` puts behind others of the project.

        What the settings of pytest, or a conftest file, put on the path is meant, and so is what
        only its own neighbours import.
        """
        named = {os.path.realpath(path) for path in _told_by_environment()}
        if not named or folder in map(os.path.realpath, sys.path):
            return  # then both are compared
        for file, got in _imported_instead(folder, top):
            place = import_folder(real_path(got))
            importers = [one for one in own if not _is_below(one, place)]
            if (
                place in named
                and _packaged_above(place, self._root)[-1:] == (str(Path(folder).parent),)
                and any(top in _first_names(one, top) for one in importers)
            ):
                self._found.add(f"{self._shown(file)} is behind {self._shown(got)},")

    def _shown(self, file: str) -> str:
        return Path(os.path.relpath(real_path(file), self._root)).as_posix()

    def _got_others(
        self, file: str, folder: str, names: set[str], searched: list[str], seen: set[str]
    ) -> Iterator[str]:
        """Yield the imports of a file by which it got a module of another folder than its own."""
        seen.add(file)
        for name in sorted(_imported(file, names)):
            if name.partition(".")[0] not in names or name not in sys.modules:
                continue
            got, own = file_of(sys.modules.get(name)), _own(folder, name)
            if got is None or own is None or not self._is_meant(folder, got, searched):
                continue
            if real_path(got) == real_path(own) or own in seen:
                continue
            if text_of(got) != text_of(own):
                importer, other, lost = map(self._shown, (file, got, own))
                yield f"{importer} imports {name} and got {other} instead of {lost},"
            else:  # a copy, which may import what is no copy
                yield from self._got_others(own, folder, names, searched, seen)

    def _is_meant(self, folder: str, got: str, searched: list[str]) -> bool:
        """Say whether an import of a file means the module in its own folder.

        That is so among the folders of one project. A module that is installed is meant if it would
        be found first. Where pytest appends folders of tests to the path, what stands before them
        is found first.
        """
        other = import_folder(real_path(got))
        if self._mode == "append":
            return other in searched
        if _is_below(got, self._root) or other not in searched:
            return True
        return searched.index(folder) < searched.index(other)


def _imported_instead(folder: str, top: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder, below a name, each with another one that was imported for it.

    A copy is as good.
    """
    for name in [name for name in sys.modules.copy() if name.partition(".")[0] == top]:
        got, own = file_of(sys.modules.get(name)), _own(folder, name)
        if got is not None and own is not None and text_of(got) != text_of(own):
            yield own, got


@cache
def _packaged_above(folder: str, root: str) -> tuple[str, ...]:
    """Return the folders, up to the root, from which modules may be installed."""
    above = () if folder == root else _packaged_above(str(Path(folder).parent), root)
    return (*above, folder) if _is_packaged(folder) else above


@cache
def _sources_below(root: str) -> tuple[str, ...]:
    """Return the folders ``src`` of projects that stand side by side, as ``packages/NAME``."""
    beside = [path for depth in ("*", "*/*") for path in Path(root).glob(f"{depth}/src")]
    return tuple(str(path) for path in beside if _is_packaged(str(path.parent)))


def _is_packaged(folder: str) -> bool:
    return any(Path(folder, name).is_file() for name in PACKAGED)


def _is_of_tests(file: str) -> bool:
    name = Path(file).name
    return name == f"{_CONFTEST}{_SUFFIX}" or name.startswith("test_") or name.endswith("_test.py")


def _taken(folder: str) -> set[str]:
    """Return the names of modules in a folder that are those of modules from elsewhere."""
    modules = sys.modules.copy()
    names = _names_in(folder) & modules.keys() - sys.stdlib_module_names
    return {name for name in names if not _is_from(modules[name], folder)}


def _is_from(module: object, folder: str) -> bool:
    """Say whether a module is from a folder, and from no other one."""
    file = file_of(module)
    if file is not None:
        return import_folder(real_path(file)) == folder
    return all(
        str(Path(real_path(path)).parent) == folder
        for path in _members(module).get("__path__") or ()
    )


@cache
def _names_in(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name.removesuffix(_SUFFIX) for entry in entries)
    except OSError:
        return frozenset()


@cache
def import_folder(file: str) -> str:
    """Return the folder from which a file is imported: that of its outermost package."""
    path = Path(file).parent
    while (path / "__init__.py").exists():
        path = path.parent
    return str(path)


def _own(folder: str, name: str) -> str | None:
    """Return the file in a folder that an import of a name would find, were it the only one.

    A folder without `__init__.py` counts only if no other folder has a package of that name.
    """
    first, *rest = name.split(".")
    top = Path(folder, first)
    is_package = (top / "__init__.py").exists()
    if rest and not is_package and file_of(sys.modules.get(first)) is not None:
        return None
    path = top.joinpath(*rest)
    for own in (path / "__init__.py", path.with_name(f"{path.name}{_SUFFIX}")):
        if own.is_file():
            return str(own)
    return None


def _imported(file: str, names: set[str]) -> set[str]:
    """Return the modules that a file imports by their whole names, if it has one of ``names``."""
    text, found = text_of(file), set[str]()
    if not any(name.encode() in text for name in names):
        return found
    with suppress(SyntaxError, ValueError, RecursionError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Call):
                found |= _imported_by_call(node)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _first_names(file: str, top: str) -> set[str]:
    return {name.partition(".")[0] for name in _imported(file, {top})}


def _told_by_environment() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _imported_by_call(node: ast.Call) -> set[str]:
    """Return the module that `import_module("name")` imports."""
    called = (
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    )
    given = node.args[0] if node.args else None
    if not (isinstance(given, ast.Constant) and called in {"import_module", "__import__"}):
        return set()
    return {given.value} if isinstance(given.value, str) else set()


def text_of(file: str | Path) -> bytes:
    """Return the text of a module; empty: it cannot be read, nor imported."""
    with suppress(OSError):
        return Path(file).read_bytes()
    return b""


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}{os.sep}")


def _members(module: object) -> dict[str, Any]:
    """Return the globals of a module: one that imports itself when it is used shall not do so."""
    from pytest_supercache.runtime.kernel.under_test import members_of

    return members_of(module)
