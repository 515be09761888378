"""Leads Django's connections of each execution to a copy of their database.

An execution begins with the database as it was when the check began, whatever the one before has
committed, and writes neither to the developer's database nor to the one of pytest-django. The copy
is made when a connection is asked for. That of SQLite is a file in the folder of the execution,
with what an open transaction of the calling test has written, too.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.active import hearing
from pytest_supercache.runtime.kernel.calling import looking
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.memory.importing import afterwards, imports_noticed
from pytest_supercache.runtime.process.mariadb_copies import MariaDBCopies
from pytest_supercache.runtime.process.postgres_copies import PostgresCopies

_DJANGO = "django.db"

_MEMORY = (":memory:", "mode=memory")
"""What the name of a database in memory contains."""

_ON_SERVERS: dict[str, type[PostgresCopies] | type[MariaDBCopies]] = {
    "postgresql": PostgresCopies, "mysql": MariaDBCopies,
}  # fmt: skip
"""What copies databases of a server, by the vendor that Django names."""

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
        self._imports = ExitStack()
        self._handler: Any = None
        self._settings: dict[str, _Settings] = {}
        """The settings of each alias as they are outside of executions."""
        self._contents: dict[str, bytes | None] = {}
        """The content of each database, by what tells it from others; None: there is none yet."""
        self._servers: dict[str, PostgresCopies | MariaDBCopies] = {}
        self._renewed: set[str] = set()
        """The databases of servers whose copies this execution has."""

    def open(self) -> None:
        """Begin with the databases as they are now, or when Django is imported."""
        if not self.notice():
            noticed = imports_noticed(afterwards(self._begin), _DJANGO.__eq__)
            self._imports.enter_context(noticed)

    def notice(self) -> bool:
        """Begin if Django is imported; True when that is new."""
        is_new = self._handler is None and hasattr(sys.modules.get(_DJANGO), "connections")
        if is_new:
            self._begin()
        return is_new

    def _begin(self) -> None:
        self._handler = sys.modules[_DJANGO].connections
        self._patches.wrap(type(self._handler), "create_connection", self._creating)
        self._remember()

    def close(self) -> None:
        """Restore the settings, and forget the copies."""
        self._imports.close()
        self._patches.undo()
        self.forget_connections()
        self._contents.clear()
        while self._servers:
            self._servers.popitem()[1].drop()

    def forget_connections(self) -> None:
        """Restore the settings of the databases, which an execution has changed."""
        self._renewed.clear()
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
            key = _key(wrapper.alias, str(wrapper.settings_dict["NAME"]))
            if wrapper.connection is not None and wrapper.vendor == "sqlite":
                self._contents[key] = wrapper.connection.serialize()
            elif wrapper.connection is not None and wrapper.vendor in _ON_SERVERS:
                self._servers[key] = _ON_SERVERS[wrapper.vendor](wrapper)

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
            why = ""
            with looking():
                if made.vendor == "sqlite":
                    made.settings_dict["NAME"] = self._file_of(_key(alias, str(name)), str(name))
                elif made.vendor in _ON_SERVERS:
                    why = self._lead_to_server(_key(alias, str(name)), made)
                elif made.vendor != "unknown":
                    why = "this version copies SQLite, PostgreSQL and MariaDB"
            if why:
                said = _NOT_COPIED.format(alias=alias, kind=made.display_name, why=why)
                execution.controller.hazard(said)
                raise SupercacheError(said)  # nothing may be written there
            return made

        return created

    def _file_of(self, key: str, name: str) -> str:
        """Return the path of this execution's copy of a database of SQLite."""
        if key not in self._contents:
            self._contents[key] = _content_of(name)
        path = self._folder() / f"django-{list(self._contents).index(key)}.sqlite3"
        content = self._contents[key]
        if content is not None and not path.exists():
            path.write_bytes(content)
        return str(path)

    def _lead_to_server(self, key: str, made: Any) -> str:
        """Lead a connection to this execution's copy; return why there is none, else nothing."""
        if key not in self._servers:
            self._servers[key] = _ON_SERVERS[made.vendor](made)
        copies = self._servers[key]
        if not copies.missing:
            if key not in self._renewed:
                copies.renew()
            self._renewed.add(key)
            made.settings_dict["NAME"] = copies.name
        return copies.missing


_NOT_COPIED = (
    "the database {alias!r} of Django, on {kind}, cannot be copied for each execution, which would "
    "find there what others have left: {why}"
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
