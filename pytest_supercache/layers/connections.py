"""Connections that we make: what they are asked for, and the marks by which others know them."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

OWNER = "_supercache_owner"
"""Where a connection says which existing cache it leads to."""

PRIVATE = "_supercache_private"
"""Marks a pool whose commands are our own looks, never steps."""

TRACKED = "_supercache_tracked"
"""Marks a connection whose client keeps answers and is told of changes."""

_ADDRESS_ARGUMENTS = frozenset(
    {"cache", "cache_config",
     "host", "port", "path", "socket_keepalive", "socket_keepalive_options", "socket_type",
     "server", "server_type", "version", "username", "password", "credential_provider",
     "client_class", "lua_modules", "connected", "writer", "ssl_context", "event_dispatcher",
     "max_connections", "maint_notifications_config", "maint_notifications_pool_handler",
     "oss_cluster_maint_notifications_handler"}
)  # fmt: skip


def any_connection(module: Any) -> type:
    """Return the class of every connection; before redis-py 5 that was the one to a host."""
    kind: type = getattr(module, "AbstractConnection", None) or module.Connection
    return kind


def portable_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what shapes a connection's behaviour and drop what says where it goes."""
    return {
        name: value
        for name, value in arguments.items()
        if name not in _ADDRESS_ARGUMENTS and not name.startswith("ssl_")
    }


def owned(connection: Any, owner: object) -> Any:
    """Mark a connection as one that leads to ``owner``, the existing cache of one check."""
    setattr(connection, OWNER, owner)
    setattr(connection, PRIVATE, False)  # it may have served our own looks before
    return connection


def count_connection(pool: Any, library: str = "redis") -> None:
    """Count a connection that is about to be made, as the pools of redis-py and valkey-py do.

    Blocking pools and those of asyncio count by themselves.

    Raises:
        redis.exceptions.MaxConnectionsError: the pool has as many as it may have; that of valkey
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
    """Return how many connections a pool has that was given a size and refuses to make more.

    None: it has the usual size, or it is a blocking pool, which lets wait instead.
    """
    import redis

    size: int | None = getattr(pool, "max_connections", None)
    if size is None or hasattr(pool, "timeout"):
        return None
    usual: int = redis.ConnectionPool().max_connections
    return size if size < usual else None


def private_client(connect: Callable[[], Any]) -> "redis.Redis":
    """Make a client for our own looks: its commands are no steps."""
    import redis

    def private() -> Any:
        connection = connect()
        setattr(connection, PRIVATE, True)
        return connection

    pool = redis.ConnectionPool()
    pool.make_connection = private  # type: ignore[method-assign]
    setattr(pool, PRIVATE, True)
    return redis.Redis(connection_pool=pool)
