"""Runs coroutines under control: a body on an event loop, and a race of tasks."""

import asyncio
import inspect
import threading
from collections.abc import Iterable
from contextvars import copy_context
from typing import Any

from pytest_supercache.core.switch import Background
from pytest_supercache.runtime.aio.event_loop import ControlledLoop
from pytest_supercache.runtime.aio.loop_ending import (
    close_sockets,
    is_at_rest,
    keep_lost_exceptions,
    name_lost_exceptions,
    unwind,
)
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.ending import note_blocked
from pytest_supercache.runtime.kernel.task_actor import TaskActor


def driven(controller: Controller, result: Any) -> Any:
    """Return the result of a body, which is run to its end first if it is a coroutine."""
    return run(controller, result) if inspect.iscoroutine(result) else result


def run(controller: Controller, coroutine: Any) -> Any:
    """Run a coroutine of the body on an event loop of its own, to its end."""
    host = current_actor()
    assert host is not None, "only an actor's thread runs a loop"
    loop = ControlledLoop(controller, host)
    keep_lost_exceptions(loop)
    controller.loops.append(loop)
    controller.time.alarms.append(loop.timers)
    host.loop = loop
    try:
        return _complete(loop, coroutine)
    finally:
        host.loop = None
        controller.loops.remove(loop)
        controller.time.alarms.remove(loop.timers)
        loop.forget()


def loop_of_body(controller: Controller) -> ControlledLoop | None:
    """Return the loop that runs the calling code; None: no loop does."""
    if not controller.loops:
        return None
    thread = threading.get_ident()
    return next((loop for loop in controller.loops if loop.runs_on(thread)), None)


def _complete(loop: ControlledLoop, coroutine: Any) -> Any:
    main = loop.main(coroutine)
    try:
        return loop.run_until_complete(main)
    except RuntimeError:
        if loop.stuck is not None and not main.done():
            raise loop.stuck from None
        raise
    finally:
        loop.controller.lost += name_lost_exceptions(loop)
        if not main.done() or not is_at_rest(loop):
            _end(loop, main)


def _end(loop: ControlledLoop, main: asyncio.Task[Any]) -> None:
    last = loop.main(_leave(loop, main))
    try:
        loop.run_until_complete(last)
    finally:
        loop.controller.left_tasks += [task for task in (main, last) if not task.done()]


async def _leave(loop: ControlledLoop, main: asyncio.Task[Any]) -> None:
    await unwind(loop, lambda _actor: True)
    await close_sockets(loop)
    main.cancel()
    await asyncio.wait([main])
    if not main.cancelled():
        main.exception()
    await loop.shutdown_asyncgens()


async def race(
    loop: ControlledLoop, actors: Iterable[Actor], backgrounds: Iterable[Background]
) -> None:
    """Run the actors on this running loop until all have ended or none is enabled."""
    controller, actors = loop.controller, list(actors)
    controller.begin_race(actors, backgrounds)
    for actor in controller.actors.values():
        if isinstance(actor, TaskActor):
            actor.home = loop
    for task, actor in loop.actors.items():
        if not task.done():
            controller.actors[actor.name] = actor
            controller.begun += (actor.name,)
    finish = _Finish(loop)
    finished, controller.finished = controller.finished, finish
    loop.racing, loop.context = True, copy_context()  # tasks inherit it from those who make them
    try:
        await finish.over
    finally:
        loop.racing = False
        controller.finished = finished
    note_blocked(controller)
    users = {actor.name for actor in actors}
    await unwind(loop, lambda actor: actor.name.partition("/")[0] in users and not actor.daemon)
    controller.end_race()


class _Finish:
    """Replaces the baton given at the end of a race, where the body waits on its loop."""

    def __init__(self, loop: ControlledLoop) -> None:
        self._loop = loop
        self.over: asyncio.Future[None] = loop.create_future()

    def give(self) -> None:
        """Signal that the race is over."""
        self._loop.racing = False
        if not self.over.done():
            self.over.set_result(None)
        self._loop.wake()
