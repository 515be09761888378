"""Attributes each callback of the loop to an actor."""

from asyncio import Future, Handle
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.kernel.task_actor import ACTING, TaskActor
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.effects import BOUND_IN_C

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.controller import Controller


def called_by_loop(
    nodes: "Controller | None",
    callback: Callable[..., Any],
    args: tuple[Any, ...],
    context: Context | None,
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Wrap a callback to run on its actor's node, and to record what a C method accesses.

    Methods of asyncio's own futures and tasks are not recorded.

    Args:
        nodes: enters the node, where each has module-level state of its own; else None.
        callback: the function that the loop calls.
        args: its arguments.
        context: the context to run it in; None: the current one.
    """
    inner = _inside(callback)
    if type(inner) in BOUND_IN_C and not isinstance(getattr(inner, "__self__", None), Future):
        callback, args = touching, (callback, *args)
    if nodes is None:
        return callback, args
    actor = ACTING.get() if context is None else context.get(ACTING)
    if actor is None:
        return callback, args
    return _on_node, (nodes, actor.node, callback, args)


def called_in(handle: Handle) -> Any:
    """Return the function that a callback was scheduled with."""
    function, args = handle._callback, handle._args  # type: ignore[attr-defined] # noqa: SLF001 - a handle has no public attribute for its function
    if function is _on_node:
        _, _, function, args = args
    return _inside(args[0] if function is touching else function)


def actor_of(handle: Handle) -> TaskActor | None:
    """Return the actor whose context a callback runs in; None: it is not an actor's."""
    return handle._context.get(ACTING)  # type: ignore[attr-defined,no-any-return] # noqa: SLF001 - a handle has no public attribute for its context


def is_of_asyncio(function: Any) -> bool:
    """Say whether a callback is a function of asyncio, or a method of one of its futures."""
    is_of_future = isinstance(getattr(function, "__self__", None), Future)
    return is_of_future or (getattr(function, "__module__", None) or "").startswith("asyncio.")


def _inside(function: Any) -> Any:
    """Return the function that a partial one calls."""
    while type(function) is partial:
        function = function.func
    return function


def eager_flow(controller: "Controller") -> TaskActor | None:
    """Return the actor of an eager task, which runs before the loop has registered it."""
    actor = ACTING.get()
    if actor is not None and actor.task is None:
        return actor
    controller.hazard(
        "the code under test has made a task by asyncio.Task(...), or by a task factory that was "
        "set while users run: it is not under control. Let it use asyncio.create_task(...), or a "
        "task group, and set the factory before the users begin"
    )
    return None


def _on_node(controller: "Controller", node: str | None, callback: Any, args: Any) -> None:
    controller.enter_node(node)
    callback(*args)
