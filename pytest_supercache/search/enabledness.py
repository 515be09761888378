"""Says which actors are enabled at any moment of an interleaving, from what was recorded.

A moment is a set of events that is closed under happens-before. Wait objects are pure values, so
guards are evaluated by looking up recorded states; user code is never run for that.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from pytest_supercache.core.footprint import EVERYTHING, touches
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Pending, Step, StepId
from pytest_supercache.core.waiting import SET, is_enabled
from pytest_supercache.core.waits import WaitState
from pytest_supercache.search.events import StepEvent, positions


class Enabledness:
    """Says whether an actor is enabled after a closed set of an interleaving's events.

    Args:
        events: the interleaving.
        waits: the wait objects before any event.
        waiting: the pending steps of actors at the end.
    """

    def __init__(
        self,
        events: Sequence[StepEvent],
        waits: Mapping[str, WaitState],
        waiting: Sequence[Pending] = (),
    ) -> None:
        self.events = events
        self._befores = {1 << at: event.before for at, event in enumerate(events)}
        self._all = (1 << len(events)) - 1
        self._waits = waits
        self._waiting = {pending.actor: pending for pending in waiting}
        self.actors = dict.fromkeys(self._waiting, 0)  # the events of each, which are ordered
        self._free = 0  # events whose turn it is as soon as it is their actor's
        for at, event in enumerate(events):
            self.actors[event.actor] = self.actors.get(event.actor, 0) | 1 << at
            self._free |= event.is_free << at
        self.ticks = self.actors.pop(CLOCK, 0)

    @cached_property
    def _initial(self) -> dict[str, WaitState | None]:
        """For each wait object that was used, its state before any event."""
        found: dict[str, WaitState | None] = {}
        for event in self.events:
            wait = event.step.wait
            if wait is not None and wait.object not in found:
                found[wait.object] = self._waits.get(wait.object, event.step.wait_before)
        return found

    @cached_property
    def _later(self) -> dict[str, list[tuple[int, WaitState]]]:
        """For each wait object, its state after each event (a bit) that used it, latest first."""
        found: dict[str, list[tuple[int, WaitState]]] = {}
        for at in range(len(self.events) - 1, -1, -1):
            step = self.events[at].step
            if step.wait is not None and step.wait_after is not None:
                found.setdefault(step.wait.object, []).append((1 << at, step.wait_after))
        return found

    @cached_property
    def _setters(self) -> dict[str, int]:
        """For each flag, the events that set it."""
        setters: dict[str, int] = {}
        for at, event in enumerate(self.events):
            for flag in event.step.flags_set:
                setters[flag] = setters.get(flag, 0) | 1 << at
        return setters

    @cached_property
    def _ids(self) -> dict[StepId, int]:
        """The position of the event of each step."""
        return {
            step: at
            for at, e in enumerate(self.events)
            for step in ((e.step.actor, e.step.index), *e.parts)
        }

    def choices(self, mask: int) -> tuple[int, list[tuple[int, bool]]]:
        """Return how many actors are enabled after a closed set, and which events may come next.

        These are bits, each with whether its actor is enabled; that of a tick is not.
        """
        able, outside = 0, ~mask
        ready = []
        for actor, own in self.actors.items():
            left = own & outside
            coming = left & -left
            can = self._can(actor, coming, mask)
            able += can
            if coming and not self._befores[coming] & outside:
                ready.append((coming, can))
        tick = self.ticks & outside
        tick &= -tick
        if tick and not self._befores[tick] & outside:
            ready.append((tick, False))
        return able, ready

    def ready(self, mask: int) -> list[int]:
        """Return the events outside a closed set that may come next, the earliest first.

        An early tick that would be forced there is none of them.
        """
        found, outside = [], ~mask
        for own in (*self.actors.values(), self.ticks):
            left = own & outside
            coming = left & -left
            if coming and not self._befores[coming] & outside:
                found.append(coming.bit_length() - 1)
        found.sort()
        if (
            len(found) == 1
            and self.events[found[0]].is_early
            and mask != self.events[found[0]].before
        ):
            return []
        return found

    def can_go_on(self, actor: str, mask: int) -> bool:
        """Say whether an actor could take its next step after a closed set."""
        left = self.actors.get(actor, 0) & ~mask
        return self._can(actor, left & -left, mask)

    def _can(self, actor: str, coming: int, mask: int) -> bool:
        """Say the same, given the event of the actor's next step as a bit; 0: there is none."""
        if coming & self._free:
            return True
        step = self.events[coming.bit_length() - 1].step if coming else self._waiting.get(actor)
        if step is None:
            return False
        if not coming and self.may_take(actor, step, self._all):
            return False  # it cannot at the end: nobody has ever touched what it waits for
        return self.may_take(actor, step, mask)

    def may_take(self, actor: str, step: Step | Pending, mask: int) -> bool:
        """Say whether an actor may take ``step`` after a closed set that has its earlier steps."""
        if step.cause is not None and not self._is_in(step.cause, mask):
            return False
        fired = None if step.deadline is None else self._has_come(step.deadline, mask)
        return is_enabled(
            actor,
            step.wait,
            lambda flag: self._is_set(flag, mask),
            lambda name: self._state(name, mask),
            fired=fired,
            news=self._is_news(actor, step, mask) if step.recheck else None,
        )

    def _is_in(self, cause: StepId, mask: int) -> bool:
        at = self._ids.get(cause)
        return at is None or bool(mask >> at & 1)

    def _has_come(self, deadline: float, mask: int) -> bool:
        ticks = positions(self.ticks & mask)
        return any(self.events[at].step.time >= deadline for at in ticks)

    def _is_news(self, actor: str, step: Step | Pending, mask: int) -> bool:
        """Say whether something that a condition reads was written since its last check."""
        taken = self.actors.get(actor, 0) & mask
        later = mask & ~((1 << taken.bit_length()) - 1)
        reads = step.footprint.reads
        if EVERYTHING in reads:
            return bool(later)
        others = (self.events[at].step for at in positions(later))
        return any(touches(other.footprint.writes, reads) and not other.futile for other in others)

    def _is_set(self, flag: str, mask: int) -> bool:
        return self._waits.get(flag) == SET or bool(self._setters.get(flag, 0) & mask)

    def _state(self, name: str, mask: int) -> WaitState | None:
        """Return a wait object's value after a closed set."""
        for bit, state in self._later.get(name, ()):
            if bit & mask:
                return state
        return self._initial.get(name) or self._waits.get(name)
