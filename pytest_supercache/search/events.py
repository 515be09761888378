"""Turns executions into events, with the happens-before relation between them.

An event is a step that a choice led to. Two events of one actor are ordered, and so are two
dependent ones; what follows from that is happens-before, kept as bit masks over positions. Ticks
are barriers: everything before one happens before it, and it before everything after. But an early
tick and a timeless event are independent. That an actor has begun and waits is no event, but it
matters at a tick: its time counts from its beginning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_supercache.core.footprint import Footprint, dependent
from pytest_supercache.core.identity import identity
from pytest_supercache.core.orders import Pair, StepName
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step, StepId, is_unconditional

EventKey = tuple[str, int, frozenset[StepId]]
"""An event, with the events that it directly depends on; a tick with all that happen before it.

Other events do not name ticks: those that happen before a tick say where it stands.
"""

TraceKey = frozenset[EventKey]
"""An interleaving up to equivalence: the set of its events."""

BEGUN = -1
"""Stands for an event of an actor that has begun and only waits."""


class _Row(dict[int, bool]):
    """The dependence of one footprint on the others, by their numbers, computed on first use."""

    def __init__(self, footprints: Sequence[Footprint], own: Footprint) -> None:
        super().__init__()
        self._footprints = footprints
        self._own = own

    def __missing__(self, number: int) -> bool:
        found = self[number] = dependent(self._own, self._footprints[number])
        return found


_SEEN_MAX = 1_000
"""The number of footprints that are also known by identity; code may make new ones any time."""


class Dependence:
    """Numbers footprints, and remembers which of them depend on each other."""

    def __init__(self) -> None:
        self._numbers: dict[Footprint, int] = {}
        self._footprints: list[Footprint] = []
        self._rows: list[_Row] = []
        self._seen: dict[int, tuple[Footprint, int]] = {}  # by identity, which is found at once

    def number(self, footprint: Footprint) -> int:
        """Return the number of a footprint."""
        seen = self._seen.get(identity(footprint))
        if seen is not None:
            return seen[1]
        number = self._numbers.get(footprint)
        if number is None:
            number = self._numbers[footprint] = len(self._footprints)
            self._footprints.append(footprint)
            self._rows.append(_Row(self._footprints, footprint))
        if len(self._seen) < _SEEN_MAX:
            self._seen[identity(footprint)] = footprint, number
        return number

    def footprint(self, number: int) -> Footprint:
        """Return the footprint that has a number."""
        return self._footprints[number]

    def row(self, number: int) -> Mapping[int, bool]:
        """Return, for every footprint, whether its steps are ordered with those of this one."""
        return self._rows[number]


@dataclass(slots=True)
class StepEvent:
    """One step of a race, as a search sees it."""

    actor: str
    index: int  # the how-manieth event of its actor
    footprint: int
    step: Step
    name: StepName  # in every execution
    lead: tuple[str, ...] = ()  # choices just before it that led to no step
    begun: frozenset[str] = frozenset()  # at a tick: who had begun and had no event yet
    parts: tuple[StepId, ...] = ()  # further steps that its choice led to
    is_timeless: bool = False  # independent of early ticks
    is_early: bool = False  # an early tick
    is_free: bool = False  # nothing but its own actor's earlier steps can hold it back
    before: int = 0  # the positions of all events that happen before it
    apart: int = 0  # the same, if there were no ticks
    direct: int = 0  # of those, the ones that no other event comes between
    rivals: int = 0  # of all before it, the ones of other actors that it depends on by itself
    key: EventKey = ("", BEGUN, frozenset())  # itself, and the events in `direct`
    orders: list[Pair] | None = None  # it and each of `rivals`, once they were asked for

    @property
    def is_tick(self) -> bool:
        """Whether it is a tick."""
        return self.actor == CLOCK

    def is_like(self, step: Step) -> bool:
        """Say whether a step of another execution is the same in all that must repeat.

        This compares their signatures, without making them.
        """
        own = self.step
        return (
            own.label == step.label
            and own.actor == step.actor
            and (own.footprint is step.footprint or own.footprint == step.footprint)
        )


def order(events: list[StepEvent], start: int, dependence: Dependence) -> None:
    """Compute, for each event from ``start`` on, the events that happen before it."""
    owns: dict[str, int] = {}  # the events of each actor
    touching: dict[int, int] = {}  # those with each footprint
    early = 0  # the early ticks
    bit = 1
    for event in events[:start]:
        owns[event.actor] = owns.get(event.actor, 0) | bit
        touching[event.footprint] = touching.get(event.footprint, 0) | bit
        early |= bit if event.is_early else 0
        bit <<= 1
    for event in events[start:]:
        actor, footprint = event.actor, event.footprint
        own = owns.get(actor, 0)
        depends = dependence.row(footprint)
        rivals = 0
        for other, where in touching.items():
            if depends[other]:
                rivals |= where
        if actor == CLOCK:
            event.rivals = rivals & ~own
            _order_tick(event, events[: bit.bit_length() - 1])
            early |= bit if event.is_early else 0
        else:
            passed = early if event.is_timeless else 0  # ticks that it does not depend on
            event.rivals = rivals & ~own & ~passed
            cause = event.step.cause
            caused = 0 if cause is None else _bit_of(cause, events[: bit.bit_length() - 1])
            ticks = owns.get(CLOCK, 0)
            _order(event, events, event.rivals | own | caused, ticks & ~passed, ticks)
        owns[actor] = own | bit
        touching[footprint] = touching.get(footprint, 0) | bit
        bit <<= 1


def _bit_of(step: StepId, events: Sequence[StepEvent]) -> int:
    """Return the bit of a step's event; 0: it was before the race."""
    for at in reversed(range(len(events))):
        event = events[at]
        if (event.step.actor, event.step.index) == step or step in event.parts:
            return 1 << at
    return 0


def _order_tick(event: StepEvent, earlier: Sequence[StepEvent]) -> None:
    """Record what happens before a tick: all, or if it is early, what is not timeless.

    A timeless event does if one that is not timeless follows from it.
    """
    before = rivals = (1 << len(earlier)) - 1
    if event.is_early:
        before = rivals = 0
        for at, other in enumerate(earlier):
            if not other.is_timeless:
                rivals |= 1 << at
                before |= 1 << at | other.before
    event.before = event.direct = event.apart = before
    event.rivals &= rivals
    event.key = _key(event, [earlier[at] for at in positions(before)])


def _order(
    event: StepEvent, events: Sequence[StepEvent], others: int, ticks: int, all_ticks: int
) -> None:
    """Record that the events ``others``, the ``ticks``, and all before them precede an event."""
    before = direct = 0
    earlier = []
    left = others | ticks
    while left:
        at = left.bit_length() - 1
        latest = events[at]
        earlier.append(latest)
        direct |= 1 << at
        before |= 1 << at | latest.before
        left &= ~before
    event.before = event.apart = before
    event.direct = direct
    if all_ticks:
        earlier = _direct_apart(event, events, others & ~all_ticks)
    event.key = _key(event, earlier)


def _direct_apart(event: StepEvent, events: Sequence[StepEvent], left: int) -> list[StepEvent]:
    """Return the events that would directly precede an event if there were no ticks."""
    event.apart = 0
    earlier = []
    while left:
        latest = events[left.bit_length() - 1]
        earlier.append(latest)
        event.apart |= 1 << (left.bit_length() - 1) | latest.apart
        left &= ~event.apart
    return earlier


def _key(event: StepEvent, earlier: Iterable[StepEvent]) -> EventKey:
    after = [(other.actor, other.index) for other in earlier]
    if event.begun:
        after += [(actor, BEGUN) for actor in event.begun]
    return event.actor, event.index, frozenset(after)


def events_of(
    steps: Sequence[Step],
    choices: Sequence[str],
    dependence: Dependence,
    known: Sequence[StepEvent] = (),
) -> tuple[list[StepEvent], tuple[str, ...]]:
    """Return the events of a race, not yet ordered, and the choices after the last one.

    Events that equal the ``known`` ones at their place are returned as these objects, with
    their choices before them and the actors that had begun.
    """
    events: list[StepEvent] = []
    counts: dict[str, int] = {}
    lead: tuple[str, ...] = ()
    begun: set[str] = set()
    coming = iter(known)
    after = 0  # so many choices
    is_new = True  # the latest event was not known
    for step in steps:
        at = step.choice
        if at is None:
            continue
        if at < after:  # a part of the step before, whose footprint tells
            if is_new:
                events[-1].parts += ((step.actor, step.index),)
            continue
        if after < at:  # these led to no step
            lead = tuple(choices[after:at])
            begun.update(lead)
        actor = choices[at]
        after = at + 1
        index = counts.get(actor, 0)
        counts[actor] = index + 1
        event = next(coming, None)
        is_new = event is None or not event.is_like(step)
        if event is None or is_new:
            number, is_free = dependence.number(step.footprint), is_unconditional(step)
            waiting = frozenset(begun - {actor}) if begun and actor == CLOCK else _NOBODY
            name = actor, index, step.label
            event = StepEvent(
                actor, index, number, step, name, lead, waiting, (),
                step.is_timeless, step.is_early, is_free,
            )  # fmt: skip
        events.append(event)
        if begun:  # else there is no lead either
            begun.discard(actor)
            lead = ()
    return events, tuple(choices[after:])


_NOBODY: frozenset[str] = frozenset()


def trace_key(events: Iterable[StepEvent]) -> TraceKey:
    """Return the identity of an interleaving: equal if only independent steps are swapped."""
    return frozenset([event.key for event in events])


def orders_of(events: Sequence[StepEvent]) -> list[Pair]:
    """Return all ordered pairs of dependent events of different actors, by their names."""
    found: list[Pair] = []
    for event in events:
        if event.orders is None:
            name = event.name
            event.orders = [(events[at].name, name) for at in positions(event.rivals)]
        found += event.orders
    return found


@lru_cache(maxsize=4096)
def positions(mask: int) -> tuple[int, ...]:
    """Return the positions of the set bits, in ascending order."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return tuple(found)
