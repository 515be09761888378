"""Hides the modules of one test file from the tests of all others.

A check scans all imported code under test. Test files count as such, and so do the libraries that
they import; with all of them imported, scanning takes longer than searching. A helper is visible to
the files that import it, and to helpers that they import.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from pytest_supercache.runtime.kernel.under_test import is_under_test

TESTS = Path(__file__).parent

Modules = dict[str, ModuleType]


class SeenModules:
    """Removes the modules of other test files from ``sys.modules``, and puts them back."""

    def __init__(self) -> None:
        self._of_file: dict[Path, Modules] = {}
        self._helpers: Modules = {}  # that are hidden
        self._shown: Path | None = None
        self._before: set[str] = set()  # what was imported when it was shown
        self._displaced: Modules = {}  # what stood under the same names then

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Record what a test file imports, and hide it from other files."""
        before = set(sys.modules)
        try:
            return (yield)
        finally:
            if isinstance(collector, pytest.Module) and TESTS in collector.path.parents:
                self._of_file[collector.path] = brought(before)
                self._hide(collector.path)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Show the modules of this test's file, and no other file's."""
        if item.path != self._shown:
            if self._shown is not None:
                imported = brought(self._before)  # by its tests
                self._of_file.setdefault(self._shown, {}).update(imported)
                self._hide(self._shown)
            if TESTS in item.path.parents:
                self._show_helpers(item.path)
            own = self._of_file.get(item.path, {})
            self._displaced = {name: sys.modules[name] for name in own if name in sys.modules}
            sys.modules.update(own)
            self._shown, self._before = item.path, set(sys.modules)

    def _show_helpers(self, path: Path) -> None:
        imported = {name: one for name, one in sys.modules.items() if is_helper(name, one)}
        for name in imported:
            del sys.modules[name]
        self._helpers |= imported
        for name in needed(path, self._helpers):
            sys.modules[name] = self._helpers.pop(name)

    def _hide(self, path: Path) -> None:
        for name, module in self._of_file.get(path, {}).items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        sys.modules.update(self._displaced)
        self._displaced = {}


def brought(before: set[str]) -> Modules:
    """Return those modules imported since ``before`` that belong to a test file."""
    new = {name: module for name, module in sys.modules.items() if name not in before}
    return {name: module for name, module in new.items() if is_library(name, module)}


def is_library(name: str, module: ModuleType) -> bool:
    """Say whether checks scan this module and it is not a shared test helper."""
    return is_under_test(module) and (is_test_file(name) or not name.startswith("tests"))


def is_test_file(name: str) -> bool:
    """Say whether a module holds tests."""
    return name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")


def is_helper(name: str, module: ModuleType) -> bool:
    """Say whether a module is a shared test helper: neither package nor conftest nor test file."""
    is_ours = name.startswith("tests.") and not name.endswith(".conftest")
    return is_ours and not hasattr(module, "__path__") and not is_test_file(name)


def needed(path: Path, helpers: Iterable[str]) -> set[str]:
    """Return the helpers that a file imports, directly or through other helpers."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        text = _text(waiting.pop())
        for name in [one for one in helpers if one not in found and is_named(one, text)]:
            found.add(name)
            waiting.append(TESTS.parent / f"{name.replace('.', '/')}.py")
    return found


def is_named(helper: str, text: str) -> bool:
    """Say whether a module's text may import a helper."""
    package, _, name = helper.rpartition(".")
    return helper in text or (f"from {package} import" in text and name in text)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
