"""Real time on a trace: which orders of independent steps the same trace also allows.

A search that runs each trace once has seen one order of its independent steps. A guarantee about
real time ("this returned before that was called") may hold in that order and break in another one.
With the origin's commit order known, each way to break it is a :class:`Pattern`: "x before y" for a
few pairs of steps. It is possible exactly when no y happens before its x; then there is an order of
the same trace in which the pattern holds. That order is executed, and only what fails there is
reported (design, search.md section 6; the happens-before relation is Mazurkiewicz's: program
order, and the order of dependent steps).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pytest_supercache.core.footprint import NOTHING, Footprint, dependent
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Execution, Step


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pairs of positions in ``execution.steps``; it holds when each first comes before its second.

    An execution of the same trace in which it holds breaks the guarantee.
    """

    pairs: tuple[tuple[int, int], ...]


FindPatterns = Callable[..., Iterable[Pattern]]
"""Called with an execution, and with the parameters of the guarantee by their names."""


class HappensBefore:
    """The order that all linearizations of a trace share, over the positions of its steps.

    Steps of different phases are ordered as they were taken, and so are all steps outside the race:
    they ran alone. Computed when it is first asked for, in O(n^2) comparisons of footprints.
    """

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    def __call__(self, earlier: int, later: int) -> bool:
        """Say whether the step at ``earlier`` comes first in every linearization."""
        return earlier < later and bool(self._causes[later] >> earlier & 1)

    @cached_property
    def _causes(self) -> list[int]:
        """For each step, the set of steps that happen before it, as a bit mask."""
        return _closure(len(self._steps), self._is_ordered)

    def _is_ordered(self, earlier: int, later: int) -> bool:
        one, other = self._steps[earlier], self._steps[later]
        if one.phase != other.phase or one.phase != RACE or one.actor == other.actor:
            return True
        return dependent(one.footprint, other.footprint)


def linear_extension(execution: Execution, pattern: Pattern) -> Schedule | None:
    """Return an order of the same trace in which ``pattern`` holds; None: there is none.

    Among all such orders it takes the one that keeps closest to the order that was executed. To be
    replayed by the caller: the result names the actor of every choice.
    """
    events = _events(execution)
    place = {event.step: at for at, event in enumerate(events) if event.step is not None}
    after: list[set[int]] = [set() for _ in events]
    for later in range(len(events)):
        for earlier in range(later):
            if _is_event_ordered(events[earlier], events[later]):
                after[earlier].add(later)
    for first, second in pattern.pairs:
        if first in place and second in place:
            after[place[first]].add(place[second])
        elif first >= second:
            return None  # one of them ran alone: that order is fixed
    order = _sorted(after)
    return None if order is None else Schedule(tuple(events[at].actor for at in order))


def possible_orders(execution: Execution, find_patterns: FindPatterns) -> Iterator[Schedule]:
    """Yield, for each pattern that another order of this trace may hold, such an order."""
    seen: set[Schedule] = set()
    for pattern in find_patterns(execution):
        schedule = linear_extension(execution, pattern)
        if schedule is not None and schedule not in seen:
            seen.add(schedule)
            yield schedule


@dataclass(frozen=True, slots=True)
class _Event:
    """One choice of a schedule: most take a step, some only run an actor's first lines."""

    actor: str
    step: int | None
    footprint: Footprint


def _events(execution: Execution) -> list[_Event]:
    """Return the choices of the race with what each may touch.

    A choice without a step ran an actor's first lines and stopped before a step that had to wait:
    it keeps its place among the steps that this wait depends on, or it would not stop there again.
    """
    taken = {step.choice: at for at, step in enumerate(execution.steps) if step.choice is not None}
    events: list[_Event] = []
    for choice, actor in reversed(list(enumerate(execution.schedule.choices))):
        position = taken.get(choice)
        if position is not None:
            footprint = execution.steps[position].footprint
        else:
            footprint = next(
                (event.footprint for event in reversed(events) if event.actor == actor), NOTHING
            )
        events.append(_Event(actor, position, footprint))
    return events[::-1]


def _is_event_ordered(one: _Event, other: _Event) -> bool:
    return one.actor == other.actor or dependent(one.footprint, other.footprint)


def _closure(size: int, is_ordered: Callable[[int, int], bool]) -> list[int]:
    causes: list[int] = []
    for later in range(size):
        mask = 0
        for earlier in range(later - 1, -1, -1):
            if not mask >> earlier & 1 and is_ordered(earlier, later):
                mask |= causes[earlier] | 1 << earlier
        causes.append(mask)
    return causes


def _sorted(after: list[set[int]]) -> list[int] | None:
    """Sort topologically, always taking the lowest that may come next; None: there is a cycle."""
    missing = [0] * len(after)
    for followers in after:
        for follower in followers:
            missing[follower] += 1
    ready = [at for at, count in enumerate(missing) if count == 0]
    order: list[int] = []
    while ready:
        at = heapq.heappop(ready)
        order.append(at)
        for follower in after[at]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, follower)
    return order if len(order) == len(after) else None
