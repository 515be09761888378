"""The clients that we make and their pools: those of redis-py, which report to nobody.

redis-py tells its metrics and its listeners of every command, of every connection that is handed
out and taken back, and on asyncio waits for a lock where nothing can come between. Nobody is there
who would hear of it from a client of ours.
"""

from typing import Any

import redis
import redis.asyncio
from redis.client import CaseInsensitiveDict
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import TimeoutError as LateError

_KEYS = frozenset({"keys"})
"""What redis-py says with a command for those who cache answers."""

_BROKEN = (BrokenConnectionError, LateError, OSError)

_LOST = (BrokenConnectionError, LateError, TimeoutError)
"""After these a client opens its connection anew, if it is used again."""


class Reading:
    """How a client reads answers: as the one that it is a copy of, until it has its own table.

    The table has hundreds of rows, and a copy of it would touch them all.
    """

    rows: dict[str, Any] | None = None
    """The table that all copies share."""

    @property
    def response_callbacks(self) -> Any:
        """The client's own table; whoever asks for it may change it."""
        own = vars(self)["response_callbacks"]
        if own is None:
            own = self.response_callbacks = CaseInsensitiveDict({})
            dict.update(own, self.rows or {})  # its own update would fold every name again
        return own

    @response_callbacks.setter
    def response_callbacks(self, table: Any) -> None:
        vars(self)["response_callbacks"] = table

    def shares(self, command: Any, options: Any) -> bool:
        """Say whether an answer is read by the table that all copies share, and by nothing else."""
        return (
            vars(self)["response_callbacks"] is None
            and options.keys() <= _KEYS
            and _is_usual(command)
        )

    def read(self, command: str, answer: Any) -> Any:
        """Read an answer by that table."""
        assert self.rows is not None, "a copy has it"
        row = self.rows.get(command)
        return answer if row is None else row(answer)


class Client(Reading, redis.Redis):
    """Sends a command on a connection of its pool, as redis-py does."""

    def _execute_command(self, *args: Any, **options: Any) -> Any:
        pool: Any = self.connection_pool
        name = args[0]
        if (
            self.connection is not None
            or pool.connection_kwargs.get("retry") is not None
            or not self.shares(name, options)
        ):  # more is done then
            whole: Any = super()
            return whole._execute_command(*args, **options)
        connection = pool.get_connection()
        try:
            connection.send_command(*args, **options)
            return self.read(name, connection.read_response())
        except _LOST:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)


class AsyncClient(Reading, redis.asyncio.Redis):  # type: ignore[misc] # its bases differ in this
    """The same on asyncio; its commands take the way of redis-py."""

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read the answer of a command."""
        if self.shares(command_name, options):
            return self.read(command_name, await connection.read_response())
        whole: Any = super()
        return await whole.parse_response(connection, command_name, **options)


def _is_usual(command: Any) -> bool:
    """Say whether a command is sent as it stands, and its answer has a row under its name."""
    return type(command) is str and command.isupper() and "HIMPORT" not in command


class Pool(redis.ConnectionPool):
    """Hands out connections that are ready to send a command, as the pool of redis-py does."""

    def get_connection(self, *_command: Any, **_options: Any) -> Any:
        """Return a connection that nobody else has; a broken one is connected anew.

        Raises:
            redis.ConnectionError: the server cannot be reached.
        """
        self._checkpid()
        with self._lock:
            idle = self._available_connections
            connection: Any = idle.pop() if idle else self.make_connection()
            self._in_use_connections.add(connection)
        try:
            connection.connect()
            try:
                is_ready = not connection.can_read() or _may_be_told(self)
            except _BROKEN:
                is_ready = False
            if not is_ready:
                connection.disconnect()
                connection.connect()
                if connection.can_read() and not _may_be_told(self):
                    raise BrokenConnectionError("Connection not ready")
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back; one that is somebody else's is left alone."""
        with self._lock:
            if connection not in self._in_use_connections:
                return
            self._in_use_connections.remove(connection)
            if not self.owns_connection(connection):
                connection.disconnect()
                return
            if _is_worn(connection):
                connection.disconnect()
            self._available_connections.append(connection)


class AsyncPool(redis.asyncio.ConnectionPool):
    """The same on asyncio, where nothing comes between what is not awaited."""

    async def get_connection(self, *_command: Any, **_options: Any) -> Any:
        """Return a connection that nobody else has; a broken one is connected anew.

        Raises:
            redis.ConnectionError: the server cannot be reached.
        """
        connection = self.get_available_connection()  # type: ignore[no-untyped-call] # of redis-py
        if getattr(connection, "is_idle", False):
            return connection
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back.

        Raises:
            KeyError: it is somebody else's.
        """
        self._in_use_connections.remove(connection)
        if _is_worn(connection):
            await connection.disconnect()
        self._available_connections.append(connection)


def _may_be_told(pool: Any) -> bool:
    """Say whether what is unread may be news of the server, in versions of redis-py that hear."""
    enabled = getattr(pool, "maint_notifications_enabled", None)
    return enabled is not None and bool(enabled())


def _is_worn(connection: Any) -> bool:
    """Say whether a connection is to be made anew, in versions of redis-py that know that."""
    should_reconnect = getattr(connection, "should_reconnect", None)
    return should_reconnect is not None and bool(should_reconnect())
