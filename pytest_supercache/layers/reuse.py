"""Reuses connections and servers of fakeredis in later executions.

Connecting costs as much as six commands, on asyncio as ten. A connection with only plain reads and
writes of keys has no state of them, so it may be attached to the next execution's server as if it
had been opened there. After anything else (a transaction, a subscription, SELECT, a script, a
client option, an error) it is closed.
"""

from collections.abc import Mapping
from typing import Any

_SHAPES = frozenset({"decode_responses", "encoding", "encoding_errors", "protocol", "db"})
"""The options that a reusable connection may have."""

Shape = tuple[tuple[str, Any], ...]


class Reuse:
    """The connections to one server after the other."""

    def __init__(self) -> None:
        self._idle: dict[Shape, list[Any]] = {}
        self._lent: list[tuple[Shape, Any]] = []

    def take(self, shape: Shape | None, server: Any) -> Any:
        """Return an idle connection of this shape, attached to ``server``; None: there is none."""
        idle = [] if shape is None else self._idle.get(shape, [])
        if not idle:
            return None
        connection = idle.pop()
        _lead(connection, server)
        self.lend(shape, connection)
        return connection

    def lend(self, shape: Shape | None, connection: Any) -> None:
        """Record that a connection is in use until the next :meth:`collect`."""
        if shape is not None:
            self._lent.append((shape, connection))

    def collect(self, *, are_plain: bool) -> None:
        """Take all lent connections back, for reuse if all commands were plain."""
        for shape, connection in self._lent:
            if are_plain and _is_clean(connection):
                connection._sock.leave_loop()  # noqa: SLF001 - as below
                self._idle.setdefault(shape, []).append(connection)
        if not are_plain:
            self._idle.clear()
        self._lent.clear()


def shape_of(arguments: Mapping[str, Any]) -> Shape | None:
    """Return the options of a connection; None: they rule out its reuse."""
    said = {name: value for name, value in arguments.items() if value is not None}
    if not _SHAPES.issuperset(said):
        return None
    return tuple(sorted([(name, repr(value)) for name, value in said.items()]))


_SOCKET = frozenset({"_client_info", "_db", "_db_num", "_server", "responses"})


def _is_clean(connection: Any) -> bool:
    """Say whether a connection is open, of a known fakeredis version, with nothing unread."""
    socket: Any = getattr(connection, "_sock", None)
    if not getattr(socket, "takes_fields", False) or not hasattr(connection, "_server"):
        return False
    return vars(socket).keys() >= _SOCKET and bool(socket.responses.empty())


def _lead(connection: Any, server: Any) -> None:
    """Attach a connection to ``server``, as if its socket had been opened there now."""
    socket = connection._sock  # noqa: SLF001 - fakeredis has no public way to move one
    connection._server = socket._server = server
    socket._db = server.dbs[socket._db_num]
    socket._client_info["id"] = server.get_next_client_id()
    server.sockets.append(socket)
    socket.enter_loop()


_DATABASE = frozenset(
    {"_change_callbacks", "_dict", "_expiry_heap", "_watches", "condition", "time"}
)
"""The attributes of a database of fakeredis, in the versions that can be emptied."""

_KEPT = frozenset(
    {"_next_client_id", "acl", "clients", "closed_sockets", "config", "connected", "dbs",
     "lastsave", "lock", "pause_mode", "pause_until", "psubscribers", "scan_cursors",
     "script_cache", "server_type", "sockets", "ssubscribers", "subscribers", "version"}
)  # fmt: skip
"""The attributes of a fakeredis server, in the versions that can be emptied."""


def _is_free(lock: Any) -> bool:
    """Say whether nobody holds a lock; one of a kind that does not tell is taken for held."""
    return hasattr(lock, "locked") and not lock.locked()


def is_emptied(server: Any) -> bool:
    """Empty a server that had only plain reads and writes; False if it cannot be emptied."""
    if vars(server).keys() != _KEPT or not _is_free(server.lock):
        return False
    if not all(map(_is_idle, server.dbs.values())):
        return False
    for database in server.dbs.values():
        database._dict.clear()  # noqa: SLF001 - fakeredis has no public way to empty one
        database._expiry_heap.clear()
        database.time = 0.0
    server.sockets.clear()
    server.closed_sockets.clear()
    server.scan_cursors.clear()
    server._next_client_id = 1
    return True


def _is_idle(database: Any) -> bool:
    """Say whether no connection watches a database or blocks on it."""
    if vars(database).keys() != _DATABASE:
        return False
    return not (database._watches or database._change_callbacks)
