"""Real time on a trace: finds the other orders of independent steps that the trace allows.

A search that runs each trace once has seen one order of its independent steps. A guarantee about
real time ("this returned before that was called") may hold in that order and break in another one.
With the origin's commit order known, each way to break it is a :class:`Pattern`: "x before y" for a
few pairs of steps. It is possible exactly when no y happens before its x; then there is an order of
the same trace in which the pattern holds. That order is executed, and only what fails there is
reported. The happens-before relation is Mazurkiewicz's: program order, and the order of dependent
steps.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import dependent
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pairs of positions in ``execution.steps``; it holds when each first comes before its second.

    An execution of the same trace in which it holds breaks the guarantee, or cannot be judged.
    """

    pairs: Pairs


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
        """The steps that happen before each step, as a bit mask."""
        causes: list[int] = []
        for later, step in enumerate(self._steps):
            mask = 0
            for earlier in range(later - 1, -1, -1):
                if not mask >> earlier & 1 and is_ordered(self._steps[earlier], step):
                    mask |= causes[earlier] | 1 << earlier
            causes.append(mask)
        return causes


def linear_extension(execution: Execution, pattern: Pattern) -> tuple[str, ...] | None:
    """Return an order of the same trace in which ``pattern`` holds; None: there is none.

    Among all such orders it takes the one that keeps closest to the order that was executed, except
    that an early tick comes as soon as it may: where it is forced then, it is in every order. The
    result names the actor of every step of the race; a replay of it must let actors run to
    their first wait where that takes no step.
    """
    steps = execution.steps
    race = [at for at, step in enumerate(steps) if step.choice is not None]
    place = {at: number for number, at in enumerate(race)}
    after = [
        {
            later
            for later in range(number + 1, len(race))
            if is_ordered(steps[at], steps[race[later]])
        }
        for number, at in enumerate(race)
    ]
    for first, second in pattern.pairs:
        if first in place and second in place:
            after[place[first]].add(place[second])
        elif first >= second:
            return None  # one of them ran alone: that order is fixed
    early = [number for number, at in enumerate(race) if steps[at].is_early]
    order = _sorted(after, early)
    return None if order is None else tuple(steps[race[number]].actor for number in order)


def possible_orders(execution: Execution, find_patterns: FindPatterns) -> Iterator[tuple[str, ...]]:
    """Yield, for each pattern that is possible in this trace, an order in which it holds."""
    seen: set[tuple[str, ...]] = set()
    for pattern in find_patterns(execution):
        actors = linear_extension(execution, pattern)
        if actors is not None and actors not in seen:
            seen.add(actors)
            yield actors


def is_ordered(earlier: Step, later: Step) -> bool:
    """Say whether two steps keep their order in every linearization."""
    if earlier.phase != RACE or later.phase != RACE or earlier.actor == later.actor:
        return True
    if (earlier.is_early and later.is_timeless) or (earlier.is_timeless and later.is_early):
        return False
    one, other = earlier.footprint, later.footprint
    is_tick = CLOCK in {earlier.actor, later.actor}
    if is_tick and not (one.reads and other.reads):
        return True  # the step beside the tick touches nothing that has a name
    return dependent(one, other)


def _sorted(after: list[set[int]], soon: list[int]) -> list[int] | None:
    """Sort topologically, always taking the lowest that may come next; None: there is a cycle.

    Each of ``soon`` in turn comes as soon as all before it have come.
    """
    rank = _ranks(after, soon)
    missing = [0] * len(after)
    for followers in after:
        for follower in followers:
            missing[follower] += 1
    ready = [(rank[at], at) for at, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, at = heapq.heappop(ready)
        order.append(at)
        for follower in after[at]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, (rank[follower], follower))
    return order if len(order) == len(after) else None


def _ranks(after: list[set[int]], soon: list[int]) -> list[int]:
    """Return, for each position, the first of ``soon`` that must come after it, by its place."""
    before: list[set[int]] = [set() for _ in after]
    for at, followers in enumerate(after):
        for follower in followers:
            before[follower].add(at)
    ranks = [len(soon)] * len(after)
    for place, at in enumerate(soon):
        waiting = [at]
        while waiting:
            one = waiting.pop()
            if ranks[one] == len(soon):
                ranks[one] = place
                waiting += before[one]
    return ranks
