"""Clients, connections and servers of fakeredis that serve one execution after the other.

To make a client costs as much as two commands, because it writes down anew how every answer is to
be read: one is a copy of the first that was made with the same options. To connect costs as much as
six. A connection through which nothing but plain reads and writes of keys went remembers nothing of
them, so it may be led to the next execution's server as if it had been opened there. After anything
else (a transaction, a subscription, SELECT, a script, a client option, an error) it is closed.
"""

from collections.abc import Callable, Mapping
from typing import Any

_SHAPES = frozenset({"decode_responses", "encoding", "encoding_errors", "protocol", "db"})
"""What a connection to be used again may have been asked for."""

Shape = tuple[tuple[str, Any], ...]


class Reuse:
    """The connections of one server after the other."""

    def __init__(self) -> None:
        self._idle: dict[Shape, list[Any]] = {}
        self._lent: list[tuple[Shape, Any]] = []

    def take(self, shape: Shape | None, server: Any) -> Any:
        """Return an idle connection of this shape, led to ``server``; None: there is none."""
        idle = [] if shape is None else self._idle.get(shape, [])
        if not idle:
            return None
        connection = idle.pop()
        _lead(connection, server)
        self.lend(shape, connection)
        return connection

    def lend(self, shape: Shape | None, connection: Any) -> None:
        """Note that somebody uses a connection until the next :meth:`collect`."""
        if shape is not None:
            self._lent.append((shape, connection))

    def collect(self, *, are_plain: bool) -> None:
        """Take back what was lent: to use it again if only plain commands went through all."""
        for shape, connection in self._lent:
            if are_plain and _is_clean(connection):
                self._idle.setdefault(shape, []).append(connection)
        if not are_plain:
            self._idle.clear()
        self._lent.clear()


def shape_of(arguments: Mapping[str, Any], library: str) -> Shape | None:
    """Return what a connection was asked for; None: it is too special to be used again."""
    said = {name: value for name, value in arguments.items() if value is not None}
    if library != "redis" or not _SHAPES.issuperset(said):
        return None
    return tuple(sorted((name, repr(value)) for name, value in said.items()))


def _is_clean(connection: Any) -> bool:
    """Say whether a connection is open, of a fakeredis that we know, with nothing unread."""
    socket: Any = getattr(connection, "_sock", None)
    known = all(hasattr(socket, name) for name in ("_server", "_db", "_db_num", "_client_info"))
    return known and hasattr(connection, "_server") and socket.responses.empty()


def _lead(connection: Any, server: Any) -> None:
    """Let a connection belong to ``server``, as a socket does that was opened there."""
    socket = connection._sock  # noqa: SLF001 - fakeredis has no public way to move one
    connection._server = socket._server = server  # noqa: SLF001
    socket._db = server.dbs[socket._db_num]  # noqa: SLF001
    socket._client_info["id"] = server.get_next_client_id()  # noqa: SLF001
    server.sockets.append(socket)


_KEPT = frozenset(
    {"_next_client_id", "acl", "clients", "closed_sockets", "config", "connected", "dbs",
     "lastsave", "lock", "pause_mode", "pause_until", "psubscribers", "scan_cursors",
     "script_cache", "server_type", "sockets", "ssubscribers", "subscribers", "version"}
)  # fmt: skip
"""What a fakeredis server consists of, in the versions that we know how to empty."""


def is_emptied(server: Any) -> bool:
    """Make a server new through which only plain reads and writes went; False: it is another."""
    if vars(server).keys() != _KEPT or server.lock.locked():
        return False
    server.dbs.clear()
    server.sockets.clear()
    server.closed_sockets.clear()
    server.scan_cursors.clear()
    server._next_client_id = 1  # noqa: SLF001 - fakeredis has no public way to empty one
    return True


_PARTS = frozenset(
    {"_event_dispatcher", "auto_close_connection_pool", "connection_pool", "single_connection_lock",
     "connection", "_single_connection_client", "response_callbacks"}
)  # fmt: skip
"""What a client consists of, in the versions of redis-py that we know how to copy."""


class Moulds:
    """Clients of which others are made."""

    def __init__(self) -> None:
        self._moulds: dict[Shape, Any] = {}

    def client(self, make: Callable[..., Any], pool: Any, options: Mapping[str, Any]) -> Any:
        """Return a client on ``pool``: what ``make(connection_pool=pool)`` returns, or its like."""
        shape = shape_of(options, "redis")
        if shape is None:
            return make(connection_pool=pool)
        mould = self._moulds.get(shape)
        if mould is None:
            client = make(connection_pool=pool)
            if _PARTS.issuperset(vars(client)):
                self._moulds[shape] = _like(client, None)
            return client
        return _like(mould, pool)


def _like(mould: Any, pool: Any) -> Any:
    client = object.__new__(type(mould))
    vars(client).update(vars(mould), connection_pool=pool)
    callbacks = mould.response_callbacks
    make: Any = type(callbacks)
    client.response_callbacks = own = make.__new__(make)
    dict.update(own, callbacks)  # its own update would fold the case of every name again
    return client
