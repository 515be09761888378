"""Controls pools with fewer connections than users, where a command may find all of them in use.

A command uses its connection from its step on. Where an exhausted pool raises an error, releasing a
connection is a step of its own, so that other actors may precede it. Where the pool waits (a
blocking pool) a command remains one step, because no other actor would run in between. So does a
pipeline, if the pool is the only way to the existing cache and has one connection.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.connections import channel_of
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext

_CONNECTIONS = frozenset({"wire:connections"})

_IN_USE = Footprint(_CONNECTIONS, _CONNECTIONS)
"""The footprint of taking or releasing a connection of such a pool."""

_RELEASE = "release the connection"


def runs_short(execution: ExecutionContext, pool: Any) -> bool:
    """Say whether a pool has fewer connections than users, and raises an error when exhausted."""
    return has_few(execution, pool) and not hasattr(pool, "timeout")


def has_few(execution: ExecutionContext, pool: Any) -> bool:
    """Say whether a pool has fewer connections than there are actors."""
    size: float = getattr(pool, "max_connections", math.inf)
    return size < len(execution.controller.actors) and not channel_of(pool).is_private


def is_only_way(execution: ExecutionContext, pool: Any) -> bool:
    """Say whether all other actors wait while one holds the connection of a pool.

    That holds for a blocking pool of one connection that several users of one process share; a
    pool of another process has connections of its own.
    """
    if runs_short(execution, pool) or not has_few(execution, pool) or pool.max_connections != 1:
        return False
    return len({actor.node for actor in execution.controller.actors.values()}) == 1


def note_undivided(execution: ExecutionContext) -> None:
    """Note that a pipeline was one step, which proves nothing with another way to the cache."""
    execution.took_undivided = True
    _doubt_other_ways(execution)


def note_way(execution: ExecutionContext, way: Any) -> None:
    """Note a way of access to the existing cache in the race: a pool, or a direct one."""
    if way not in execution.ways and execution.controller.phase == "race":
        execution.ways.append(way)
        _doubt_other_ways(execution)


def _doubt_other_ways(execution: ExecutionContext) -> None:
    if execution.took_undivided and len(execution.ways) > 1:
        execution.controller.leave_unproven(
            "a pipeline without a transaction was taken as one step, because its blocking pool has "
            "one connection, but somebody comes to the existing cache by another way than that "
            "pool. Give the pool more connections in the test (max_connections="
            f"{len(execution.controller.actors)}), so that the pipeline takes a step for each "
            "command"
        )


def using_connection(execution: ExecutionContext, pool: Any, footprint: Footprint) -> Footprint:
    """Add the taking of a connection to a command's footprint, if its pool may be exhausted."""
    return footprint | _IN_USE if runs_short(execution, pool) else footprint


def releasing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``release``: it is a step where other actors may find the pool exhausted before it."""

    def release(pool: Any, connection: Any, *args: Any, **options: Any) -> Any:
        execution = _racing()
        if execution is not None and runs_short(execution, pool):
            execution.step(_RELEASE, _IN_USE, kind="pool")
        return method(pool, connection, *args, **options)

    return release


def areleasing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``release`` of an asyncio pool in the same way."""

    async def release(pool: Any, connection: Any, *args: Any, **options: Any) -> Any:
        execution = _racing()
        if execution is not None and runs_short(execution, pool):
            with _answered(execution):
                await async_context.step(execution, _RELEASE, _IN_USE, kind="pool")
        return await method(pool, connection, *args, **options)

    return release


@contextmanager
def _answered(execution: ExecutionContext) -> Iterator[None]:
    """Stop event loops from waiting for the command's answer, which has arrived."""
    actor = current_actor()
    loops = tuple(execution.controller.loops) if actor is not None and actor.in_command else ()
    for loop in loops:
        loop.answers_awaited -= 1
    try:
        yield
    finally:
        for loop in loops:
            loop.answers_awaited += 1


def awaiting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``get_connection`` of a blocking pool to raise an error instead of waiting."""

    def get_connection(pool: Any, *args: Any, **options: Any) -> Any:
        execution = _racing()
        if execution is None or channel_of(pool).is_private or _has_connection(pool):
            return method(pool, *args, **options)
        raise _refused(execution, pool, method)

    return get_connection


def _has_connection(pool: Any) -> bool:
    if hasattr(pool, "can_get_connection"):  # one of asyncio
        return bool(pool.can_get_connection())
    return not pool.pool.empty()


def _refused(execution: ExecutionContext, pool: Any, method: Callable[..., Any]) -> Exception:
    """Note that an actor would wait for a connection; return the error to raise instead."""
    size, users = pool.max_connections, len(execution.controller.actors)
    execution.controller.hazard(
        f"all {size} connections of a BlockingConnectionPool were in use when somebody wanted "
        "one, and that wait is not controlled in this version. Give the pool more in the test "
        f"(max_connections={max(size + 1, users)}), so that no user waits"
    )
    library = method.__module__.partition(".")[0]
    error: Exception = import_module(f"{library}.exceptions").ConnectionError(
        "No connection available."
    )
    return error


def _racing() -> ExecutionContext | None:
    """Return the running execution if the caller is an actor that is not unwinding."""
    execution = controlled()
    if execution is None or current_actor() is None or execution.controller.leaving():
        return None
    return execution
