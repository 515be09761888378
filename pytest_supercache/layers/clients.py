"""Clients of redis-py that we make: copies of one another, which report to nobody.

redis-py tells its metrics of every command; nobody is there who would hear of it from a client of
ours. What a copy does not do by itself, it leaves to redis-py.
"""

from functools import lru_cache
from typing import Any

import redis
import redis.asyncio
from redis.client import CaseInsensitiveDict
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import TimeoutError as LateError

from pytest_supercache.layers.telling import Telling

_LOST = (BrokenConnectionError, LateError, TimeoutError)
"""After these a client opens its connection anew, if it is used again."""

_KEYS = frozenset({"keys"})
"""What redis-py says with a command for those who cache answers."""


class Reading:
    """How a client reads answers: as the one that it is a copy of, until it has its own table.

    The table has hundreds of rows, and a copy of it would touch them all.
    """

    rows: dict[str, Any] | None = None
    """The table that all copies share."""

    def share(self, rows: dict[str, Any]) -> None:
        """Read by this table, until somebody asks for the client's own."""
        self.rows = rows
        self.response_callbacks = None

    @property
    def response_callbacks(self) -> Any:
        """The client's own table; whoever asks for it may change it."""
        own = vars(self)["response_callbacks"]
        if own is None:
            own = self.response_callbacks = CaseInsensitiveDict({})
            assert self.rows is not None, "who has no table of its own shares one"
            dict.update(own, self.rows)  # its own update would fold every name again
        return own

    @response_callbacks.setter
    def response_callbacks(self, table: Any) -> None:
        vars(self)["response_callbacks"] = table  # where redis-py would have it: see moulds

    def shares(self, command: Any, options: Any) -> bool:
        """Say whether an answer is read by the table that all copies share, and by nothing else."""
        return (
            vars(self)["response_callbacks"] is None
            and options.keys() <= _KEYS
            and type(command) is str
            and _stands_for_itself(command)
        )

    def read(self, command: str, answer: Any) -> Any:
        """Read an answer by that table."""
        assert self.rows is not None, "who shares a table has it"
        row = self.rows.get(command)
        return answer if row is None else row(answer)


class Client(Reading, Telling, redis.Redis):
    """Sends a command on a connection of its pool, as redis-py does."""

    announced_to: object = None
    """The cache whose door has let through what is sent now: there nobody is told of it again."""

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


class AsyncClient(Reading, Telling, redis.asyncio.Redis):  # type: ignore[misc] # its bases differ in this
    """The same on asyncio; its commands take the way of redis-py."""

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read the answer of a command."""
        if self.shares(command_name, options):
            return self.read(command_name, await connection.read_response())
        whole: Any = super()
        return await whole.parse_response(connection, command_name, **options)


@lru_cache(maxsize=1_000)
def _stands_for_itself(command: str) -> bool:
    """Say whether a command is sent as it stands, and its answer has a row under its name.

    HIMPORT is not: redis-py sends others before it, once on each connection.
    """
    return command.isupper() and "HIMPORT" not in command
