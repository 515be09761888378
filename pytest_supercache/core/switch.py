"""Protocols by which layers ask for switch points, and background work offers its steps.

What a layer does between its switch points is written once, as a coroutine.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import StepId
from pytest_supercache.core.waits import Wait

Answer = TypeVar("Answer")

CONDITION = "check a condition"
"""The beginning of labels of steps that check a condition: the number of checks may vary."""


RUN = "run"
"""The label of the only step of an actor whose code never reached a switch point."""


class Switch(Protocol):
    """The door before every step, at which the runtime chooses the next actor."""

    def step(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step of the calling thread; return when the step may run."""
        ...

    def last_step(self) -> StepId | None:
        """Return the last step that the calling thread has taken; None outside of the race."""
        ...

    def answered(self, label: str) -> None:
        """Report that the answer of the last step has arrived: a switch point in shared memory."""
        ...

    async def astep(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step of the calling task; return when the step may run."""
        ...

    async def aanswered(self, label: str) -> None:
        """Report, in a task, that the answer of the last step has arrived."""
        ...


class Blocking:
    """A switch for the coroutines that :func:`at_once` runs: their steps block the thread."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    async def astep(self, label: str, footprint: Footprint, *, kind: str) -> None:
        """Announce a step of the calling thread; return when the step may run."""
        self._switch.step(label, footprint, kind=kind)

    async def aanswered(self, label: str) -> None:
        """Report that the answer of the last step has arrived."""
        self._switch.answered(label)


def at_once(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine whose steps block this thread, and which never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    coroutine.close()
    raise AssertionError("a step was awaited on a thread without an event loop")


def at_once_of(function: Callable[..., Coroutine[Any, Any, Answer]]) -> Callable[..., Answer]:
    """Make an ordinary function of a coroutine function whose steps block."""
    return lambda *args, **options: at_once(function(*args, **options))


class Background(Protocol):
    """Work that happens without a thread of its own, such as the delivery of a message."""

    name: str
    node: str | None

    @property
    def cause(self) -> StepId | None:
        """The step that made the pending one possible; None: it was always possible."""
        ...

    def pending(self) -> tuple[str, Footprint] | None:
        """Return label and footprint of the next step, or None if there is nothing to do."""
        ...

    def perform(self) -> None:
        """Take that step now."""
        ...
