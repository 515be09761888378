"""Orders the events of one interleaving: counts the schedules, finds simple and different ones.

All are linear extensions of happens-before. Sets of events closed under it are the states of a
dynamic program; there are few of them when there are few actors. An early tick is early in all of
them: either it comes as soon as it may, where it was recorded, or another event may come instead.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from math import lcm

from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import StepEvent

STATES_MAX = 50_000
"""The number of closed sets after which a search gives up, with None."""


def linear_extensions(events: Sequence[StepEvent]) -> int | None:
    """Return the number of schedules of an interleaving; None if counting takes too long."""
    owns: dict[str, int] = {}
    early = 0
    for at, event in enumerate(events):
        owns[event.actor] = owns.get(event.actor, 0) | 1 << at
        early |= event.is_early << at
    return _extensions(tuple(event.before for event in events), tuple(owns.values()), early)


@lru_cache(maxsize=4096)
def _extensions(befores: tuple[int, ...], owns: tuple[int, ...], early: int) -> int | None:
    """Count the orders of events, given the predecessors of each and the events of each actor."""
    level = {0: 1}
    seen = 0
    before = {1 << at: earlier for at, earlier in enumerate(befores)}
    for _ in befores:
        following: dict[int, int] = {}
        for mask, ways in level.items():
            outside = ~mask
            ready = 0
            for own in owns:
                left = own & outside
                coming = left & -left
                if coming and not before[coming] & outside:
                    ready |= coming
            if ready & early == ready and ready and before[ready] != mask:
                continue  # the tick would be forced: that is another interleaving
            while ready:
                coming = ready & -ready
                following[mask | coming] = following.get(mask | coming, 0) + ways
                ready ^= coming
        level = following
        seen += len(level)
        if seen > STATES_MAX:
            return None
    return sum(level.values())


def anti_order(events: Sequence[StepEvent]) -> list[int]:
    """Return an order that reverses many independent pairs: always the latest enabled event.

    Where that would force an early tick, nothing is moved across a tick.
    """
    return _latest_first(events, [event.before for event in events]) or _latest_first(
        events, _with_barriers(events)
    )


def _latest_first(events: Sequence[StepEvent], before: list[int]) -> list[int]:
    """Return the order in which always the latest enabled event comes; empty: a tick is forced."""
    left = list(range(len(events) - 1, -1, -1))
    outside = whole = (1 << len(events)) - 1
    found: list[int] = []
    while left:
        ready = [at for at in left if not before[at] & outside]
        latest = ready[0]
        is_alone = events[latest].is_early and len(ready) == 1
        if is_alone and events[latest].before != whole ^ outside:
            return []
        left.remove(latest)
        found.append(latest)
        outside ^= 1 << latest
    return found


def _with_barriers(events: Sequence[StepEvent]) -> list[int]:
    """Return what comes before each event if every tick stays at its place."""
    found: list[int] = []
    passed = 0
    for at, event in enumerate(events):
        found.append((1 << at) - 1 if event.is_tick else event.before | passed)
        passed = (1 << at + 1) - 1 if event.is_tick else passed
    return found


def fewest_preemptions(
    enabledness: Enabledness, most: int | None = None
) -> tuple[int, list[int]] | None:
    """Return an order with the fewest preemptions, and their number.

    A shortest path over (closed set, last actor), after Musuvathi and Qadeer (PLDI 2007), who count
    a preemption when an actor that could go on has to wait. None: that takes too long, or there are
    more than ``most``.
    """
    events = enabledness.events
    full = (1 << len(events)) - 1
    number = count()
    queue: list[tuple[int, int, int, str | None, tuple[int, ...]]] = [(0, 0, 0, None, ())]
    best: set[tuple[int, str | None]] = set()
    while queue:
        cost, _, mask, last, path = heappop(queue)
        if mask == full:
            return cost, list(path)
        if (mask, last) in best:
            continue
        best.add((mask, last))
        if len(best) > STATES_MAX:
            return None
        could_go_on = last is not None and enabledness.can_go_on(last, mask)
        for at in enabledness.ready(mask):
            actor = events[at].actor
            more = cost + (could_go_on and actor != last)
            if most is not None and more > most:
                continue
            following = last if actor == CLOCK else actor
            heappush(queue, (more, next(number), mask | 1 << at, following, (*path, at)))
    return None


def walk_chance(enabledness: Enabledness) -> Fraction | None:
    """Return the chance that uniformly random choices execute this interleaving.

    None: that takes too long, or it is not known which other actors could have gone.
    """
    events = enabledness.events
    if any(event.lead for event in events):
        return None
    one = lcm(*range(1, len(enabledness.actors) + 1))  # so that its share of every number is whole
    level, seen = {0: 1}, 0
    for _ in events:
        following: dict[int, int] = {}
        for mask, chance in level.items():
            able, ready = enabledness.choices(mask)
            share = chance * (one // (able or 1))
            for bit, can in ready:
                if not can and (able or not bit & enabledness.ticks):
                    return None  # an early tick
                larger = mask | bit
                following[larger] = following.get(larger, 0) + share
        level = following
        seen += len(level)
        if seen > STATES_MAX:
            return None
    return Fraction(sum(level.values()), one ** len(events))
