"""Leads clients that discover their servers, by Redis Cluster or Sentinel, to the existing cache.

A client of a cluster asks which node has which slots, and is told that one node has them all; a
client of Sentinel gets a connection where it would ask for the primary. Which keys one command may
name is decided in the client, by slots, so it is as with many nodes. No slot moves and no server
fails, as the verdict says. What several servers would do otherwise makes the run UNKNOWN.
"""

import sys
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.connections import channel_of
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.redis.pipelines import arguments

ONE_NODE = "a Redis Cluster as one node, without failover and resharding"
NO_FAILOVER = "Redis Sentinel without failover"

_PLAIN = "In the check, give the code a plain Redis client, which is led to the cache under test"

QUESTION = (
    "the code under test asks for the servers of Redis (a command CLUSTER or SENTINEL), and the "
    f"cache under test is one server. {_PLAIN}"
)
REPLICAS = (
    "the code under test reads from replicas of Redis, which lag behind; this lag is not under "
    "control in this version. In the check, let it read from the primary (no read_from_replicas, "
    "load_balancing_strategy or slave_for)"
)
EVERY_NODE = (
    "goes to several nodes of a Redis Cluster, one after another; here it is one step. Name the "
    "keys, or give the code a plain Redis client in the check"
)
CHANNELS = (
    "the code under test uses channels of a Redis Cluster, whose nodes pass messages on to each "
    f"other; when they arrive is not under control in this version. {_PLAIN}"
)
CLIENT_CACHE = (
    "the code under test caches on the side of a client of a Redis Cluster, which is not under "
    f"control in this version. {_PLAIN}"
)

TRANSACTION = (
    "redis-py runs each command of a transaction of an asyncio RedisCluster on a thread with an "
    "event loop of its own, which is not under control in this version. Let a script do it (EVAL), "
    f"or use a synchronous client. {_PLAIN}"
)

_EVERY_KEY = f"{PLACE}:*"
_STRATEGY = "load_balancing_strategy"  # since redis-py 5.3


def slots_of_one_node(
    execution: ExecutionContext, args: Sequence[Any], client: Any
) -> list[Any] | None:
    """Return the answer to CLUSTER SLOTS by one node with all slots; None for another command.

    An empty host stands for the one that was asked.
    """
    if args[0] != "CLUSTER SLOTS":
        return None
    execution.controller.simplify(ONE_NODE)
    pool = getattr(client, "connection_pool", None)
    port = client.port if pool is None else pool.connection_kwargs.get("port")
    return [[0, 16383, ["", int(port or 6379), "0" * 40]]]


def report_others(patches: Patches, cluster: Any, client: type) -> None:
    """Patch what is not under control in a module such as ``redis.cluster`` to report its use."""
    patches.wrap(client, "on_connect", _connecting)
    patches.wrap(cluster.NodesManager, "get_node_from_slot", _choosing)
    if hasattr(cluster, "ClusterPubSub"):
        patches.wrap(cluster.ClusterPubSub, "execute_command", _naming(CHANNELS))


def let_find_keys(patches: Patches, parser: type) -> None:
    """Patch what finds the keys of commands, so that it need not ask the server where they are.

    The stand-in does not know that for every command.
    """
    patches.wrap(parser, "initialize", _without_asking)
    patches.wrap(parser, "get_keys", _finding)


def _without_asking(method: Callable[..., Any]) -> Callable[..., Any]:
    def initialize(*args: Any, **options: Any) -> Any:
        if controlled() is None:
            return method(*args, **options)
        return _answered(method, None)

    return initialize


def _finding(method: Callable[..., Any]) -> Callable[..., Any]:
    def get_keys(parser: Any, *args: Any) -> Any:
        if controlled() is None:
            return method(parser, *args)
        words = args if iscoroutinefunction(method) else args[1:]  # a client precedes them
        return _answered(method, redis_commands.keys_of(words) or None)

    return get_keys


def _answered(method: Callable[..., Any], answer: Any) -> Any:
    """Return an answer as a method does, which may be one of asyncio."""

    async def later() -> Any:
        return answer

    return later() if iscoroutinefunction(method) else answer


def lead_sentinel(patches: Patches, package: str) -> None:
    """Patch pools of Sentinel to take back connections to the existing cache."""
    sentinel = sys.modules.get(f"{package}.sentinel")
    if sentinel is not None:
        patches.wrap(sentinel.SentinelConnectionPool, "owns_connection", _owning)


def _choosing(method: Callable[..., Any]) -> Callable[..., Any]:
    def get_node_from_slot(nodes: Any, slot: int, *args: Any, **options: Any) -> Any:
        execution = controlled()
        if execution is not None:
            if any(args) or any(options.values()):
                execution.controller.hazard(REPLICAS)
            if getattr(nodes, "_cache", None) is not None:
                execution.controller.hazard(CLIENT_CACHE)
        return method(nodes, slot, *args, **options)

    return get_node_from_slot


def _connecting(method: Callable[..., Any]) -> Callable[..., Any]:
    def on_connect(client: Any, connection: Any) -> Any:
        execution = controlled()
        reads = (getattr(client, name, None) for name in ("read_from_replicas", _STRATEGY))
        if execution is not None and any(reads):
            execution.controller.hazard(REPLICAS)
        return method(client, connection)

    return on_connect


def _naming(reason: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a wrapper of methods whose use is a hazard."""

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def named(*args: Any, **options: Any) -> Any:
            execution = controlled()
            if execution is not None:
                execution.controller.hazard(reason)
            return method(*args, **options)

        return named

    return wrapped


name_transaction = _naming(TRANSACTION)
"""Wraps the method that adds a command to a transaction of an asyncio client of a cluster."""


def _owning(method: Callable[..., Any]) -> Callable[..., Any]:
    def owns_connection(pool: Any, connection: Any) -> bool:
        if channel_of(connection).owner is None:
            return bool(method(pool, connection))
        return getattr(connection, "pid", None) == getattr(pool, "pid", None)

    return owns_connection


def note_question(execution: ExecutionContext, label: str) -> None:
    """Note as a hazard a command that asks for the addresses of servers."""
    name = label.partition(" ")[0]
    if redis_commands.is_of_cluster(name) or name == "SENTINEL":
        execution.controller.hazard(QUESTION)


def note_sentinel(execution: ExecutionContext, pool: Any) -> None:
    """Note that a pool would ask Sentinel for a server; a replica is a hazard."""
    if not hasattr(pool, "sentinel_manager"):
        return
    execution.controller.simplify(NO_FAILOVER)
    if not pool.is_master:
        execution.controller.hazard(REPLICAS)


def note_every_node(execution: ExecutionContext, label: str, footprint: Footprint) -> None:
    """Note as a hazard a command of a cluster's client that concerns every key, or a channel."""
    if label.partition(" ")[0] in {"PUBLISH", "SPUBLISH"}:
        execution.controller.hazard(CHANNELS)
    if _EVERY_KEY in footprint.reads and not redis_commands.is_of_cluster(label):
        execution.controller.hazard(f"{label}: it {EVERY_NODE}")


def by_slot(commands: Sequence[Any]) -> list[list[Any]]:
    """Return the commands of a pipeline, those of one slot together, each list in their order."""
    from redis.crc import key_slot

    groups: dict[int | None, list[Any]] = {}
    for command in commands:
        keys = redis_commands.keys_of(arguments(command))
        groups.setdefault(key_slot(keys[0].encode()) if keys else None, []).append(command)
    return list(groups.values())
