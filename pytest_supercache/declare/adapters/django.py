"""Django: its caches in the process and in files, and its database, with each statement a step.

The statements of `sqlite3`, psycopg, psycopg2, PyMySQL and mysqlclient are steps already, with the
tables they touch. Its Redis cache sends commands, which are steps already. Both caches evict when
they have too many entries, so a store may touch any key; a look-up removes an expired entry.
Functions that Django builds on these (``incr`` of the file cache, ``get_or_set``, the ``_many``
methods) are not atomic there either, so their parts are the steps.
"""

import importlib
from typing import Any

from pytest_supercache.declare.adapters.table import Bookkeeping, calls

_LOCAL = "django.core.cache.backends.locmem:LocMemCache"
_FILES = "django.core.cache.backends.filebased:FileBasedCache"
_CURSOR = "django.db.backends.utils:CursorWrapper"

_STORES = "django.core.cache.backends.locmem"

STATE = [f"{_STORES}:{name}" for name in ("_caches", "_expire_info", "_locks")]

BOOKKEEPING = {
    _STORES: Bookkeeping("its methods are declared, each as one step"),
    "django.dispatch.dispatcher": Bookkeeping(
        "a signal that is sent looks up its receivers, which were connected at import; the test "
        "client connects and disconnects its own, by keys that nobody else has",
        changing=frozenset({"connect", "disconnect"}),
    ),
    "django.apps.registry": Bookkeeping("django.setup() fills it, before there are users"),
}
"""Modules whose critical sections are no steps, each with the reason."""


def _caches() -> Any:
    """Return a new holder of the caches of a process, which creates each cache at its first use."""
    return importlib.import_module("asgiref.local").Local()


def _connections() -> Any:
    """Return a new holder of database connections: each thread of a process opens its own."""
    return importlib.import_module("asgiref.local").Local(thread_critical=True)


MADE_PER_NODE = {
    "django.core.cache:caches._connections": _caches,
    "django.db:connections._connections": _connections,
}


def _written(sql: Any) -> str | None:
    return None if str(sql).lstrip(" (").upper().startswith("SELECT") else "*"


def _takes_steps(self: Any) -> bool:
    """Say whether the driver's statements are steps themselves, which know their tables."""
    driver = type(self.db.connection).__module__.partition(".")[0]
    return driver in {"pytest_supercache", "psycopg", "psycopg2", "pymysql", "MySQLdb"}


def _timeout(self: Any, timeout: Any) -> Any:
    if timeout is None:
        return None
    return timeout if isinstance(timeout, int | float) else self.default_timeout


WATCHES = [
    *calls(_LOCAL, "get has_key", writes="*"),
    *calls(_LOCAL, "set add touch", writes="*", expires=_timeout),
    *calls(_LOCAL, "incr delete clear", writes="*"),
    *calls(_FILES, "get has_key delete", "existing_cache", writes="key"),
    *calls(_FILES, "set touch", "existing_cache", writes="*", expires=_timeout),
    *calls(_FILES, "clear", "existing_cache", writes="*"),
    *calls(
        _CURSOR, "execute executemany", "origin", reads="*", writes=_written, unless=_takes_steps
    ),
]
