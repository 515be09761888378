"""Finds functions with ``@explore`` that became no test and were never called: nothing ran them.

Those of collected modules are known when collection ends; those that tests and fixtures make while
they run, at the end of the run.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.folders import real_path
from pytest_supercache.declare.registry import REGISTRY, Decorated
from pytest_supercache.plugin.arguments import given_paths
from pytest_supercache.plugin.copies import file_of
from pytest_supercache.plugin.unimported import explored_tests, is_among_tests, was_imported
from pytest_supercache.runtime.kernel.under_test import members_of

if TYPE_CHECKING:
    from types import FrameType

_MAKING_TESTS = ("-o python_classes=", "-o python_functions=")
"""Options by which a run itself says that functions of a collected module are no tests."""


class NoTests:
    """The explored functions of a run that may have become no test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modules: set[str] = set()  # of tests, that were collected
        self._lost = dict[Decorated, str]()  # once all was collected
        self._unmade = set[str]()  # what an import should have decorated, and did not
        self._known: frozenset[Decorated] | None = None  # then; None before
        self._program = ("", "")  # the module that is running while none is being imported
        self._told: set[str] = set()  # by workers of xdist
        self._told_made: set[str] = set()
        self._called: set[str] = set()

    def note_module(self, path: Path) -> None:
        """Note a module whose tests were collected."""
        self._modules.add(os.path.realpath(path))

    def look(self, items: Iterable[pytest.Item], words: list[str]) -> None:
        """Find, after collection, the explored functions of collected modules that became no test.

        Functions that are defined in collected modules, made for one, or imported there by the name
        of a test (`collect_imported_tests` leaves these out) count, and so do those of
        modules among tests that these import, unless the run is one of some files. If a node id
        selects a part of a file, the rest of the file is not checked.

        A function that its module has only in its text, under a condition that is false or in a
        function that nobody calls, is found by that text.

        Args:
            items: all items of the files, also those that node ids leave out.
            words: the command-line options that reduce the collection.
        """
        self._known, self._program = frozenset(REGISTRY.explored), being_imported()
        if any(word == "--lf" or word.startswith(_MAKING_TESTS) for word in words):
            return
        here = self._config.invocation_params.dir
        parts = {os.path.realpath(here / word.partition("::")[0]) for word in words if "::" in word}
        made = [getattr(getattr(item, "obj", None), "decorated", None) for item in items]
        tests = {one.whichever_import for one in made if one is not None}
        modules = self._modules - parts
        self._unmade = set(self._only_written(modules))
        held = {one.whichever_import for one in _held_as_tests(modules)}
        is_whole = not any(path.is_file() for path in given_paths(self._config))
        for one in REGISTRY.explored:
            paths = {os.path.realpath(one.path), os.path.realpath(one.module_path)}
            is_collected = not modules.isdisjoint(paths) or one.whichever_import in held
            is_meant = is_collected or (is_whole and self._is_meant_as_test(one))
            if is_meant and one.whichever_import not in tests:
                self._lost[one] = self._shown(one)

    def _is_meant_as_test(self, one: Decorated) -> bool:
        """Say whether a function of a module that pytest did not collect is meant as a test."""
        *within, name = one.name.split(".")
        path = Path(os.path.realpath(one.path))
        root = Path(os.path.realpath(self._config.rootpath))
        is_test = name.startswith("test") and "<locals>" not in within
        return is_test and path.is_relative_to(root) and is_among_tests(path, root)

    def _only_written(self, modules: set[str]) -> Iterator[str]:
        """Yield what is like a test in the text of modules, and that their import did not make."""
        made = {
            (os.path.realpath(path), one.name.rpartition(".")[2])
            for one in REGISTRY.explored
            for path in (one.path, one.module_path)
        }
        for path in (one for one in modules if one.endswith(".py")):
            lost = [
                (line, name)
                for line, name in explored_tests(Path(path))
                if (path, name) not in made
            ]
            if lost and was_imported(Path(path)):
                yield from (f"{self._place(path, line)} {name}" for line, name in lost)

    def lost(self) -> list[str]:
        """Return the functions that became no test and were never called."""
        here = {text for one, text in self._lost.items() if not REGISTRY.explored.get(one)}
        lost = (here | self._told) - self._called
        return sorted(lost | self._unmade | self._made() | self._told_made)

    def called(self) -> list[str]:
        """Return the functions that became no test and were called all the same."""
        here = {text for one, text in self._lost.items() if REGISTRY.explored.get(one)}
        return sorted(here | self._called)

    def _made(self) -> set[str]:
        """Return the functions decorated while tests ran, outside of imports, and never called."""
        if self._known is None:
            return set()
        nobody_is_imported = {self._program, ("", "")}  # a thread has no program
        return {
            self._shown(one)
            for one, is_called in REGISTRY.explored.items()
            if not is_called
            and one not in self._known
            and (one.module, one.module_path) in nobody_is_imported
        }

    def part(self) -> dict[str, Any]:
        """Return what a worker of xdist sends to its controller."""
        return {
            "lost": sorted({*self._lost.values(), *self._unmade}),
            "called": self.called(),
            "made": sorted(self._made()),
        }

    def learn(self, part: dict[str, Any]) -> None:
        """Merge what a worker has sent; each worker runs another part of one module."""
        self._told |= set(part["lost"])
        self._called |= set(part["called"])
        self._told_made |= set(part["made"])

    def _shown(self, one: Decorated) -> str:
        return f"{self._place(one.path, one.line)} {one.name}"

    def _place(self, path: str, line: int) -> str:
        shown = os.path.relpath(os.path.realpath(path), self._config.rootpath)
        return f"{Path(shown).as_posix()}:{line}"


def _held_as_tests(paths: set[str]) -> Iterator[Decorated]:
    """Yield the explored functions that modules have under the name of a test."""
    for module in list(sys.modules.values()):
        file = file_of(module)
        if file and real_path(file) in paths:
            for name, value in list(members_of(module).items()):
                decorated = members_of(value).get("decorated") if name.startswith("test") else None
                if isinstance(decorated, Decorated):
                    yield decorated


def being_imported() -> tuple[str, str]:
    """Return the name and the path of the innermost module whose top-level code is running.

    Without an import that is the main program; on a thread, ("", "").
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return (str(frame.f_globals["__name__"]), frame.f_code.co_filename) if frame else ("", "")
