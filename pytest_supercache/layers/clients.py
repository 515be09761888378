"""Clients of redis-py that are copies of one another and report no metrics.

redis-py reports every command to its metrics, which nobody reads for a client of ours. What a copy
does not do by itself, it leaves to redis-py.
"""

from functools import lru_cache
from typing import Any

import redis
import redis.asyncio
from redis.client import CaseInsensitiveDict
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import TimeoutError as LateError

from pytest_supercache.layers.event_dispatchers import LazyDispatcher

_LOST = (BrokenConnectionError, LateError, TimeoutError)
"""After these errors a client reconnects, if it is used again."""

_KEYS = frozenset({"keys"})
"""The options that redis-py passes with a command for client-side caching."""


class Reading:
    """Reads answers with the table of the original client, until the copy has a table of its own.

    The table has hundreds of rows, which a copy of it would all have to touch.
    """

    rows: dict[str, Any] | None = None
    """The table that all copies share."""

    def share(self, rows: dict[str, Any]) -> None:
        """Read answers with this table, until code accesses the client's own."""
        self.rows = rows
        self.response_callbacks = None

    @property
    def response_callbacks(self) -> Any:
        """The client's own table, which code that accesses it may change."""
        own = vars(self)["response_callbacks"]
        if own is None:
            own = self.response_callbacks = CaseInsensitiveDict({})
            assert self.rows is not None, "who has no table of its own shares one"
            dict.update(own, self.rows)  # its own update would fold every name again
        return own

    @response_callbacks.setter
    def response_callbacks(self, table: Any) -> None:
        # Where redis-py would have it: `client_templates` copies the attributes.
        vars(self)["response_callbacks"] = table

    def shares(self, command: Any, options: Any) -> bool:
        """Say whether the shared table alone reads the answer of a command."""
        return (
            vars(self)["response_callbacks"] is None
            and options.keys() <= _KEYS
            and type(command) is str
            and _stands_for_itself(command)
        )

    def read(self, command: str, answer: Any) -> Any:
        """Read an answer with the shared table."""
        assert self.rows is not None, "who shares a table has it"
        row = self.rows.get(command)
        return answer if row is None else row(answer)


class Client(Reading, LazyDispatcher, redis.Redis):
    """Sends a command on a connection of its pool, as redis-py does."""

    announced_to: object = None
    """The cache whose door has announced the current command, which is not announced again."""

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
            door = self.announced_to
            if door is not None and hasattr(connection, "send_announced"):
                connection.send_announced(args, door)
            else:
                connection.send_command(*args, **options)
            return self.read(name, connection.read_response())
        except _LOST:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)


# The bases of redis.asyncio.Redis define `command_info` with different signatures.
class AsyncClient(Reading, LazyDispatcher, redis.asyncio.Redis):  # type: ignore[misc]
    """Reads answers as `Client` does, on asyncio; redis-py sends its commands."""

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read the answer of a command."""
        if self.shares(command_name, options):
            return self.read(command_name, await connection.read_response())
        whole: Any = super()
        return await whole.parse_response(connection, command_name, **options)


@lru_cache(maxsize=1_000)
def _stands_for_itself(command: str) -> bool:
    """Say whether a command is sent unchanged, and its answer has a row under its name.

    HIMPORT is not: redis-py sends other commands before it, once on each connection.
    """
    return command.isupper() and "HIMPORT" not in command
