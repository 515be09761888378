"""Actors that are tasks of an event loop: many of them share one thread.

It parks on a future instead of a baton. What it waits for inside asyncio (a lock, another task, a
timer) is asyncio's business: then it runs no step and the scheduler cannot choose it.
"""

from asyncio import Future, Task
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath
from sys import _getframe
from typing import Any, ClassVar

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.trace import Pending
from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.functions_under_test import callers, functions_of
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

ACTING: ContextVar["TaskActor | None"] = ContextVar("supercache_acting", default=None)
"""Whose callbacks run: asyncio hands the context of a task on to the callbacks it schedules."""


def act_in(context: Context, actor: "TaskActor") -> None:
    """Attribute callbacks that run in ``context`` to ``actor``, unless it is entered now."""
    with suppress(RuntimeError):
        context.run(ACTING.set, actor)


WAITS = "wait on the event loop"


@dataclass(slots=True, eq=False)
class TaskActor(Actor):
    """A flow of its own on an event loop: a user, or a task that one of them spawned."""

    is_task: ClassVar[bool] = True

    baton: Any = None  # it needs none: its thread is the loop's
    home: Any = None  # the event loop
    task: Any = None
    gate: Any = None  # the future it is parked on

    @property
    def in_flight(self) -> bool:
        """Whether it is inside an operation, also while it waits inside asyncio."""
        is_alive = (
            self.state is State.PARKED or self.state is State.RUNNING
        )  # hashing an enum is slow
        return is_alive and self.taken > self.operation_began

    def begin(self, live: Any, new_thread: Any) -> None:  # noqa: ARG002 - as every kind of actor
        """Start its coroutine."""
        self.home.begin(self)

    def wake(self) -> None:
        """Let it take the step it has announced."""
        if not self.gate.done():
            self.gate.set_result(None)
        self.home.wake()

    def meets_others(self, task: Any) -> bool:
        """Say whether it awaits a bare future, or the task of another actor.

        Where one is found, there is memory that both have. A task of its own is no such place.
        """
        waiter = getattr(task, "_fut_waiter", None)
        awaited = getattr(waiter, "_children", (waiter,))  # gather keeps them
        actors = [self.home.actors.get(other) for other in awaited if isinstance(other, Task)]
        if any(o is not None and not o.name.startswith(f"{self.name}/") for o in actors):
            return True
        if type(waiter) is not Future or waiter is self.gate:
            return False
        frame = _innermost(task.get_coro())
        return frame is not None and is_under_test_name(frame.f_globals.get("__name__", ""))

    def as_pending(self, *, enabled: bool) -> Pending:
        """Describe what it is about to do; inside asyncio it is about to do nothing."""
        if self.pending is None and self.state is not State.NEW:
            return Pending(self.name, WAITS, NOTHING, enabled=False)
        return super(TaskActor, self).as_pending(enabled=enabled)

    def as_blocked(self) -> Pending:
        """Describe where it waits for ever."""
        found = self.as_pending(enabled=False)
        if self.task is None:
            return found
        found.functions = self.functions()
        if self.pending is None:
            place = place_of(self.task.get_coro())
            found.label = f"await {place}" if place else "await"
        return found

    def functions(self) -> tuple[str, ...]:
        """Return the functions under test that it is in, the outermost first.

        While a coroutine runs, it does not say what it awaits, and its frames are on the stack.
        """
        if self.task is None:
            return ()
        coroutine = self.task.get_coro()
        if not getattr(coroutine, "cr_running", False):
            return functions_of(_frames(coroutine))
        outermost = coroutine.cr_frame
        inside = takewhile(lambda frame: frame is not outermost, callers(_getframe()))
        return functions_of([outermost, *reversed(list(inside))])


def place_of(coroutine: Any) -> str:
    """Name the innermost line of the code under test that awaits."""
    place = ""
    for frame in _frames(coroutine):
        if is_under_test_name(frame.f_globals.get("__name__", "")):
            file = PurePath(frame.f_code.co_filename).name
            place = f"{file}:{frame.f_lineno} in {frame.f_code.co_name}"
    return place


def _innermost(coroutine: Any) -> Any:
    return next(reversed(list(_frames(coroutine))), None)


def _frames(coroutine: Any) -> Iterator[Any]:
    """Yield the frames of a coroutine and of all that it awaits, the outermost first."""
    while coroutine is not None:
        frame = _first(coroutine, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            yield frame
        coroutine = _first(coroutine, "cr_await", "ag_await", "gi_yieldfrom")


def _first(value: Any, *names: str) -> Any:
    found = (getattr(value, name, None) for name in names)
    return next((one for one in found if one is not None), None)
