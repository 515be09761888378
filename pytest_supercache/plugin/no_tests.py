"""Which functions with ``@explore`` became no test, and were called by nobody: nothing ran them.

Those of modules that are collected are known once all is collected; those that tests and fixtures
make while they run, at the end.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.declare.registry import REGISTRY, Decorated

if TYPE_CHECKING:
    from types import FrameType

_MAKING_TESTS = ("-o python_classes=", "-o python_functions=")
"""With one of them, a run has said itself that functions of a collected module are no tests."""


class NoTests:
    """The explored functions of a run that may have been lost."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modules: set[str] = set()  # of tests, that were collected
        self._lost = dict[Decorated, str]()  # once all was collected
        self._known: frozenset[Decorated] | None = None  # then; None before
        self._program = ("", "")  # the module that is running while none is being imported
        self._told: set[str] = set()  # by workers of xdist
        self._told_made: set[str] = set()
        self._called: set[str] = set()

    def note_module(self, path: Path) -> None:
        """Note a module whose tests were collected."""
        self._modules.add(os.path.realpath(path))

    def look(self, items: Iterable[pytest.Item], words: list[str]) -> None:
        """See, once all is collected, which functions of collected modules became no test.

        Those that stand in collected modules, or were made for one: others are imported from
        elsewhere, or not. A node id asks for a part of its file, of which other classes are not
        looked into.

        Args:
            items: all that files have, also what node ids did not ask for.
            words: what the command line says so that less is collected.
        """
        self._known, self._program = frozenset(REGISTRY.explored), being_imported()
        if any(word == "--lf" or word.startswith(_MAKING_TESTS) for word in words):
            return
        here = self._config.invocation_params.dir
        parts = {os.path.realpath(here / word.partition("::")[0]) for word in words if "::" in word}
        made = [getattr(getattr(item, "obj", None), "decorated", None) for item in items]
        tests = {one.whichever_import for one in made if one is not None}
        modules = self._modules - parts
        for one in REGISTRY.explored:
            paths = {os.path.realpath(one.path), os.path.realpath(one.module_path)}
            if not modules.isdisjoint(paths) and one.whichever_import not in tests:
                self._lost[one] = self._shown(one)

    def lost(self) -> list[str]:
        """Return what became no test and was called by nobody."""
        here = {text for one, text in self._lost.items() if not REGISTRY.explored.get(one)}
        return sorted(((here | self._told) - self._called) | self._made() | self._told_made)

    def _made(self) -> set[str]:
        """Return what was decorated while tests ran, by no module's import, and never called."""
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
        """Return what a worker of xdist tells."""
        return {
            "lost": sorted(self._lost.values()),
            "called": [text for one, text in self._lost.items() if REGISTRY.explored.get(one)],
            "made": sorted(self._made()),
        }

    def learn(self, part: dict[str, Any]) -> None:
        """Take over what a worker has told; of one module, each of them runs another part."""
        self._told |= set(part["lost"])
        self._called |= set(part["called"])
        self._told_made |= set(part["made"])

    def _shown(self, one: Decorated) -> str:
        path = os.path.relpath(os.path.realpath(one.path), self._config.rootpath)
        return f"{Path(path).as_posix()}:{one.line} {one.name}"


def being_imported() -> tuple[str, str]:
    """Return the name and the path of the innermost module whose own code is running.

    Where none is being imported, that is the program; a thread has none.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return (str(frame.f_globals["__name__"]), frame.f_code.co_filename) if frame else ("", "")
