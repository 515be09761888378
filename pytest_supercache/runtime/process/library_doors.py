"""Opens the doors of libraries when they are imported.

Each door is a module with three functions: ``open`` patches the library and returns (real,
stand-in) pairs, for names imported elsewhere; ``close`` restores it; ``close_opened`` closes
connections that an execution has left open. A door of several libraries is opened for each.
"""

import datetime
import sys
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

from freezegun import api

from pytest_supercache.runtime.memory.importing import afterwards, imports_noticed
from pytest_supercache.runtime.process.native_clients import CLIENTS

ANSWERING = ("flask.app", "fastapi.routing")
"""Modules of frameworks that make answers of what views return."""

DOORS = {
    "sqlite3": "pytest_supercache.runtime.sql.sqlite",
    "aiosqlite.core": "pytest_supercache.runtime.sql.sqlite_jobs",
    "psycopg2": "pytest_supercache.runtime.sql.psycopg2_doors",
    "psycopg": "pytest_supercache.runtime.sql.psycopg_doors",
    "asyncpg": "pytest_supercache.runtime.sql.asyncpg_doors",
    "pymysql.connections": "pytest_supercache.runtime.sql.pymysql_doors",
    # PyMySQL, which code may import by this name, has no such module.
    "MySQLdb.release": "pytest_supercache.runtime.sql.mysqlclient_doors",
    "pymemcache.client.base": "pytest_supercache.runtime.process.memcached",
    **dict.fromkeys(CLIENTS, "pytest_supercache.runtime.process.native_clients"),
    "anyio._core._synchronization": "pytest_supercache.runtime.aio.anyio_tools",
    "anyio.to_thread": "pytest_supercache.runtime.sql.worker_threads",
    **dict.fromkeys(ANSWERING, "pytest_supercache.runtime.process.answers"),
}
"""The modules that open the door of a library."""

BEFOREHAND = {"fastapi": "pydantic.v1", "anyio": "anyio._backends._asyncio"}
"""Modules that libraries import on first use, and that must not see patches of an execution.

One derives classes from those of `datetime`, the other stores ``asyncio.sleep``.
"""


_AT_ONCE = frozenset({"aiosqlite.core"})
"""Modules whose import opens doors at once: a thread that they start outlives its execution."""


class LibraryDoors:
    """The open doors of one check."""

    def __init__(self) -> None:
        self._doors: list[Any] = []  # modules
        self._imports = ExitStack()
        self._libraries = set[str]()
        self._known = 0  # libraries, by the last call of `notice`
        self.pairs: list[tuple[Any, Any]] = []  # (real, stand-in)

    def open(self) -> None:
        """Open the doors of imported libraries."""
        for library, name in BEFOREHAND.items():
            if library in sys.modules and name not in sys.modules and find_spec(name) is not None:
                _import_with_real_dates(name)
        noticed = imports_noticed(afterwards(self._open_imported), _AT_ONCE.__contains__)
        self._imports.enter_context(noticed)
        self.notice()

    def notice(self) -> bool:
        """Open the doors of libraries imported since the last call; True when there were any."""
        self._open_imported()
        known, self._known = self._known, len(self._libraries)
        return self._known > known

    def _open_imported(self) -> None:
        """Open the doors of imported libraries that are not open yet."""
        for library, name in DOORS.items():
            is_imported = sys.modules.get(library) is not None  # None forbids the import
            if is_imported and library not in self._libraries:
                self._libraries.add(library)
                door = import_module(name)
                self._doors += [door] if door not in self._doors else []
                self.pairs += door.open()

    def close(self) -> None:
        """Close the doors."""
        self._imports.close()
        for door in self._doors:
            door.close()

    def forget_connections(self) -> None:
        """Close the connections that an execution has left open."""
        for door in self._doors:
            door.close_opened()


def _import_with_real_dates(name: str) -> None:
    """Import a module that derives classes from dates, with the real ones if time is frozen."""
    with patch.multiple(datetime, date=api.real_date, datetime=api.real_datetime):
        import_module(name)
