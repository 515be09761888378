"""Leads Django's connections of each execution to a copy of their database.

An execution begins with the database as it was when the check began, whatever the one before has
committed, and writes neither to the developer's database nor to the one of pytest-django. SQLite
alone can be copied like that: the copy is a file in the folder of the execution, made when a
connection is asked for. What an open transaction of the calling test has written is in it, too.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pytest_supercache.runtime.kernel.active import hearing
from pytest_supercache.runtime.kernel.calling import looking
from pytest_supercache.runtime.kernel.patches import Patches

_MEMORY = (":memory:", "mode=memory")
"""What the name of a database in memory contains."""

_Settings = dict[str, Any]


class DjangoDatabases:
    """The databases of Django in one check.

    Args:
        folder: returns the folder of the present execution.
    """

    pairs: Iterable[tuple[Any, Any]] = ()

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._patches = Patches()
        self._handler: Any = None
        self._settings: dict[str, _Settings] = {}
        """The settings of each alias as they are outside of executions."""
        self._contents: dict[str, bytes | None] = {}
        """The content of each database, by what tells it from others; None: there is none yet."""

    def open(self) -> None:
        """Begin with the databases as they are now."""
        self.notice()

    def notice(self) -> bool:
        """Open the door once Django is imported; True when that is new."""
        found = getattr(sys.modules.get("django.db"), "connections", None)
        if self._handler is not None or found is None:
            return False
        self._handler = found
        self._patches.wrap(type(found), "create_connection", self._creating)
        self._remember()
        return True

    def close(self) -> None:
        """Restore the settings, and forget the copies."""
        self._patches.undo()
        self.forget_connections()
        self._contents.clear()

    def forget_connections(self) -> None:
        """Restore the settings of the databases, which an execution has changed."""
        for alias, kept in self._settings.items():
            settings = self._handler.settings[alias]
            settings.clear()
            settings.update(_copied(kept))

    def _remember(self) -> None:
        """Keep the settings, and the content that only a connection of this thread can read."""
        if self._settings or not sys.modules["django.conf"].settings.configured:
            return
        self._settings = {alias: _copied(it) for alias, it in self._handler.settings.items()}
        for wrapper in self._handler.all(initialized_only=True):
            if wrapper.vendor == "sqlite" and wrapper.connection is not None:
                name = str(wrapper.settings_dict["NAME"])
                self._contents[_key(wrapper.alias, name)] = wrapper.connection.serialize()

    def _creating(self, create: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        def created(handler: Any, alias: str) -> Any:
            made = create(handler, alias)
            execution = hearing()
            if execution is None or handler is not self._handler:
                return made
            self._remember()
            name = self._settings.get(alias, {}).get("NAME", "")
            if made.settings_dict["NAME"] != name:
                return made  # the code under test has chosen another one
            if made.vendor == "sqlite":
                with looking():
                    made.settings_dict["NAME"] = self._copy_of(alias, str(name))
            elif made.vendor != "unknown":
                execution.controller.hazard(_NOT_COPIED.format(alias=alias, kind=made.display_name))
            return made

        return created

    def _copy_of(self, alias: str, name: str) -> str:
        """Return the path of this execution's copy of a database."""
        key = _key(alias, name)
        if key not in self._contents:
            self._contents[key] = _content_of(name)
        path = self._folder() / f"django-{list(self._contents).index(key)}.sqlite3"
        content = self._contents[key]
        if content is not None and not path.exists():
            path.write_bytes(content)
        return str(path)


_NOT_COPIED = (
    "the database {alias!r} of Django is on {kind}: executions would find there what others have "
    "left. Only SQLite is copied for each of them"
)


def _key(alias: str, name: str) -> str:
    """Return what tells a database from others: two aliases may lead to one, as a replica does."""
    return f"{name} of {alias}" if name == _MEMORY[0] else name


def _copied(settings: Any) -> Any:
    """Return settings in new dicts, with the same values in them."""
    if type(settings) is not dict:
        return settings
    return {name: _copied(value) for name, value in settings.items()}


def _content_of(name: str) -> bytes | None:
    """Return the content of a database that may be in use, without writing to it."""
    if any(word in name for word in _MEMORY):
        return None  # nobody has opened it
    is_uri = name.startswith("file:")
    if not is_uri and not Path(name).is_file():
        return None
    address = name if is_uri else f"{Path(name).resolve().as_uri()}?mode=ro"
    source = sqlite3.Connection(address, uri=True)
    try:
        return source.serialize()
    finally:
        source.close()
