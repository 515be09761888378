"""Attributes each callback of the loop to an actor."""

from asyncio import Future
from collections.abc import Callable
from contextvars import Context
from functools import partial
from types import BuiltinFunctionType, MethodWrapperType
from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.kernel.task_actor import ACTING, TaskActor
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.effects import CMethod

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.controller import Controller


_OF_C = frozenset({BuiltinFunctionType, CMethod, MethodWrapperType})


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
    inner = callback
    while type(inner) is partial:
        inner = inner.func
    if type(inner) in _OF_C and not isinstance(getattr(inner, "__self__", None), Future):
        callback, args = touching, (callback, *args)
    if nodes is None:
        return callback, args
    actor = ACTING.get() if context is None else context.get(ACTING)
    if actor is None:
        return callback, args
    return _on_node, (nodes, actor.node, callback, args)


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
