"""Reports uses of `sqlite3` connections whose statements are no steps.

They were made before the execution, at import for example, or by the class itself. Any library may
hold them (a pool of SQLAlchemy), and no stand-in sees their statements, so a trace callback of
SQLite reports them.
"""

import gc
import sqlite3
from contextlib import suppress
from typing import Any

from pytest_supercache.runtime.kernel import audit
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.frozen_objects import all_visible

_MADE = "sqlite3.connect/handle"

_is_searched = True
"""Whether there may be such connections: before the first check nobody has listened."""

_told: list[sqlite3.Connection] = []
"""The connections that tell of their statements, for the length of a check."""


def open() -> None:
    """Let the connections that are there tell of their statements."""
    global _is_searched
    audit.listen({_MADE}, _heard)
    if not _is_searched:
        return
    found = [one for one in all_objects() if type(one) is sqlite3.Connection]
    _is_searched = bool(found)
    for connection in found:
        with suppress(sqlite3.Error):  # closed, or of another thread, which alone may use it
            connection.set_trace_callback(_name)
            _told.append(connection)


def close() -> None:
    """Let them say nothing again."""
    while _told:
        with suppress(sqlite3.Error):
            _told.pop().set_trace_callback(None)


def all_objects() -> list[Any]:
    """Return all objects that the collector tracks, those that are frozen, too."""
    with all_visible():
        return gc.get_objects()


def _heard(_: str, arguments: tuple[Any, ...]) -> None:
    global _is_searched
    if type(arguments[0]) is not sqlite3.Connection:
        return
    if current_actor() is None:
        _is_searched = True
    else:
        _name("")


def _name(_statement: str) -> None:
    """Note as a hazard that a user uses such a connection."""
    actor = current_actor()
    execution = None if actor is None or actor.direct else controlled()
    if execution is not None and execution.controller.phase == "race":
        execution.controller.hazard(
            "the code under test uses a connection of sqlite3 that was made before the execution, "
            "at import for example, or without sqlite3.connect: its statements are no steps. "
            "Connect in the system's factory, or import the module there with isolate=[...]"
        )
