"""Runs fakeredis behind the existing cache: in this process, in virtual time."""

import copy
import time
from asyncio import _get_running_loop as get_running_loop
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from pytest_supercache.layers.connections import portable_arguments
from pytest_supercache.layers.reuse import Reuse, is_emptied, shape_of

_MAKES_ERRORS = "_decode_error"


class FakeRedisServer:
    """The default server: fakeredis, in this process, in virtual time."""

    url = "redis://localhost:6379/0"
    backend = "fakeredis"
    addresses: frozenset[Any] = frozenset()
    reuses_connections = True
    tells_of_changes = False  # no client-side caching
    messages_arrive = True
    has_databases = True

    def __init__(self) -> None:
        import fakeredis

        self.description = f"fakeredis {_version()}"
        self.runs_scripts = find_spec("lupa") is not None
        self.moves_time = True  # it reads the clock that the scheduler moves
        self._make = fakeredis.FakeServer
        self._server = self._make()
        self._reuse = Reuse()
        self._reuse_on_loops = Reuse()

    def connection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make a connection of redis-py or valkey-py to the current server."""
        arguments = _of_numbered_database(arguments)
        if library == "valkey":
            import fakeredis

            pool = fakeredis.FakeValkey(server=self._server).connection_pool
            return pool.connection_class(server=self._server, **arguments)
        return self._lent(self._reuse, _connection_class(), arguments)

    def remember(self, setting: str) -> None:
        """Remember nothing: the next execution has a new server."""

    def own_reader(self, client: str) -> type | None:
        """Return the class that parses replies in its own way, for one client library at a time."""
        kinds = _connection_class().__mro__ if client == "Redis" else ()
        return next((kind for kind in kinds if "read_response" in vars(kind)), None)

    def error_makers(self) -> tuple[tuple[type, str], ...]:
        """Return where fakeredis makes the errors that it answers with: a class and its method."""
        return _error_makers()

    def script_callers(self) -> tuple[tuple[type, str], ...]:
        """Return where fakeredis executes the commands of scripts: a class and its method."""
        if not self.runs_scripts:
            return ()
        from fakeredis.commands_mixins.scripting_mixin import ScriptingCommandsMixin

        return ((ScriptingCommandsMixin, "_lua_redis_call"),)

    def aconnection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make an asyncio connection of redis-py or valkey-py to the current server."""
        from pytest_supercache.layers.fake_connection import AsyncFieldsConnection

        arguments = _of_numbered_database(arguments)
        if library == "valkey":
            import fakeredis

            pool: Any = fakeredis.FakeAsyncValkey(server=self._server).connection_pool
            return pool.connection_class(server=self._server, **arguments)
        if get_running_loop() is None:  # it will belong to one that is not there yet
            return AsyncFieldsConnection(server=self._server, **arguments)
        return self._lent(self._reuse_on_loops, AsyncFieldsConnection, arguments)

    def _lent(self, reuse: Reuse, make: Any, arguments: Mapping[str, Any]) -> Any:
        """Return an idle connection, or a new one, that may serve the next execution, too."""
        shape = shape_of(arguments)
        connection = reuse.take(shape, self._server)
        if connection is None:
            connection = make(server=self._server, **arguments)
            reuse.lend(shape, connection)
        return connection

    def reset(self, *, was_plain: bool = False) -> None:
        """Start over, with a new server unless clearing the keys of the old one is enough.

        Args:
            was_plain: all connections have only read and written keys.
        """
        self._reuse.collect(are_plain=was_plain)
        self._reuse_on_loops.collect(are_plain=was_plain)
        if not (was_plain and is_emptied(self._server)):
            self._server = self._make()

    def strings(self, database: int) -> dict[str, str] | None:
        """Return the content of a database if all of it is plain strings, else None."""
        now = time.time()  # noqa: TID251 - frozen: virtual time, as fakeredis sees it
        found = {}
        for key, item in self._server.dbs[database]._dict.items():  # noqa: SLF001 - fakeredis shows values with their expiry nowhere else
            if not isinstance(item.value, bytes):
                return None
            if item.expireat is None or item.expireat >= now:
                found[_text(key)] = _text(item.value)
        return found

    def save(self) -> Any:
        """Return the content of every database, for :meth:`load`."""
        return {
            number: copy.deepcopy(database._dict)  # noqa: SLF001 - fakeredis shows values with their expiry nowhere else
            for number, database in self._server.dbs.items()
        }

    def load(self, saved: Any) -> None:
        """Restore the content that :meth:`save` returned; connections stay."""
        for number in {*self._server.dbs, *saved}:
            database = self._server.dbs[number]
            for key in list(database):
                del database[key]
            for key, item in copy.deepcopy(saved.get(number, {})).items():
                database[key] = item

    def expiries(self) -> dict[str, float]:
        """Return the Unix time of expiry, by key, for keys that have a TTL.

        fakeredis removes an expired key at the next access; until then it is here and must not
        count, or it would hide the deadlines that are still to come.
        """
        timed = [
            (key, item.expireat)
            for database in self._server.dbs.values()
            for key, item in database._dict.items()  # noqa: SLF001 - fakeredis shows values with their expiry nowhere else
            if item.expireat is not None
        ]
        if not timed:
            return {}
        now = time.time()  # noqa: TID251 - frozen: virtual time, as fakeredis sees it
        found: dict[str, float] = {}
        for key, at in timed:
            if at >= now:
                name = _text(key)
                found[name] = min(at, found.get(name, at))
        return found

    def quiesce(self) -> None:
        """Do nothing, because fakeredis answers at once."""

    def close(self) -> None:
        """Do nothing, because there is no process to stop."""


@cache
def _version() -> str:
    return version("fakeredis")  # reads a file


@cache
def _error_makers() -> tuple[tuple[type, str], ...]:
    import fakeredis

    connection = _connection_class()(server=fakeredis.FakeServer())
    kinds = type(connection._connect()).__mro__  # noqa: SLF001 - fakeredis does not export this class
    return tuple((kind, _MAKES_ERRORS) for kind in kinds if _MAKES_ERRORS in vars(kind))


@cache
def _connection_class() -> type:
    """Return the class of connections; import fakeredis when the first one is made."""
    from pytest_supercache.layers.fake_connection import FieldsConnection

    return FieldsConnection


def _of_numbered_database(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection's arguments with the number of its database.

    Libraries say None for the first one, as redis-py takes it. fakeredis would make a database of
    its own for it, which other clients do not see.
    """
    return {**portable_arguments(arguments), "db": int(arguments.get("db") or 0)}


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
