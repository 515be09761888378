"""A race as a scheduler sees it that lets time pass between steps."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.pace import Upcoming
from pytest_supercache.runtime.kernel.actor import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_supercache.runtime.kernel.controller import Controller


def hand_over(controller: Controller) -> None:
    """Give the clock of a race that begins to its scheduler, if that is one that moves it."""
    timed: Any = controller.scheduler
    if getattr(timed, "moves_clock", False):  # it is a Timed; to ask for a protocol is slow
        controller.time.assume_nothing()
        timed.start(_Race(controller))


class _Race:
    def __init__(self, controller: Controller) -> None:
        # Weakly: the controller has the scheduler, and an execution is to go without the collector.
        self._controller: Controller = weakref.proxy(controller)

    def upcoming(self) -> Iterator[Upcoming]:
        for actor in self._controller.actors.values():
            step = actor.pending
            if step is not None:
                yield Upcoming(actor.name, actor.taken, step.label, step.kind, step.footprint)
            elif actor.state is State.NEW:
                yield Upcoming(actor.name, actor.taken, "start", "start", NOTHING)
        for name, work in self._controller.backgrounds.items():
            step = work.announced()
            if step is not None:
                yield Upcoming(name, work.taken, step.label, step.kind, step.footprint)

    def now(self) -> float:
        return self._controller.time.clock.now()

    def deadline(self) -> float | None:
        return self._controller.time.deadline(self._controller.actors.values())

    def pass_to(self, seconds: float) -> None:
        clock = self._controller.time.clock
        clock.move_to(max(seconds, clock.now()))
