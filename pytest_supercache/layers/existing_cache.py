"""The cache that existed before the super cache: Redis-like, shared by all nodes."""

import json
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.layers.client_templates import ClientTemplates, of_tasks, of_threads
from pytest_supercache.layers.clock import EPOCH
from pytest_supercache.layers.connections import (
    channel_for,
    count_connection,
    owned,
    private_client,
)
from pytest_supercache.layers.leases import Leases
from pytest_supercache.layers.servers import AnyServer

if TYPE_CHECKING:
    import redis
    import redis.asyncio

PLACE = "existing_cache"

EXPIRED_AFTER = 1e-6
"""Seconds past its deadline at which a key is surely gone: at the exact instant fakeredis still
answers it and other layers do not."""


class ExistingCache:
    """The shared cache. Commands of the code under test are steps, those of this class are not."""

    name = PLACE

    def __init__(self, server: AnyServer) -> None:
        self.server = server
        self.timed: set[str] = set()  # commands that set or read a TTL in this execution
        self.expiring: set[str] = set()  # keys of commands that set or read a TTL
        self.history: list[Any] = []  # before each write, when a fault asks for it
        self.leases = Leases()
        self.is_observed = False  # every command of a client is looked at
        self.tells_of_keys = False  # somebody may hear of keyspace notifications
        self.is_plain = False  # and they were nothing but reads and writes of keys
        self._used: list[int] = []  # the numbers of the databases that clients use
        self._given: Mapping[str, Any] = {}  # what each of them began with
        self._admins: dict[int, redis.Redis] = {}  # for our own looks; made when needed
        self._templates: ClientTemplates | None = None  # of clients; made when needed
        self._async_templates: ClientTemplates | None = None
        self._pools: set[Any] = set()  # of clients we made, that have a connection

    @property
    def url(self) -> str:
        """The URL of the cache; connections that redis-py opens in an execution lead here."""
        return self.server.url

    def client(self, **options: Any) -> "redis.Redis":
        """Make a ``redis.Redis`` with its own ``options``, such as decode_responses."""
        self._templates = self._templates or of_threads()
        client: redis.Redis = self._templates.made(options)
        self._lead_here(client.connection_pool, lambda pool: self.join(pool, options))
        return client

    def join(self, pool: Any, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make a connection for a pool, which counts it.

        A connection with client-side caching gets its proxy.

        Raises:
            redis.exceptions.MaxConnectionsError: the pool has reached its size.
            SupercacheError: the server cannot send invalidations to clients.
        """
        if pool is not None:
            count_connection(pool, library)
        connection = self._joined(pool, arguments, library)
        if hasattr(pool, "_connections"):  # a blocking pool keeps its own list
            pool._connections.append(connection)  # noqa: SLF001 - its list of all that it made
        return connection

    def _joined(self, pool: Any, arguments: Mapping[str, Any], library: str) -> Any:
        self._use(arguments)
        connection = self.connect(arguments, library)
        cache = getattr(pool, "cache", None)
        if cache is None:
            return connection
        if not self.server.tells_of_changes:
            raise SupercacheError(
                f"client-side caching needs a server that tells of changes, and "
                f"{self.server.description} does not. Use --supercache-backend=redis-server, or "
                "say so once: @system(..., backend='redis-server')"
            )
        channel_for(connection).is_tracked = True
        proxy = import_module(f"{library}.connection").CacheProxyConnection
        return owned(proxy(connection, cache, pool._lock), self)  # noqa: SLF001 - as redis-py calls it

    def connect(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make a connection to this cache, with the ``arguments`` of any pool.

        Raises:
            SupercacheError: it would use client-side caching that is not under control.
        """
        _refuse_cache_of_valkey(arguments)
        return owned(_addressed(self.server.connection(arguments, library), arguments), self)

    def aclient(self, **options: Any) -> "redis.asyncio.Redis":
        """Make a ``redis.asyncio.Redis`` of the same cache, with its own ``options``."""
        self._async_templates = self._async_templates or of_tasks()
        client: redis.asyncio.Redis = self._async_templates.made(options)
        self._lead_here(client.connection_pool, lambda _pool: self.aconnect(options))
        return client

    def _lead_here(self, pool: Any, connect: Callable[[Any], Any]) -> None:
        """Make a pool open its connections to this cache, and keep track of it."""
        found = weakref.ref(pool)

        def make_connection() -> Any:
            pool = found()
            if pool is not None:  # else it is garbage, and a destructor uses it for the last time
                self._pools.add(pool)
            return connect(pool)

        pool.make_connection = make_connection

    def aconnect(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make an asyncio connection to this cache.

        Raises:
            SupercacheError: it would use client-side caching that is not under control.
        """
        _refuse_cache_of_valkey(arguments)
        self._use(arguments)
        return owned(_addressed(self.server.aconnection(arguments, library), arguments), self)

    def _use(self, arguments: Mapping[str, Any]) -> None:
        """Note the database that a client's connection uses; it begins with the given content."""
        number = int(arguments.get("db") or 0) if self.server.has_databases else 0
        if number in self._used:
            return
        if number:
            for key, value in self._given.items():
                self._look_in(number).set(key, encoded(value))
                if not self._used:
                    self._look_in(0).delete(key)
        self._used.append(number)

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start an execution with ``given``: text and bytes as they are, anything else as JSON."""
        self.forget_connections()  # a client that was kept must not see the old content
        self.server.reset(was_plain=self.is_plain)
        self.leases.begin()
        self.timed.clear()
        self.expiring.clear()
        self.history.clear()
        self.tells_of_keys = False
        self._admins.clear()
        self._used.clear()
        self._given = given
        for key, value in given.items():
            self._look_in(0).set(key, encoded(value))
        self.is_plain = self.is_observed

    def peek(self, key: str) -> Any:
        """Return the value of ``key`` without taking a step; text if it is text, None if absent.

        The key is one of the first database that was used, or begins as in :meth:`content`.
        """
        number, name = self._first, key
        for other in self._used:
            if key.startswith(_prefix(other)) and other != self._first:
                number, name = other, key.removeprefix(_prefix(other))
        strings = self.server.strings(number)
        return _look(self._look_in(number), name) if strings is None else strings.get(name)

    def content(self) -> dict[str, Any]:
        """Return everything that is stored, without taking a step.

        Of several databases the first that was used has plain keys; those of the others begin with
        their number, as in ``db2:KEY``.
        """
        if len(self._used) < 2:
            return self._content_of(self._first)
        return {
            key if number == self._first else f"{_prefix(number)}{key}": value
            for number in self._used
            for key, value in self._content_of(number).items()
        }

    @property
    def _first(self) -> int:
        return self._used[0] if self._used else 0

    def _content_of(self, number: int) -> dict[str, Any]:
        strings = self.server.strings(number)
        if strings is not None:
            return dict(sorted(strings.items()))
        admin = self._look_in(number)
        return {key: _look(admin, key) for key in sorted(map(_text, admin.keys("*")))}

    def forget_connections(self) -> None:
        """Close the connections of all pools of clients that we made."""
        for pool in self._pools:
            self.forget_pool(pool)
        self._pools.clear()

    def forget_pool(self, pool: Any) -> None:
        """Drop a pool's connections; those of asyncio cannot be closed without their loop."""
        is_kept = self.is_plain and self.server.reuses_connections
        if not is_kept and not iscoroutinefunction(pool.disconnect):
            pool.disconnect()
        if getattr(pool, "cache", None) is not None:
            pool.cache.flush()
        pool.reset()

    def keeps_real_time(self) -> bool:
        """Say whether keys expire in real time, which the scheduler cannot move."""
        return not self.server.moves_time

    def drop(self, key: str | None) -> None:
        """Remove ``key``, or everything, from each database in use, without taking a step."""
        for number in self._used or [0]:
            if key is None:
                self._look_in(number).flushdb()
            else:
                self._look_in(number).delete(key)
        self.server.quiesce()  # clients that cache on their side are told

    def deadline(self, leases_only: bool) -> float | None:
        """Return the virtual second at which the next key expires, if the clock can be moved."""
        if leases_only and not self.leases:
            return None
        start = EPOCH.timestamp()
        return min(
            (
                at - start + EXPIRED_AFTER
                for key, at in self.server.expiries().items()
                if not leases_only or key in self.leases
            ),
            default=None,
        )

    def last_deadline(self) -> float | None:
        """Return the virtual second at which the last lock lease expires."""
        if not self.leases:
            return None
        start = EPOCH.timestamp()
        return max(
            (
                at - start + EXPIRED_AFTER
                for key, at in self.server.expiries().items()
                if key in self.leases
            ),
            default=None,
        )

    def expires_at(self, key: str) -> float | None:
        """Return the virtual second at which ``key`` has expired; None: it has no time to live."""
        at = self.server.expiries().get(key)
        return None if at is None else at - EPOCH.timestamp() + EXPIRED_AFTER

    def _look_in(self, number: int) -> "redis.Redis":
        admin = self._admins.get(number)
        if admin is None:
            arguments = {"db": number} if number else {}
            admin = self._admins[number] = private_client(lambda: self.connect(arguments))
        self._pools.add(admin.connection_pool)
        return admin


def _prefix(number: int) -> str:
    return f"db{number}:"


def _addressed(connection: Any, arguments: Mapping[str, Any]) -> Any:
    """Give a connection the host and port that its client names: clients ask for them."""
    for name, usual in (("host", "localhost"), ("port", 6379)):
        if not hasattr(connection, name):
            setattr(connection, name, arguments.get(name, usual))
    return connection


def _refuse_cache_of_valkey(arguments: Mapping[str, Any]) -> None:
    if arguments.get("cache_enabled") or arguments.get("client_cache") is not None:
        raise SupercacheError(
            "client-side caching of valkey-py is not under control in this version: make clients "
            "without a cache, or use that of redis-py with --supercache-backend=redis-server"
        )


def encoded(value: Any) -> str | bytes:
    """Encode given content: text and bytes as they are, anything else as JSON."""
    return value if isinstance(value, str | bytes) else json.dumps(value)


def _look(admin: Any, key: str) -> Any:
    kind = _text(admin.type(key))
    looks: dict[str, Any] = {
        "none": lambda: None,
        "string": lambda: _text(admin.get(key)),
        "hash": lambda: {_text(k): _text(v) for k, v in admin.hgetall(key).items()},
        "list": lambda: [_text(item) for item in admin.lrange(key, 0, -1)],
        "set": lambda: sorted(_text(item) for item in admin.smembers(key)),
        "zset": lambda: [
            (_text(item), rank) for item, rank in admin.zrange(key, 0, -1, withscores=True)
        ],
    }  # fmt: skip
    return looks.get(kind, lambda: f"<{kind}>")()


def _text(value: Any) -> Any:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
