"""Leads clients that discover their servers, by Redis Cluster or Sentinel, to the existing cache.

A client of a cluster asks which node has which slots, and is told that one node has them all; a
client of Sentinel gets a connection where it would ask for the primary. Which keys one command may
name is decided in the client, by slots, so it is as with many nodes. No slot moves, and no server
fails but by the fault `failover`, as the verdict says. What several servers would do otherwise
makes the run UNKNOWN.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.connections import channel_of
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.redis.by_hand import is_by_hand
from pytest_supercache.runtime.redis.pipelines import arguments

ONE_NODE = "a Redis Cluster as one node, without failover and resharding"
NO_FAILOVER = "Redis Sentinel without failover"

WITH_FAILOVER = {ONE_NODE: "a Redis Cluster as one node, without resharding", NO_FAILOVER: ""}
"""What is said instead where `failover` is among the faults of a check; empty: nothing."""

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

BY_HAND = (
    "the code under test sends commands to a node of a Redis Cluster by itself; a node has some of "
    "the keys, and here it has all. Let the client of the cluster choose the node"
)
ONE_DATABASE = "a Redis Cluster has one database, and refuses this command. Do without it"

TRANSACTION = (
    "redis-py runs each command of a transaction of an asyncio RedisCluster on a thread with an "
    "event loop of its own, which is not under control in this version. Let a script do it (EVAL), "
    f"or use a synchronous client. {_PLAIN}"
)

_EVERY_KEY = f"{PLACE}:*"
_STRATEGY = "load_balancing_strategy"  # since redis-py 5.3
_HERE = {"localhost", "127.0.0.1", "::1"}
_OF_DATABASES = {"MOVE", "SWAPDB"}

_pools_of_nodes = WeakSet[Any]()
"""The pools of the clients that a client of a cluster has made for its nodes."""


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
    patches.wrap(client, "get_replicas", _listing_replicas)
    patches.wrap(client, "get_node_from_key", _finding_node)
    for name in ("create_redis_node", "create_valkey_node"):
        if hasattr(cluster.NodesManager, name):
            patches.wrap(cluster.NodesManager, name, _making_node)
    if hasattr(cluster, "ClusterPubSub"):
        patches.wrap(cluster.ClusterPubSub, "execute_command", _naming(CHANNELS))


def report_scripts(patches: Patches, callers: Sequence[tuple[type, str]]) -> None:
    """Patch what executes the commands of scripts to report keys that a node need not have."""
    for kind, name in callers:
        patches.wrap(kind, name, _calling)


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


def _listing_replicas(method: Callable[..., Any]) -> Callable[..., Any]:
    def get_replicas(client: Any) -> Any:
        execution = controlled()
        if execution is not None and is_by_hand(sys._getframe(1)):
            execution.controller.hazard(REPLICAS)
        return method(client)

    return get_replicas


def _finding_node(method: Callable[..., Any]) -> Callable[..., Any]:
    def get_node_from_key(client: Any, key: Any, replica: bool = False) -> Any:
        execution = controlled()
        if execution is not None and replica:
            execution.controller.hazard(REPLICAS)
        return method(client, key, replica)

    return get_node_from_key


def _making_node(method: Callable[..., Any]) -> Callable[..., Any]:
    def create_node(*args: Any, **options: Any) -> Any:
        client = method(*args, **options)
        _pools_of_nodes.add(client.connection_pool)
        return client

    return create_node


def note_node(execution: ExecutionContext, client: Any) -> None:
    """Note as a hazard that a client of one node is used, past the client of its cluster."""
    if _pools_of_nodes and getattr(client, "connection_pool", None) in _pools_of_nodes:
        execution.controller.hazard(CHANNELS if hasattr(client, "channels") else BY_HAND)


def _calling(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(socket: Any, lua: Any, known: Any, *words: Any) -> Any:
        execution = controlled()
        if execution is not None and ONE_NODE in execution.controller.simplified:
            _note_foreign_keys(execution, lua, words)
        return method(socket, lua, known, *words)

    return call


def _note_foreign_keys(execution: ExecutionContext, lua: Any, words: Sequence[Any]) -> None:
    """Note as a hazard a key in a script whose slot is none of the keys that it was given."""
    from redis.crc import key_slot

    given = {key_slot(redis_commands.text(key).encode()) for key in lua.globals()[b"KEYS"].values()}
    for key in redis_commands.keys_of(words):
        if given and key_slot(key.encode()) not in given:
            execution.controller.hazard(
                f"a script uses the key {key}, which was not given to it (KEYS) and is in another "
                "slot: a node of a Redis Cluster refuses that. Give the script a key of this slot"
            )


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


def note_server(execution: ExecutionContext, pool: Any, url: str) -> None:
    """Note that a pool names another server than an earlier one: both lead to the same cache."""
    named = _server_of(pool.connection_kwargs)
    if named is None or named == _server_in(url):
        return
    if named not in execution.servers:
        execution.servers.append(named)
    for one in execution.servers if len(execution.servers) > 1 else ():
        execution.controller.simplify(f"Redis at {one} as one server with the others")


def _server_of(options: Mapping[str, Any]) -> str | None:
    """Return the address that the options of a pool name; None if Sentinel tells it."""
    if "path" in options:
        return str(options["path"])
    host, port = options.get("host"), options.get("port") or 6379
    return f"{'localhost' if host in _HERE else host}:{port}" if host else None


def _server_in(url: str) -> str | None:
    parts = urlsplit(url)
    return _server_of({"host": parts.hostname, "port": parts.port})


def note_cluster_command(execution: ExecutionContext, label: str, footprint: Footprint) -> None:
    """Note as a hazard a command of a cluster's client that a cluster executes otherwise."""
    name = label.partition(" ")[0]
    if name in {"PUBLISH", "SPUBLISH"}:
        execution.controller.hazard(CHANNELS)
    if name in _OF_DATABASES:
        execution.controller.hazard(f"{label}: {ONE_DATABASE}")
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
