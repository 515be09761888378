"""What coroutines let threads do: `run_in_executor`, whose functions are actors of their own."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.actor import Actor, name_of_child
from pytest_supercache.runtime.pools import ThreadPoolExecutor
from pytest_supercache.runtime.tasks import fill

if TYPE_CHECKING:
    from pytest_supercache.runtime.event_loop import ControlledLoop


def run_on_thread(
    loop: "ControlledLoop", parent: Any, executor: Any, func: Any, args: tuple[Any, ...]
) -> asyncio.Future[Any]:
    """Run a function on a thread that is an actor; outside of the race, at once.

    Raises:
        RuntimeError: the executor was shut down.
    """
    controller = loop.controller
    if isinstance(executor, ThreadPoolExecutor):
        executor.refuse_if_closed()
    future: asyncio.Future[Any] = loop.create_future()
    if parent is None or not loop.racing or parent.dismissed:
        fill(future, func, args)
        return future
    controller.note_undeclared(f"{parent.name} runs code on a thread of an executor")
    name = name_of_child(parent)
    work = partial(_work, loop, future, func, args)
    child = Actor(name, parent.node, work, daemon=parent.daemon)
    child.operation = parent.operation
    controller.actors[name] = child
    return future


def _work(
    loop: "ControlledLoop", future: asyncio.Future[Any], func: Any, args: tuple[Any, ...]
) -> None:
    """Run a function on a thread; others may come in before its answer arrives."""
    memory = loop.controller.memory
    if memory is None or not memory.is_shared:
        fill(future, func, args)
        return
    inner: asyncio.Future[Any] = asyncio.Future(loop=loop)
    fill(inner, func, args)
    memory.part("hand over the result")
    fill(future, inner.result, ())
