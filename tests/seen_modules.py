"""Every test file sees the modules that it would see if it ran alone.

A check looks through all imported code under test, and each test file counts as some: with all of
them imported, and the libraries of the adapters' tests, looking takes longer than searching.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_supercache.runtime.under_test import is_under_test

TESTS = Path(__file__).parent
WITH_LIBRARIES = TESTS / "adapters"
"""Where each file imports a library that nobody else needs."""

Modules = dict[str, ModuleType]


class SeenModules:
    """Takes the modules of other test files out of ``sys.modules``, and puts them back."""

    def __init__(self) -> None:
        self._of_file: dict[Path, Modules] = {}
        self._shown: Path | None = None
        self._before: set[str] = set()  # what was imported when it was shown

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Note what importing a file has brought; nobody else sees it."""
        before = set(sys.modules)
        try:
            return (yield)
        finally:
            if isinstance(collector, pytest.Module) and TESTS in collector.path.parents:
                self._of_file[collector.path] = brought(collector.path, before)
                self._hide(collector.path)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Show what belongs to this test's file."""
        if item.path != self._shown:
            if self._shown is not None:
                imported = brought(self._shown, self._before)  # by its tests
                self._of_file.setdefault(self._shown, {}).update(imported)
                self._hide(self._shown)
            sys.modules.update(self._of_file.get(item.path, {}))
            self._shown, self._before = item.path, set(sys.modules)

    def _hide(self, path: Path) -> None:
        for name, module in self._of_file.get(path, {}).items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def brought(path: Path, before: set[str]) -> Modules:
    """Return which modules belong to a test file, of those that are new since ``before``."""
    new = {name: module for name, module in sys.modules.items() if name not in before}
    if WITH_LIBRARIES in path.parents:
        return {name: module for name, module in new.items() if is_library(name, module)}
    return {name: module for name, module in new.items() if is_test_file(name)}


def is_library(name: str, module: ModuleType) -> bool:
    """Say whether a check looks through a module that is not a helper of several tests."""
    return is_under_test(module) and (is_test_file(name) or not name.startswith("tests"))


def is_test_file(name: str) -> bool:
    """Say whether a module holds tests."""
    return name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
