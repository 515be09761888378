"""Implements the grain ``await``: every await of code under test is a switch point.

A task is driven by hand: after each real suspension (on a future, a lock, another task) it reaches
a switch point before it resumes. So a suspension lasts as long as the schedule says, not just until
asyncio's own queue reaches the task: code may rely on no order there. Suspensions inside a command,
or at a switch point of this package, do not count.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from pytest_supercache.core.footprint import ANYTHING
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.ordering import RESUMES
from pytest_supercache.runtime.kernel.task_actor import TaskActor, place_of
from pytest_supercache.runtime.kernel.unannounced import add_step

Acting = Callable[[], TaskActor | None]


class Parted(Coroutine[Any, Any, Any]):
    """A coroutine that reaches a switch point after each of its suspensions.

    Args:
        coroutine: the coroutine to run.
        acting: returns the actor whose task is running.
    """

    def __init__(self, coroutine: Any, acting: Acting) -> None:
        self._coroutine = coroutine
        self._acting = acting
        self._place: str | None = None  # where it suspended, if really
        self._step: Coroutine[Any, Any, None] | None = None  # its current switch point

    def send(self, value: Any) -> Any:
        """Resume, after the switch point that is due."""
        if self._place is not None:
            self._step, self._place = _part(self._place), None
        if self._step is None:
            return self._suspended(self._coroutine.send(value))
        try:
            return self._step.send(None)
        except StopIteration:
            self._step = None
        except BaseException as error:  # noqa: BLE001 - raised where the code awaits
            self._step = None
            return self._suspended(self._coroutine.throw(error))
        return self._suspended(self._coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        """Resume with an error, without a switch point."""
        self._place = None
        if self._step is not None:
            step, self._step = self._step, None
            try:
                step.throw(*error)
            except BaseException as raised:  # noqa: BLE001 - raised where the code awaits
                return self._suspended(self._coroutine.throw(raised))
        return self._suspended(self._coroutine.throw(*error))

    def close(self) -> None:
        """Close the coroutine."""
        if self._step is not None:
            self._step.close()
        self._coroutine.close()

    def __await__(self) -> Any:
        """Return itself as the iterator, as a coroutine does."""
        return self

    def __iter__(self) -> "Parted":
        """Return itself: an awaitable's iterator must be iterable."""
        return self

    def __next__(self) -> Any:
        """Resume."""
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the coroutine it runs, such as its frame, code or name."""
        return getattr(self._coroutine, name)

    def _suspended(self, future: Any) -> Any:
        """Note whether a suspension is real, and return the future that it awaits."""
        actor = self._acting()
        if actor is not None and _is_real(actor, future):
            self._place = place_of(self._coroutine)
            _end_first_lines(actor)
        return future


def _is_real(actor: TaskActor, future: Any) -> bool:
    is_ours = future is not None and future is actor.gate
    is_real = not (is_ours or actor.in_command or actor.dismissed or actor.direct)
    return is_real and bool(actor.home.racing)


def _end_first_lines(actor: TaskActor) -> None:
    """Record entry code as a step of its own when it suspends before the actor's first step."""
    controller = actor.home.controller
    if controller.fused is actor:
        controller.fused = None
        add_step(controller, actor, "start", RESUMES, ANYTHING)
        actor.end_first_lines()


async def _part(place: str) -> None:
    execution = controlled()
    if execution is None or execution.controller.leaving():
        return
    label = f"go on after await {place}" if place else "go on after an await"
    # asyncio decides whether it may resume: no footprint tells which steps must precede.
    execution.controller.note_undeclared("actors meet where they await")
    await async_context.step(execution, label, ANYTHING, kind=RESUMES)
