"""Orders the events of one interleaving: counts the schedules, finds simple and different ones.

All are linear extensions of happens-before. Sets of events closed under it are the states of a
dynamic program; there are few of them when there are few actors.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from itertools import count
from math import lcm

from pytest_supercache.core.footprint import EVERYTHING, touches
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Pending, Step, StepId
from pytest_supercache.core.waiting import SET, allows
from pytest_supercache.core.waits import WaitState
from pytest_supercache.search.events import StepEvent, positions

STATES_MAX = 50_000
"""The number of closed sets after which a search gives up, with None."""


def linear_extensions(events: Sequence[StepEvent]) -> int | None:
    """Return the number of schedules of an interleaving; None if counting takes too long."""
    return _extensions(tuple(event.before for event in events))


@lru_cache(maxsize=4096)
def _extensions(befores: tuple[int, ...]) -> int | None:
    """Count the orders of events, given the set of predecessors of each."""
    level = {0: 1}
    seen = 0
    places = [(1 << at, before) for at, before in enumerate(befores)]
    for _ in befores:
        following: dict[int, int] = {}
        for mask, ways in level.items():
            for bit, before in places:
                if not (mask & bit or before & ~mask):  # it may come next
                    following[mask | bit] = following.get(mask | bit, 0) + ways
        level = following
        seen += len(level)
        if seen > STATES_MAX:
            return None
    return sum(level.values())


def anti_order(events: Sequence[StepEvent]) -> list[int]:
    """Return an order that reverses many independent pairs: always the latest enabled event."""
    mask = 0
    found: list[int] = []
    while len(found) < len(events):
        latest = max(_ready(events, mask))
        found.append(latest)
        mask |= 1 << latest
    return found


def fewest_preemptions(ability: "Ability", most: int | None = None) -> tuple[int, list[int]] | None:
    """Return an order with the fewest preemptions, and their number.

    A shortest path over (closed set, last actor), after Musuvathi and Qadeer (PLDI 2007), who count
    a preemption when an actor that could go on has to wait. None: that takes too long, or there are
    more than ``most``.
    """
    events = ability.events
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
        could_go_on = last is not None and ability.can_go_on(last, mask)
        for at in ability.ready(mask):
            actor = events[at].actor
            more = cost + (could_go_on and actor != last)
            if most is not None and more > most:
                continue
            following = last if actor == CLOCK else actor
            heappush(queue, (more, next(number), mask | 1 << at, following, (*path, at)))
    return None


def walk_chance(ability: "Ability") -> Fraction | None:
    """Return the chance that uniformly random choices execute this interleaving.

    None: that takes too long, or it is not known which other actors could have gone.
    """
    events = ability.events
    if any(event.lead for event in events):
        return None
    one = lcm(*range(1, len(ability.actors) + 1))  # so that its share of every number is whole
    level, seen = {0: 1}, 0
    for _ in events:
        following: dict[int, int] = {}
        for mask, chance in level.items():
            able, ready = ability.choices(mask)
            share = chance * (one // (able or 1))
            for bit, can in ready:
                if not can and (able or not bit & ability.ticks):
                    return None  # an early tick
                larger = mask | bit
                following[larger] = following.get(larger, 0) + share
        level = following
        seen += len(level)
        if seen > STATES_MAX:
            return None
    return Fraction(sum(level.values()), one ** len(events))


def _ready(events: Sequence[StepEvent], mask: int) -> list[int]:
    """Return the events outside a closed set that may come next."""
    return [at for at, event in enumerate(events) if not (mask >> at & 1 or event.before & ~mask)]


class Ability:
    """Says whether an actor is enabled after a closed set of an interleaving's events.

    Args:
        events: the interleaving.
        waiting: the pending steps of actors at the end.
        waits: the wait objects before any event.
    """

    def __init__(
        self,
        events: Sequence[StepEvent],
        waiting: Sequence[Pending],
        waits: Mapping[str, WaitState],
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
    def _first(self) -> dict[str, WaitState | None]:
        """The wait objects before any event."""
        return {
            event.step.wait.object: event.step.wait_before
            for event in reversed(self.events)
            if event.step.wait is not None
        }

    @cached_property
    def _ids(self) -> dict[StepId, int]:
        """The position of the event of each step."""
        return {(e.step.actor, e.step.index): at for at, e in enumerate(self.events)}

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
        """Return the events outside a closed set that may come next, the earliest first."""
        found, outside = [], ~mask
        for own in (*self.actors.values(), self.ticks):
            left = own & outside
            coming = left & -left
            if coming and not self._befores[coming] & outside:
                found.append(coming.bit_length() - 1)
        found.sort()
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
        if step is None or (step.cause is not None and not self._is_in(step.cause, mask)):
            return False
        if step.recheck and not self._has_fired(step.deadline, mask):
            return self._is_news(step, self.actors.get(actor, 0) & mask, mask)
        if not coming and self._is_allowed(actor, step, self._all):
            return False  # it cannot at the end: nobody has ever touched what it waits for
        return self._is_allowed(actor, step, mask)

    def _is_in(self, cause: StepId, mask: int) -> bool:
        at = self._ids.get(cause)
        return at is None or bool(mask >> at & 1)

    def _is_news(self, step: Step | Pending, taken: int, mask: int) -> bool:
        later = mask & ~((1 << taken.bit_length()) - 1)
        reads = step.footprint.reads
        if EVERYTHING in reads:
            return bool(later)
        others = (self.events[z].step for z in positions(later))
        return any(touches(one.footprint.writes, reads) and not one.futile for one in others)

    def _is_allowed(self, actor: str, step: Step | Pending, mask: int) -> bool:
        has_fired = self._has_fired(step.deadline, mask)
        if step.wait is None:
            return has_fired or step.deadline is None
        if has_fired:
            return not step.wait.after or self._is_set(step.wait.after, mask)
        return allows(
            actor,
            step.wait,
            lambda flag: self._is_set(flag, mask),
            lambda name: self._state(name, mask),
        )

    def _has_fired(self, deadline: float | None, mask: int) -> bool:
        if deadline is None:
            return False
        ticks = (self.events[z] for z in positions(mask) if self.events[z].is_tick)
        return any(tick.step.time >= deadline for tick in ticks)

    def _is_set(self, flag: str, mask: int) -> bool:
        if self._waits.get(flag) == SET:
            return True
        return any(flag in self.events[z].step.flags_set for z in positions(mask))

    def _state(self, name: str, mask: int) -> WaitState | None:
        state = self._waits.get(name, self._first.get(name))
        for z in positions(mask):
            other = self.events[z].step
            if other.wait is not None and other.wait.object == name:
                state = other.wait_after or state
        return state
