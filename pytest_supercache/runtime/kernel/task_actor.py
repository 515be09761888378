"""Defines actors that are tasks of an event loop, many of which share one thread.

Such an actor parks on a future instead of a baton. While it waits inside asyncio (for a lock,
another task, a timer) it has no step, and the scheduler cannot choose it.
"""

from asyncio import Future, Task
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath
from sys import _getframe
from types import FrameType
from typing import Any, ClassVar

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.trace import Pending
from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.functions_under_test import (
    callers,
    functions_of,
    sources_of,
)
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

ACTING: ContextVar["TaskActor | None"] = ContextVar("supercache_acting", default=None)
"""The actor whose callback runs: asyncio passes a task's context to the callbacks it schedules."""


def act_in(context: Context, actor: "TaskActor") -> None:
    """Attribute callbacks that run in ``context`` to ``actor``, unless the context is entered."""
    with suppress(RuntimeError):
        context.run(ACTING.set, actor)


WAITS = "wait on the event loop"


@dataclass(slots=True, eq=False)
class TaskActor(Actor):
    """An actor on an event loop: a user, or a task that a user spawned."""

    is_task: ClassVar[bool] = True

    baton: Any = None  # it needs none: its thread is the loop's
    home: Any = None  # the event loop
    task: Any = None
    gate: Any = None  # the future it is parked on
    sent: tuple[int, ...] = ()  # the choice with which it sent a command, and that of its effect

    @property
    def in_flight(self) -> bool:
        """Whether the actor is inside an operation, also while it waits inside asyncio."""
        # No `in {...}`: hashing an enum is slow.
        is_alive = self.state is State.PARKED or self.state is State.RUNNING
        return is_alive and self.taken > self.operation_began

    @property
    def is_late(self) -> bool:
        """Whether its code runs in a later turn of its event loop than what was chosen."""
        return self.home is not None and self.home.turn_of_choice > 0

    def begin(self, live: Any, new_thread: Any) -> None:  # noqa: ARG002 - as every kind of actor
        """Start the actor's coroutine."""
        self.home.begin(self)

    def wake(self) -> None:
        """Let the actor take the step it has announced."""
        if self.gate is None:
            self.home.resume(self)
        elif not self.gate.done():
            self.gate.set_result(None)
        self.home.wake()

    def awaits_others(self, task: Any) -> bool:
        """Say whether the actor awaits a bare future, or the task of another actor.

        Either one means that both share memory. A task that it started itself does not count, nor
        does a task whose uses the loop records.
        """
        waiter = getattr(task, "_fut_waiter", None)
        awaited = getattr(waiter, "_children", (waiter,))  # gather keeps them
        is_followed = self.home.controller.memory is not None
        actors = [
            self.home.actors.get(other)
            for other in awaited
            if isinstance(other, Task) and not (is_followed and hasattr(other, "tells_of_looks"))
        ]
        if any(o is not None and not o.name.startswith(f"{self.name}/") for o in actors):
            return True
        if type(waiter) is not Future or waiter is self.gate:
            return False
        frame = _innermost(task.get_coro())
        return frame is not None and is_under_test_name(frame.f_globals.get("__name__", ""))

    def as_pending(self, *, enabled: bool) -> Pending:
        """Return the actor's next step; while it waits inside asyncio that is a wait."""
        if self.pending is None and self.state is not State.NEW:
            return Pending(self.name, WAITS, NOTHING, enabled=False)
        return super(TaskActor, self).as_pending(enabled=enabled)

    def as_blocked(self) -> Pending:
        """Return the step, or the await, in which the actor is blocked for ever."""
        found = self.as_pending(enabled=False)
        if self.task is None:
            return found
        stack = self.stack()
        found.functions, found.sources = functions_of(stack), sources_of(stack)
        del stack  # it may hold the frame of this call
        if self.pending is None:
            place = place_of(self.task.get_coro())
            found.label = f"await {place}" if place else "await"
        return found

    @property
    def holds_as(self) -> str:
        """The name of whose thread runs its loop."""
        return self.name if self.home is None else str(self.home.host.holds_as)

    def stack(self) -> list[FrameType]:
        """Return the frames of the actor, the outermost first.

        A running coroutine does not expose what it awaits; its frames are on the thread's stack.
        """
        if self.task is None:
            return []
        coroutine = self.task.get_coro()
        if not getattr(coroutine, "cr_running", False):
            return list(_frames(coroutine))
        outermost = coroutine.cr_frame
        inside = takewhile(lambda frame: frame is not outermost, callers(_getframe()))
        return [outermost, *reversed(list(inside))]


def place_of(coroutine: Any) -> str:
    """Return the innermost line of the code under test that awaits."""
    place = ""
    for frame in _frames(coroutine):
        if is_under_test_name(frame.f_globals.get("__name__", "")):
            file = PurePath(frame.f_code.co_filename).name
            place = f"{file}:{frame.f_lineno} in {frame.f_code.co_name}"
    return place


def _innermost(coroutine: Any) -> Any:
    return next(reversed(list(_frames(coroutine))), None)


def _frames(coroutine: Any) -> Iterator[Any]:
    """Yield the frames of a coroutine and of everything it awaits, the outermost first."""
    while coroutine is not None:
        frame = _first(coroutine, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            yield frame
        coroutine = _first(coroutine, "cr_await", "ag_await", "gi_yieldfrom")


def _first(value: Any, *names: str) -> Any:
    found = (getattr(value, name, None) for name in names)
    return next((one for one in found if one is not None), None)
