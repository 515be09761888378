"""Pools of the clients that we make: those of redis-py, without metrics and listeners.

redis-py reports every acquired and released connection to its metrics and its listeners, and on
asyncio acquires a lock although no context switch can occur there. For a client of ours, nobody
reads these reports.
"""

import os
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import TimeoutError as LateError

from pytest_supercache.layers.event_dispatchers import LazyDispatcher

_BROKEN = (BrokenConnectionError, LateError, OSError)


class Pool(LazyDispatcher, redis.ConnectionPool):
    """Hands out connections that are ready to send a command, as the pool of redis-py does."""

    def reset(self) -> None:
        """Drop every connection, as in a new pool; redis-py calls this in a forked process."""
        if getattr(self, "pid", None) != os.getpid():
            super().reset()
            return
        self._created_connections = 0
        self._available_connections = []
        self._in_use_connections = set()

    def get_connection(self, *_command: Any, **_options: Any) -> Any:
        """Return a connection for exclusive use; a broken one is reconnected.

        Raises:
            redis.ConnectionError: the server cannot be reached.
        """
        if self.pid != os.getpid():
            self._checkpid()
        with self._lock:
            idle = self._available_connections
            connection: Any = idle.pop() if idle else self.make_connection()
            self._in_use_connections.add(connection)
        if getattr(connection, "is_idle", False):
            return connection
        try:
            connection.connect()
            try:
                is_silent = _is_silent(self, connection)
            except _BROKEN:
                is_silent = False
            if not is_silent:
                connection.disconnect()
                connection.connect()
                if not _is_silent(self, connection):
                    raise BrokenConnectionError("Connection not ready")
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back; ignore one of another pool."""
        with self._lock:
            if connection not in self._in_use_connections:
                return
            self._in_use_connections.remove(connection)
            if connection.pid != self.pid:  # of the process that this one was forked from
                connection.disconnect()
                return
            if _is_worn(connection):
                connection.disconnect()
            self._available_connections.append(connection)


class AsyncPool(LazyDispatcher, redis.asyncio.ConnectionPool):
    """The same on asyncio, where no context switch occurs without an await."""

    async def get_connection(self, *_command: Any, **_options: Any) -> Any:
        """Return a connection for exclusive use; a broken one is reconnected.

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
            KeyError: the connection is of another pool.
        """
        self._in_use_connections.remove(connection)
        if _is_worn(connection):
            await connection.disconnect()
        self._available_connections.append(connection)


def _is_silent(pool: Any, connection: Any) -> bool:
    """Say whether only server notifications are unread, in versions of redis-py that read them."""
    if not connection.can_read():
        return True
    enabled = getattr(pool, "maint_notifications_enabled", None)
    return enabled is not None and bool(enabled())


def _is_worn(connection: Any) -> bool:
    """Say whether a connection is to be replaced, in versions of redis-py that can tell."""
    should_reconnect = getattr(connection, "should_reconnect", None)
    return should_reconnect is not None and bool(should_reconnect())
