"""The process that has the client of a store in Redis, and writes what the search tells it.

A list belongs to one writer, by a lease that it renews. It ends with the process that has started
it, also if that was killed: what it was told until then is written first.
"""

import os
import secrets
import signal
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

PREFIX = "supercache:journal:"
"""The name of a list is this and a digest; its lease has ``:writer`` behind it."""

KEPT_SECONDS = 14 * 24 * 3600
"""How long a list is kept after it was last written."""

LEASE_SECONDS = 60
"""How long a list still belongs to a machine that is gone."""

_LOOK_SECONDS = 0.5
"""How often the writer checks whether the process that has started it is still there."""

_RENEWED_AFTER = 20
"""After how many of these looks leases are renewed."""

_ANSWER_SECONDS = 10.0
"""How long the server may take to answer."""

_READ_AT_ONCE = 100

ANSWERED = frozenset({"open", "problem", "close"})
"""The messages that have an answer."""

_OTHER_WRITER = "another run keeps the same search"
_LEASE_ENDED = "this machine stood still for a minute, so that its lease of the list has ended"


@dataclass(slots=True)
class _WrittenList:
    """A list that this process writes."""

    key: str
    problem: str | None = None


class Writer:
    """The lists that a process writes.

    Args:
        client: of the server.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._redis: Any = import_module("redis")
        self._token = secrets.token_hex(8)
        self._lists: dict[str, _WrittenList] = {}

    def open(self, name: str, most: int) -> list[bytes] | None:
        """Return a list's lines, ``most`` bytes at most, or None if another process writes it."""
        one = _WrittenList(f"{PREFIX}{name}")
        lines = list[bytes]()
        try:
            is_free = self._client.set(_lease(one.key), self._token, nx=True, ex=LEASE_SECONDS)
            if not is_free and not self._is_own(self._client, one):  # redis-py may have asked twice
                return None
            lines = self._read(one.key, most)
        except self._redis.RedisError as error:
            one.problem = _told(error)
        self._lists[name] = one
        self.cut(name, len(lines))
        return lines

    def _read(self, key: str, most: int) -> list[bytes]:
        lines = list[bytes]()
        while found := self._client.lrange(key, len(lines), len(lines) + _READ_AT_ONCE - 1):
            for line in found:
                most -= len(line)
                if most < 0:
                    return lines
                lines.append(line)
        return lines

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a list."""
        self._write(self._lists.get(name), line)

    def cut(self, name: str, count: int) -> None:
        """Keep only the first lines of a list."""
        self._write(self._lists.get(name), keep=count)

    def problem(self, name: str) -> str | None:
        """Return why lines could not be written; None: they were."""
        one = self._lists.get(name)
        return None if one is None else one.problem

    def close(self, name: str) -> None:
        """Leave a list to others, once."""
        one = self._lists.pop(name, None)
        if one is None or one.problem is not None:
            return
        with suppress(self._redis.RedisError):  # then the lease ends by itself
            if self._is_own(self._client, one):
                self._client.delete(_lease(one.key))

    def close_all(self) -> None:
        """Leave all lists to others."""
        for name in list(self._lists):
            self.close(name)

    def renew(self) -> None:
        """Keep the lists for longer; one that another process has taken is lost."""
        for one in self._lists.values():
            self._write(one)

    def _write(self, one: _WrittenList | None, *lines: bytes, keep: int | None = None) -> None:
        """Write to a list, if it is one of this process, and still belongs to it."""
        if one is None or one.problem is not None:
            return
        try:
            with self._client.pipeline(transaction=True) as commands:
                commands.watch(_lease(one.key), one.key)
                if not self._is_own(commands, one):
                    one.problem = self._why_not_own(one)
                    return
                commands.multi()
                commands.expire(_lease(one.key), LEASE_SECONDS)
                if keep == 0:
                    commands.delete(one.key)
                elif keep is not None:
                    commands.ltrim(one.key, 0, keep - 1)
                if lines:
                    commands.rpush(one.key, *lines)
                commands.expire(one.key, KEPT_SECONDS)
                commands.execute()
        except self._redis.RedisError as error:
            one.problem = _told(error)

    def _why_not_own(self, one: _WrittenList) -> str:
        return _OTHER_WRITER if self._client.exists(_lease(one.key)) else _LEASE_ENDED

    def _is_own(self, client: Any, one: _WrittenList) -> bool:
        return bool(client.get(_lease(one.key)) == self._token.encode())


def _lease(key: str) -> str:
    return f"{key}:writer"


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def main(descriptor: int) -> None:
    """Write what is told until the process that tells it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that searches
    parent = os.getppid()
    connection: Any = Connection(descriptor)
    url: str = connection.recv()
    redis: Any = import_module("redis")
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
        )
        client.get_connection_kwargs()["decode_responses"] = False  # whatever the URL says
        client.ping()
    except ValueError:  # its text may have a part of the password
        connection.send("it is no URL of a Redis server")
        return
    except (redis.RedisError, TypeError) as error:  # TypeError: an option that no client has
        connection.send(_told(error))
        return
    connection.send(None)
    serve(connection, Writer(client), parent)


def serve(connection: Any, writer: Writer, parent: int) -> None:
    """Do what messages ask for until there are no more.

    Forks of the process that tells them hold its end of the connection open, so that it counts as
    ended when this process has another parent.
    """
    try:
        while (message := _next(connection, writer, parent)) is not None:
            what, *given = message
            answer = getattr(writer, what)(*given)
            if what in ANSWERED:
                connection.send(answer)
    except (EOFError, OSError):
        pass  # the process that tells it has ended
    finally:
        writer.close_all()


def _next(connection: Any, writer: Writer, parent: int) -> Any:
    """Return the next message; None: there will be none."""
    looks = 0
    while not connection.poll(_LOOK_SECONDS):
        looks += 1
        if os.getppid() != parent:
            return None
        if looks % _RENEWED_AFTER == 0:
            writer.renew()
    return connection.recv()
