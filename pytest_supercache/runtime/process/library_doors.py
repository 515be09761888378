"""Opens the doors of libraries when they are imported.

Each is a module of its own with three functions: ``open`` puts stand-ins in place and returns
pairs of the real and its stand-in, for names imported elsewhere; ``close`` takes them back;
``close_opened`` closes what an execution has left open.
"""

import datetime
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

from freezegun import api

_DOORS = {
    "sqlite3": "pytest_supercache.runtime.sql.sqlite",
    "psycopg": "pytest_supercache.runtime.sql.postgres",
    "pymemcache.client.base": "pytest_supercache.runtime.process.memcached",
    "anyio._core._synchronization": "pytest_supercache.runtime.aio.anyio_tools",
    "anyio.to_thread": "pytest_supercache.runtime.sql.worker_threads",
}

_BEFOREHAND = {"fastapi": "pydantic.v1", "anyio": "anyio._backends._asyncio"}
"""What libraries import when they are used first, and what must not see what an execution replaces.

One derives classes from those of `datetime`, the other keeps ``asyncio.sleep``.
"""


class LibraryDoors:
    """The doors that are open in one check."""

    def __init__(self) -> None:
        self._doors: list[Any] = []  # modules
        self.pairs: list[tuple[Any, Any]] = []  # (real, stand-in)

    def open(self) -> None:
        """Open the doors of what is imported."""
        for library, name in _BEFOREHAND.items():
            if library in sys.modules and name not in sys.modules and find_spec(name) is not None:
                _import_with_real_dates(name)
        self.notice()

    def notice(self) -> bool:
        """Open the doors of what was imported since; True when there was something."""
        known = len(self._doors)
        for library, name in _DOORS.items():
            if library in sys.modules and sys.modules.get(name) not in self._doors:
                door = import_module(name)
                self._doors.append(door)
                self.pairs += door.open()
        return len(self._doors) > known

    def close(self) -> None:
        """Close them."""
        for door in self._doors:
            door.close()

    def forget_connections(self) -> None:
        """Close what an execution has left open."""
        for door in self._doors:
            door.close_opened()


def _import_with_real_dates(name: str) -> None:
    """Import a module that derives classes from dates, though somebody may have frozen time."""
    with patch.multiple(datetime, date=api.real_date, datetime=api.real_datetime):
        import_module(name)
