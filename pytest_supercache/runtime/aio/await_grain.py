"""The grain ``await``: every await of code under test is a switch point.

A task is driven by hand: whenever it has really suspended, on a future, a lock, another task, it
comes to a switch point before it goes on. So a suspension lasts as long as the schedule says, and
not only until asyncio's own queue comes round: code may rely on no order there. What suspends
inside a command, or at a switch point of ours, is none of these.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from pytest_supercache.core.footprint import ANYTHING
from pytest_supercache.runtime.kernel import async_context as async_stepping
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.moves import add_move
from pytest_supercache.runtime.kernel.task_actor import TaskActor, place_of

Acting = Callable[[], TaskActor | None]


class Parted(Coroutine[Any, Any, Any]):
    """A coroutine that comes to a switch point after each of its suspensions.

    Args:
        coroutine: what it runs.
        acting: says whose task runs now.
    """

    def __init__(self, coroutine: Any, acting: Acting) -> None:
        self._coroutine = coroutine
        self._acting = acting
        self._place: str | None = None  # where it has suspended, if that was real
        self._step: Coroutine[Any, Any, None] | None = None  # the switch point it stands at

    def send(self, value: Any) -> Any:
        """Go on, by way of the switch point that is due."""
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
        """Go on with an error: nobody is asked."""
        self._place = None
        if self._step is not None:
            step, self._step = self._step, None
            try:
                step.throw(*error)
            except BaseException as raised:  # noqa: BLE001 - raised where the code awaits
                return self._suspended(self._coroutine.throw(raised))
        return self._suspended(self._coroutine.throw(*error))

    def close(self) -> None:
        """End it."""
        if self._step is not None:
            self._step.close()
        self._coroutine.close()

    def __await__(self) -> Any:
        """Be awaited like any other coroutine."""
        return self

    def __iter__(self) -> "Parted":
        """Be its own iterator, as an awaitable needs one."""
        return self

    def __next__(self) -> Any:
        """Go on."""
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        """Be looked at like the coroutine it runs: frames, code, names."""
        return getattr(self._coroutine, name)

    def _suspended(self, future: Any) -> Any:
        """Note whether a suspension is real, and pass on what it waits for."""
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
    """Who suspends before its first step has had its first turn: what follows is another."""
    controller = actor.home.controller
    if controller.fused is actor:
        controller.fused = None
        add_move(controller, actor, "start", "await", ANYTHING)
        actor.end_first_lines()


async def _part(place: str) -> None:
    execution = controlled()
    if execution is None or execution.controller.leaving():
        return
    label = f"go on after await {place}" if place else "go on after an await"
    # Whether it may go on is asyncio's business: no footprint tells what must have been before.
    execution.controller.note_undeclared("actors meet where they await")
    await async_stepping.step(execution, label, ANYTHING, kind="await")
