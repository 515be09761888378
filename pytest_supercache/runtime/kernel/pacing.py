"""Gives control of the clock to a scheduler that lets time pass between steps."""

import weakref
from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.pace import Upcoming
from pytest_supercache.runtime.kernel.actor import State
from pytest_supercache.runtime.kernel.state import ExecutionState


def hand_over(state: ExecutionState) -> None:
    """Let the scheduler control the clock of a race that begins, if it moves the clock."""
    timed: Any = state.scheduler
    if getattr(timed, "moves_clock", False):  # see core.pace
        state.time.assume_nothing()
        timed.start(_Race(state))


class _Race:
    def __init__(self, state: ExecutionState) -> None:
        # Weakly: the state has the scheduler, and an execution must be freed without the collector.
        self._state: ExecutionState = weakref.proxy(state)

    def upcoming(self) -> Iterator[Upcoming]:
        for actor in self._state.actors.values():
            step = actor.pending
            if step is not None:
                yield Upcoming(actor.name, actor.taken, step.label, step.kind, step.footprint)
            elif actor.state is State.NEW:
                yield Upcoming(actor.name, actor.taken, "start", "start", NOTHING)
        for name, work in self._state.backgrounds.items():
            step = work.announced()
            if step is not None:
                yield Upcoming(name, work.taken, step.label, step.kind, step.footprint)

    def now(self) -> float:
        return self._state.time.clock.now()

    def deadline(self) -> float | None:
        return self._state.time.deadline(self._state.actors.values())

    def pass_to(self, seconds: float) -> None:
        clock = self._state.time.clock
        clock.move_to(max(seconds, clock.now()))
