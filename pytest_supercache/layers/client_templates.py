"""Copies clients and pools of redis-py from a template: the first made with the same options.

Making them costs as much as two commands. Only known attributes are copied; every client and every
pool has its own mutable ones.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from pytest_supercache.layers.reuse import Shape, shape_of

_CLIENT = frozenset(
    {"_event_dispatcher", "auto_close_connection_pool", "connection", "connection_pool",
     "response_callbacks"}
)  # fmt: skip
_POOL = frozenset(
    {"_available_connections", "_connection_kwargs", "_event_dispatcher", "_in_use_connections",
     "_lock", "_maint_notifications_pool_handler", "_oss_cluster_maint_notifications_handler",
     "connection_class", "himport_registry", "max_connections"}
)  # fmt: skip

_KNOWN = (
    (
        _CLIENT | {"_single_connection_client", "single_connection_lock"},
        _POOL
        | {"_cache_factory", "_created_connections", "_fork_lock", "_pool_id", "cache", "pid"},
    ),
    (
        _CLIENT
        | {"_single_conn_lock", "_usage_counter", "_usage_lock", "single_connection_client"},
        _POOL | {"encoder_class"},
    ),
)
"""The attributes of a client and its pool, in the versions of redis-py that can be copied."""


_ADDRESS = {"host": "localhost", "port": 6379, "db": 0}
"""What libraries read of every pool, as from one that ``redis.Redis()`` has made."""


class ClientTemplates:
    """Copies clients of one library, with pools of one class.

    Args:
        client: makes a client with a pool, passed as ``connection_pool``.
        pool: makes a pool with default options.
        any_pool: makes one with other options or a given size: there, releasing a connection is a
            step.
        lock: makes the locks that both have.
    """

    def __init__(
        self,
        client: Callable[..., Any],
        pool: Callable[..., Any],
        any_pool: Callable[..., Any],
        lock: Callable[[], Any],
    ) -> None:
        self._client = client
        self._pool = pool
        self._any_pool = any_pool
        self._renewed: dict[str, Callable[[], Any]] = {
            "_available_connections": list,
            "_fork_lock": lock,
            "_in_use_connections": set,
            "_lock": lock,
            "_single_conn_lock": lock,
            "_usage_lock": lock,
            "single_connection_lock": lock,
        }
        self._templates: dict[Shape, Any] = {}
        self._changing: dict[type, list[tuple[str, Callable[[], Any]]]] = {}

    def made(self, options: Mapping[str, Any]) -> Any:
        """Return a client with a pool of its own, made with ``options`` or copied from one."""
        shape = None if "max_connections" in options else shape_of(options)
        template = None if shape is None else self._templates.get(shape)
        if template is not None:
            return self._like(template)
        pool = (self._any_pool if shape is None else self._pool)(**options)
        pool.connection_kwargs = {**_ADDRESS, **pool.connection_kwargs}
        client = self._client(connection_pool=pool)
        parts = vars(client).keys(), vars(pool).keys()
        if shape is None or parts not in _KNOWN:
            return client
        client.rows = dict(client.response_callbacks)
        client.lend_dispatcher()
        pool.lend_dispatcher()
        for template in (client, pool):
            self._changing[type(template)] = [
                (name, self._renewed[name]) for name in self._renewed.keys() & vars(template).keys()
            ]
        self._templates[shape] = client
        return self._like(client)

    def _like(self, template: Any) -> Any:
        pool = self._copied(template.connection_pool)
        pool.himport_registry = type(pool.himport_registry)()
        pool.connection_kwargs = {
            **pool.connection_kwargs,
            "himport_registry": pool.himport_registry,
        }
        told = "maint_notifications_pool_handler"
        handler = vars(pool)[f"_{told}"]
        if handler is not None:  # it has its pool, which shall not live for that
            handler = type(handler)(weakref.proxy(pool), handler.config)
            vars(pool)[f"_{told}"] = pool.connection_kwargs[told] = handler
        client = self._copied(template)
        client.connection_pool = pool
        client.share(template.rows)
        return client

    def _copied(self, template: Any) -> Any:
        copied = object.__new__(type(template))
        parts = vars(copied)
        parts.update(vars(template))
        for name, made in self._changing[type(template)]:
            parts[name] = made()
        return copied


def of_threads() -> ClientTemplates:
    """Return the templates for ``redis.Redis``."""
    import redis

    from pytest_supercache.layers.clients import Client
    from pytest_supercache.layers.pools import Pool

    lock = type(threading.RLock())  # made without the function that makes one
    return ClientTemplates(Client, Pool, redis.ConnectionPool, lock)


def of_tasks() -> ClientTemplates:
    """Return the templates for ``redis.asyncio.Redis``."""
    import redis.asyncio

    from pytest_supercache.layers.clients import AsyncClient
    from pytest_supercache.layers.pools import AsyncPool

    return ClientTemplates(AsyncClient, AsyncPool, redis.asyncio.ConnectionPool, asyncio.Lock)
