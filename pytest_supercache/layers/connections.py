"""Makes connections, and records the facts about them that other modules need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

_CHANNEL = "_supercache_channel"
"""The attribute of a connection, or of a pool, with its `Channel`."""


@dataclass(slots=True, eq=False)
class Channel:
    """The facts about a connection of a client library, or about a pool of them."""

    owner: object = None
    """The existing cache that it is connected to; None: another party made it."""
    is_private: bool = False
    """Its commands are our own reads, never steps."""
    is_tracked: bool = False
    """Its client caches answers and receives invalidations."""
    is_connecting: bool = False
    """The commands that are sent on it now belong to connecting."""


_UNKNOWN = Channel()


def channel_of(connection: Any) -> Channel:
    """Return the facts about a connection or a pool; the caller must not change them."""
    known: Channel = getattr(connection, _CHANNEL, _UNKNOWN)
    return known


def channel_for(connection: Any) -> Channel:
    """Return the facts about a connection or a pool, for the caller to change."""
    known = channel_of(connection)
    if known is _UNKNOWN:
        known = Channel()
        setattr(connection, _CHANNEL, known)
    return known


_ADDRESS_ARGUMENTS = frozenset(
    {"cache", "cache_config", "connection_pool",
     "host", "port", "path", "socket_keepalive", "socket_keepalive_options", "socket_type",
     "server", "server_type", "version", "username", "password", "credential_provider",
     "client_class", "lua_modules", "connected", "writer", "ssl_context", "event_dispatcher",
     "max_connections", "maint_notifications_config", "maint_notifications_pool_handler",
     "oss_cluster_maint_notifications_handler"}
)  # fmt: skip


def any_connection(module: Any) -> type:
    """Return the base class of connections; before redis-py 5 that was the one to a host."""
    kind: type = getattr(module, "AbstractConnection", None) or module.Connection
    return kind


def push_parsers(module: Any) -> list[type]:
    """Return the parsers that synchronous connections of clients with a cache of their own use.

    Before redis-py 6 the one of hiredis hands over no pushed message.
    """
    if not hasattr(module, "CacheProxyConnection"):  # valkey-py, and redis-py before 5.1
        return []
    parsers = [getattr(module, name) for name in ("_RESP3Parser", "_HiredisParser")]
    return [parser for parser in parsers if hasattr(parser, "handle_push_response")]


def portable_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that shape a connection's behaviour, without those of its address."""
    return {
        name: value
        for name, value in arguments.items()
        if name not in _ADDRESS_ARGUMENTS and not name.startswith("ssl_")
    }


def owned(connection: Any, owner: object) -> Any:
    """Record that a connection leads to ``owner``, the existing cache of one check.

    Earlier facts are discarded: it may have served our own reads.
    """
    setattr(connection, _CHANNEL, Channel(owner))
    return connection


def count_connection(pool: Any, library: str = "redis") -> None:
    """Count a connection that is about to be made, as the pools of redis-py and valkey-py do.

    Blocking pools and those of asyncio do that themselves.

    Raises:
        redis.exceptions.MaxConnectionsError: the pool has reached its size; that of valkey
        likewise.
    """
    made = getattr(pool, "_created_connections", None)
    if made is None or hasattr(pool, "_connections"):
        return
    if made >= pool.max_connections:
        exceptions = import_module(f"{library}.exceptions")
        error = getattr(exceptions, "MaxConnectionsError", exceptions.ConnectionError)
        raise error("Too many connections")
    pool._created_connections = made + 1  # noqa: SLF001 - the pool has no other count


def own_size(pool: Any) -> int | None:
    """Return the size of a pool that was given one and raises an error beyond it.

    None: it has the default size, or it is a blocking pool, whose callers wait instead.
    """
    import redis

    size: int | None = getattr(pool, "max_connections", None)
    if size is None or hasattr(pool, "timeout"):
        return None
    usual: int = redis.ConnectionPool().max_connections
    return size if size < usual else None


def private_client(connect: Callable[[], Any]) -> "redis.Redis":
    """Make a client for our own reads: its commands are no steps."""
    import redis

    def private() -> Any:
        connection = connect()
        channel_for(connection).is_private = True
        return connection

    pool: Any = redis.ConnectionPool()
    pool.make_connection = private
    channel_for(pool).is_private = True
    return redis.Redis(connection_pool=pool)
