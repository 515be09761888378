"""Notes what modules and ordinary tests have left in the code under test, before it is checked.

A test module may replace code while it is imported, and a test may forget to take something back.
What a fixture of a module or of the session has set is meant, as long as it lasts.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_supercache.declare.registry import note_imported, note_left, note_plain
from pytest_supercache.declare.switched import Around, note_doubles
from pytest_supercache.plugin.items import is_ours

_OF_TOOLS = ("_pytest", "pytest_")


class LeftByTests:
    """Looks when everything is imported, and before an item of ours that follows other tests."""

    def __init__(self) -> None:
        self._lasting = set[str]()  # fixtures of the project that outlive a test
        self._is_old = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what the imports have left."""
        if any(map(is_ours, session.items)):
            self._look(session)
            note_plain(_explored(session), _around(session))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note what tests have left, before any fixture of this one is made."""
        if not is_ours(item):
            self._is_old = True
        elif self._is_old and not self._lasting:
            self._look(item.session)
            note_left(_explored(item.session), _around(item.session))

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Remember a fixture that may set something for several tests."""
        is_of_tools = str(fixturedef.func.__module__).startswith(_OF_TOOLS)
        if fixturedef.scope != "function" and not is_of_tools:
            self._lasting.add(_name(fixturedef))

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Forget it when it has taken back what it had set."""
        self._lasting.discard(_name(fixturedef))

    def _look(self, session: pytest.Session) -> None:
        self._is_old = False
        note_imported()
        note_doubles(_explored(session), _files(session))


def _explored(session: pytest.Session) -> list[Any]:
    tests = (getattr(item, "obj", None) for item in session.items)
    return [test for test in tests if hasattr(test, "is_explored")]


def _files(session: pytest.Session) -> set[str]:
    return {str(item.path) for item in session.items}


def _around(session: pytest.Session) -> Around:
    folders = {folder for item in session.items if is_ours(item) for folder in item.path.parents}
    plugins = session.config.pluginmanager.get_plugins()
    files = {str(getattr(one, "__file__", "")) for one in plugins if isinstance(one, ModuleType)}
    conftests = {one for one in files if Path(one).name == "conftest.py"}
    meant = {one for one in conftests if Path(one).parent in folders}
    return Around(apart=(conftests - meant) | _files(session), meant=meant)


def _name(fixturedef: pytest.FixtureDef[Any]) -> str:
    return f"{fixturedef.baseid}::{fixturedef.argname}"
