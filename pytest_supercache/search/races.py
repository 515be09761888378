"""Finds the races of an execution, and the orders that reverse them.

All is decided from what was recorded. Whether the later step could have been taken before the
earlier one is a question to :mod:`pytest_supercache.search.enabledness`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.core.waits import Wait, WaitState
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import Dependence, StepEvent, positions
from pytest_supercache.search.wakeup import Sequel


@dataclass(slots=True)
class _Late:
    """A step that might have come earlier: one that was taken, or one that stayed blocked."""

    at: int
    actor: str
    footprint: int
    before: int | None  # None: it never happened
    direct: int  # of these, the ones that no other event comes between
    step: Step | Pending

    @property
    def guard(self) -> Wait | None:
        """The wait object that can block it."""
        wait = self.step.wait
        return wait if wait is not None and wait.is_guarded_by_object else None

    @property
    def reasons(self) -> int:
        """The events that it may race with: all before it if any of them can block it."""
        if self.guard is None:
            return self.direct
        return (1 << self.at) - 1 if self.before is None else self.before


class Races:
    """The races of one execution.

    Args:
        events: the recorded ones, ordered.
        base: events before this position are fixed.
        blocked: the pending steps of actors at the end.
    """

    def __init__(
        self,
        events: Sequence[StepEvent],
        base: int,
        blocked: Sequence[Pending],
        dependence: Dependence,
        initial_waits: dict[str, WaitState],
    ) -> None:
        self._events = events
        self._base = base
        self._ticks = sum(1 << at for at, event in enumerate(events) if event.actor == CLOCK)
        self._blocked = blocked
        self._dependence = dependence
        self._initial_waits = initial_waits

    # What follows is only asked for when somebody can be held back.

    @cached_property
    def _after(self) -> list[int]:
        """For each event, the events that happen after it."""
        after = [0] * len(self._events)
        for at, event in enumerate(self._events):
            for earlier in positions(event.before):
                after[earlier] |= 1 << at
        return after

    @cached_property
    def _enabledness(self) -> Enabledness:
        return Enabledness(self._events, self._initial_waits)

    def reversals(self) -> Iterator[tuple[int, Sequel]]:
        """Yield the position of each earlier step, with the steps to take in its place."""
        for at in range(self._base + 1, len(self._events)):
            event = self._events[at]
            if event.actor != CLOCK:
                for early in self._partners(event, at):
                    yield early, self._sequel(early, event.actor, event.footprint)
        for pending in self._blocked:
            if pending.wait is not None and not pending.recheck:
                number = self._dependence.number(pending.footprint)
                late = _Late(len(self._events), pending.actor, number, None, 0, pending)
                for early in self._reversible(late):
                    yield early, self._sequel(early, late.actor, number)

    def _sequel(self, early: int, actor: str, footprint: int) -> Sequel:
        """Return the steps to take in place of an earlier one: all that do not happen after it."""
        bit = 1 << early
        sequel = [
            (event.actor, event.footprint)
            for event in self._events[early + 1 :]
            if not event.before & bit
        ]
        sequel.append((actor, footprint))
        return sequel

    def _partners(self, event: StepEvent, at: int) -> Iterable[int]:
        """Return the earlier steps that the one at ``at`` races with and could precede."""
        if not event.is_free:
            return self._reversible(
                _Late(at, event.actor, event.footprint, event.before, event.direct, event.step)
            )
        races = (event.direct & event.rivals & ~self._ticks) >> self._base << self._base
        return positions(races)[::-1] if races else ()

    def _reversible(self, late: _Late) -> Iterator[int]:
        """Yield the earlier steps that ``late``, which may be blocked, could precede."""
        depends = self._dependence.row(late.footprint)
        for at in reversed(positions(late.reasons >> self._base << self._base)):
            early = self._events[at]
            if (
                early.actor not in {late.actor, CLOCK}
                and depends[early.footprint]
                and self._is_reversible(late, at)
            ):
                yield at

    def _is_reversible(self, late: _Late, at: int) -> bool:
        """Say whether ``late`` could be taken before the event at ``at``, on which it depends.

        No event may come between them, unless it is this one that has blocked ``late``.
        """
        adjacent = late.before is not None and not self._after[at] & late.before
        if not adjacent and late.guard is None:
            return False
        below = (1 << late.at) - 1
        if self._enabledness.actors.get(late.actor, 0) & self._after[at] & below:
            return False
        others = below & ~self._after[at] & ~(1 << at)
        if not self._enabledness.may_take(late.actor, late.step, others):
            return False
        return adjacent or self._is_disabled_by(late, at)

    def _is_disabled_by(self, late: _Late, at: int) -> bool:
        """Say whether the event at ``at`` has blocked ``late``."""
        guard, step = late.guard, self._events[at].step
        if guard is None or step.wait is None or step.wait.object != guard.object:
            return False
        return step.wait_after is not None and not step.wait_after.allows(late.actor, guard.verb)
