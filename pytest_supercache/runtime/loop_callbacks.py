"""What an event loop calls for a callback: on the node of its flow, and heard where it is of C."""

from asyncio import Future
from collections.abc import Callable
from contextvars import Context
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.task_actor import ACTING

if TYPE_CHECKING:
    from pytest_supercache.runtime.controller import Controller
    from pytest_supercache.runtime.event_loop import ControlledLoop


def called_by_loop(
    loop: "ControlledLoop",
    callback: Callable[..., Any],
    args: tuple[Any, ...],
    context: Context | None,
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what a loop calls for a callback, and with what.

    A method of C touches what it is given; asyncio's own, of its futures and tasks, are left out.
    """
    if type(callback) is BuiltinMethodType and not isinstance(callback.__self__, Future):
        callback, args = touching, (callback, *args)
    if not loop.swaps_state:
        return callback, args
    actor = ACTING.get() if context is None else context.get(ACTING)
    if actor is None:
        return callback, args
    return _on_node, (loop.controller, actor.node, callback, args)


def _on_node(controller: "Controller", node: str | None, callback: Any, args: Any) -> None:
    controller.enter_node(node)
    callback(*args)
