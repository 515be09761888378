"""Ends a race and a loop: unwinds tasks, and collects the errors that no code retrieved."""

import asyncio
import types
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.runtime.aio.event_loop import ControlledLoop
from pytest_supercache.runtime.aio.loop_callbacks import actor_of
from pytest_supercache.runtime.aio.loop_executor import is_lost
from pytest_supercache.runtime.kernel.actor import Abandoned
from pytest_supercache.runtime.kernel.ending import CANCELS, UNWIND_SECONDS, why_it_stays
from pytest_supercache.runtime.kernel.task_actor import TaskActor

_ROUNDS = 1000
"""How many rounds of the loop tasks that wait for no server may take to end."""


def name_lost_exceptions(loop: ControlledLoop) -> list[tuple[str, BaseException]]:
    """Return the errors of tasks and executor jobs that no code has retrieved."""
    tasks = [(actor.name, task) for task, actor in loop.actors.items()]
    for name, future in (*tasks, *loop.failed):
        if future.done() and not future.cancelled() and is_lost(future):
            error = future.exception()
            if error is not None and not isinstance(error, Abandoned):
                loop.lost.append((name, error))
    return loop.lost


def keep_lost_exceptions(loop: ControlledLoop) -> None:
    """Let a loop keep the errors that asyncio would only log."""

    def hear(_: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, Abandoned | asyncio.CancelledError):
            handle = context.get("handle")
            actor = loop.acting() if handle is None else actor_of(handle)
            loop.lost.append((loop.host.name if actor is None else actor.name, error))

    loop.set_exception_handler(hear)


def is_at_rest(loop: ControlledLoop) -> bool:
    """Say whether a loop whose body has ended has nothing left to run, unwind or close."""
    inner: Any = loop  # what asyncio keeps
    is_quiet = not (inner._ready or inner._transports or inner._asyncgens)
    return is_quiet and not loop.connections and all(task.done() for task in loop.actors)


async def unwind(loop: ControlledLoop, wanted: Callable[[TaskActor], bool]) -> None:
    """Unwind tasks: parked ones by an error at their step, others by cancellation."""
    for _ in range(CANCELS):
        tasks = [task for task, actor in loop.actors.items() if not task.done() and wanted(actor)]
        if not tasks:
            return
        for task in tasks:
            actor = loop.actors[task]
            actor.dismissed = True
            if actor.gate is not None and not actor.gate.done():
                actor.gate.set_exception(Abandoned())
            else:
                task.cancel()
        await _ended(loop, tasks)
    _name_left(loop, wanted)


async def _ended(loop: ControlledLoop, tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for tasks to end: some rounds, or a second if a server may still answer one of them."""
    rounds, began = 0, real_seconds()
    while not all(task.done() for task in tasks):
        is_answer_due = bool(_transports(loop)) and real_seconds() < began + UNWIND_SECONDS
        if rounds >= _ROUNDS and not is_answer_due:
            return
        rounds += 1
        await _one_round()


def _name_left(loop: ControlledLoop, wanted: Callable[[TaskActor], bool]) -> None:
    left = [actor for task, actor in loop.actors.items() if not task.done() and wanted(actor)]
    for actor in sorted(left, key=attrgetter("name")):
        loop.controller.hazard(f"{actor.name} did not leave its code {why_it_stays(actor)}")


async def close_sockets(loop: ControlledLoop) -> None:
    """Close connections to real servers: the next execution has a loop of its own."""
    for connection in list(loop.connections):
        await connection.disconnect(nowait=True)
    transports = _transports(loop)
    for transport in transports:
        transport.abort()
    for _ in transports:
        await _one_round()


def _transports(loop: ControlledLoop) -> list[Any]:
    return list(loop._transports.values())  # type: ignore[attr-defined] # asyncio's own


@types.coroutine
def _one_round() -> Iterator[None]:
    """Let all ready callbacks run."""
    yield
