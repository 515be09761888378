"""The cache that was there before: Redis-like, shared by all nodes."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.layers.clock import EPOCH
from pytest_supercache.layers.servers import ForeignServer, RealServer, FakeRedisServer

if TYPE_CHECKING:
    import redis

PLACE = "existing_cache"

OWNED = "_supercache_owned"
"""Marks a connection as one that leads to the existing cache."""

PRIVATE = "_supercache_private"
"""Marks a pool whose commands are our own looks, never steps."""

EXPIRED_AFTER = 1e-6
"""Seconds past its deadline at which a key is surely gone: at the exact instant fakeredis still
answers it and other layers do not."""


class ExistingCache:
    """The shared cache. Its commands are steps where code under test sends them, not here."""

    name = PLACE

    def __init__(self, server: FakeRedisServer | RealServer | ForeignServer) -> None:
        self.server = server
        self.leases: set[str] = set()  # keys set with NX and a TTL: a lock that runs out
        self._admin = self._make_client()

    @property
    def url(self) -> str:
        """The URL of the cache; connections that redis-py opens in an execution lead here."""
        return self.server.url

    def client(self, **options: Any) -> "redis.Redis":
        """Make a ``redis.Redis``; ``options`` are those of ``redis.Redis`` (decode_responses, ...)."""
        import redis

        pool = redis.ConnectionPool(**options)
        pool.make_connection = lambda: self.connect(options)  # type: ignore[method-assign]
        return redis.Redis(connection_pool=pool)

    def connect(self, arguments: Mapping[str, Any]) -> Any:
        """Make a connection that leads here, with the ``arguments`` of whichever pool asks."""
        connection = self.server.connection(arguments)
        setattr(connection, OWNED, True)
        return connection

    def aclient(self, **_options: Any) -> Any:
        """Make a ``redis.asyncio.Redis``; not available in this version."""
        raise SupercacheError("existing_cache.aclient(): asyncio is not available in this version")

    def reset(self, given: Mapping[str, Any]) -> None:
        """Start an execution with ``given``: text and bytes as they are, anything else as JSON."""
        self.server.reset()
        self.leases.clear()
        self._admin = self._make_client()
        for key, value in given.items():
            self._admin.set(key, encoded(value))

    def peek(self, key: str) -> Any:
        """Look at ``key`` without taking a step; text where it is text, None when absent."""
        return _look(self._admin, key)

    def content(self) -> dict[str, Any]:
        """Return everything that is stored, without taking a step."""
        keys = sorted(_text(key) for key in self._admin.keys("*"))
        return {key: _look(self._admin, key) for key in keys}

    def dump(self) -> dict[bytes, tuple[bytes, int]]:
        """Return the stored bytes and remaining TTLs (ms, 0: none) so that they can be put back."""
        saved = {}
        for key in self._admin.keys("*"):
            body = self._admin.dump(key)
            if body is not None:
                saved[key] = (body, max(self._admin.pttl(key), 0))
        return saved

    def restore(self, saved: dict[bytes, tuple[bytes, int]]) -> None:
        """Put back what :meth:`dump` returned."""
        self._admin.flushdb()
        for key, (body, ttl) in saved.items():
            self._admin.restore(key, ttl, body)

    def drop(self, key: str | None) -> None:
        """Remove ``key``, or everything, without taking a step."""
        if key is None:
            self._admin.flushdb()
        else:
            self._admin.delete(key)

    def deadline(self, leases_only: bool) -> float | None:
        """Return the virtual second at which the next key expires, if the clock can be moved."""
        start = EPOCH.timestamp()
        return min(
            (
                at - start + EXPIRED_AFTER
                for key, at in self.server.expiries().items()
                if not leases_only or key in self.leases
            ),
            default=None,
        )

    def close(self) -> None:
        """Stop the server, if it is ours."""
        self.server.close()

    def _make_client(self) -> "redis.Redis":
        import redis

        pool = redis.ConnectionPool()
        pool.make_connection = lambda: self.connect({})  # type: ignore[method-assign]
        setattr(pool, PRIVATE, True)
        return redis.Redis(connection_pool=pool)


def encoded(value: Any) -> str | bytes:
    """Encode given content: text and bytes as they are, anything else as JSON."""
    return value if isinstance(value, str | bytes) else json.dumps(value)


def _look(admin: "redis.Redis", key: str) -> Any:
    kind = _text(admin.type(key))
    looks: dict[str, Any] = {
        "none": lambda: None,
        "string": lambda: _text(admin.get(key)),
        "hash": lambda: {_text(k): _text(v) for k, v in admin.hgetall(key).items()},
        "list": lambda: [_text(item) for item in admin.lrange(key, 0, -1)],
        "set": lambda: sorted(_text(item) for item in admin.smembers(key)),
        "zset": lambda: [(_text(item), rank) for item, rank in admin.zrange(key, 0, -1, withscores=True)],
    }  # fmt: skip
    return looks.get(kind, lambda: f"<{kind}>")()


def _text(value: Any) -> Any:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
