"""Reports clients that discover their servers themselves, by Redis Cluster or Sentinel.

The server that such a client uses is not under control: a slot may move, a replica may lag behind.
"""

import sys
from collections.abc import Callable
from typing import Any

from pytest_supercache.layers import redis_commands
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches

_INSTEAD = (
    "which is not under control in this version. In the check, give the code "
    "layers.existing_cache.client() or aclient(), or let it make a plain Redis client, which is "
    "led to the cache under test"
)
CLUSTER = f"the code under test uses a Redis Cluster (a client, or a command CLUSTER), {_INSTEAD}"
SENTINEL = (
    "the code under test asks Redis Sentinel for its server (a client, or a command SENTINEL), "
    f"{_INSTEAD}"
)


def name_clusters(patches: Patches, package: str, name: str) -> None:
    """Patch the cluster clients of ``package`` (such as ``valkey.asyncio``) to report their use."""
    cluster = sys.modules.get(f"{package}.cluster")
    if cluster is None:
        return
    for owner, method in (
        (cluster.NodesManager, "initialize"),
        (getattr(cluster, f"{name}Cluster"), "execute_command"),
        (cluster.ClusterPipeline, "execute_command"),
    ):
        patches.wrap(owner, method, _named)


def _named(method: Callable[..., Any]) -> Callable[..., Any]:
    def named(*args: Any, **options: Any) -> Any:
        execution = controlled()
        if execution is not None:
            execution.controller.hazard(CLUSTER)
        return method(*args, **options)

    return named


def note_question(execution: ExecutionContext, label: str) -> None:
    """Note as a hazard a command that asks for the addresses of servers."""
    name = label.partition(" ")[0]
    if redis_commands.is_of_cluster(name):
        execution.controller.hazard(CLUSTER)
    elif name == "SENTINEL":
        execution.controller.hazard(SENTINEL)


def note_sentinel(execution: ExecutionContext, pool: Any) -> None:
    """Note as a hazard a pool whose connections ask Sentinel for their server."""
    if hasattr(pool, "sentinel_manager"):
        execution.controller.hazard(SENTINEL)
