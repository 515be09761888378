"""What a search keeps of an execution: events, and which of them happen before which.

An event is a step that a choice led to. Two events of one actor are ordered, and so are two
dependent ones; what follows from that is happens-before, kept as bit masks over positions. Ticks
are barriers: everything before one happens before it, and it before everything after. Who has begun
and waits is no event, but it matters at a tick: time counts from the beginning.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_supercache.core.footprint import Footprint, dependent
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step, StepId

TraceKey = frozenset[tuple[str, int, frozenset[StepId]]]
"""An interleaving up to equivalence: every event with the events that it directly depends on."""

BEGUN = -1
"""Stands for an event of an actor that has begun and only waits."""


class Dependence:
    """Footprints as small numbers, and a memory of which of them depend on each other."""

    def __init__(self) -> None:
        self._numbers: dict[Footprint, int] = {}
        self._footprints: list[Footprint] = []
        self._known: dict[tuple[int, int], bool] = {}

    def number(self, footprint: Footprint) -> int:
        """Return the number that stands for a footprint."""
        number = self._numbers.get(footprint)
        if number is None:
            number = self._numbers[footprint] = len(self._footprints)
            self._footprints.append(footprint)
        return number

    def between(self, left: int, right: int) -> bool:
        """Say whether steps with these footprints may not be swapped."""
        known = self._known.get((left, right))
        if known is None:
            known = dependent(self._footprints[left], self._footprints[right])
            self._known[left, right] = self._known[right, left] = known
        return known


@dataclass(slots=True)
class Event:
    """One step of a race, as a search sees it."""

    actor: str
    index: int  # the how-manieth event of its actor
    footprint: int
    step: Step
    lead: tuple[str, ...] = ()  # choices just before it that led to no step
    before: int = 0  # the positions of all events that happen before it
    direct: int = 0  # of those, the ones that no other event comes between
    begun: frozenset[str] = frozenset()  # at a tick: who had begun and had no event yet

    @property
    def is_tick(self) -> bool:
        """Whether it is a move of the clock."""
        return self.actor == CLOCK


def order(events: list[Event], start: int, dependence: Dependence) -> None:
    """Find out for each event from ``start`` on what happens before it."""
    between = dependence.between
    for at in range(start, len(events)):
        event = events[at]
        if event.is_tick:
            event.before = event.direct = (1 << at) - 1
            continue
        before = direct = 0
        for earlier in range(at - 1, -1, -1):
            if before >> earlier & 1:
                continue
            other = events[earlier]
            if (
                other.actor == event.actor
                or other.is_tick
                or between(other.footprint, event.footprint)
            ):
                direct |= 1 << earlier
                before |= other.before | 1 << earlier
        event.before, event.direct = before, direct


def events_of(
    steps: Iterable[Step], choices: Sequence[str], dependence: Dependence
) -> tuple[list[Event], tuple[str, ...]]:
    """Return the events of a race, not yet ordered, and the choices after the last one."""
    by_choice = {step.choice: step for step in steps if step.choice is not None}
    events: list[Event] = []
    counts: dict[str, int] = {}
    lead: list[str] = []
    begun: set[str] = set()
    for at, actor in enumerate(choices):
        step = by_choice.get(at)
        if step is None:
            lead.append(actor)
            begun.add(actor)
            continue
        begun.discard(actor)
        index = counts.get(actor, 0)
        counts[actor] = index + 1
        number = dependence.number(step.footprint)
        waiting = frozenset(begun if actor == CLOCK else ())
        events.append(Event(actor, index, number, step, tuple(lead), begun=waiting))
        lead = []
    return events, tuple(lead)


def trace_key(events: Sequence[Event]) -> TraceKey:
    """Identify an interleaving: equal for schedules that differ by swapping independent steps."""
    return prefix_key(events, (1 << len(events)) - 1)


def prefix_key(events: Sequence[Event], mask: int) -> TraceKey:
    """Identify a closed set of events up to equivalence."""
    names = [(event.actor, event.index) for event in events]
    return frozenset(
        (
            events[at].actor,
            events[at].index,
            frozenset(names[z] for z in positions(events[at].direct)).union(
                (actor, BEGUN) for actor in events[at].begun
            ),
        )
        for at in positions(mask)
    )


def orders_of(
    events: Sequence[Event], dependence: Dependence
) -> Iterator[tuple[tuple[str, int, str], tuple[str, int, str]]]:
    """Yield every two dependent events of different actors, by their names, in their order."""
    names = [(event.actor, event.index, event.step.label) for event in events]
    for at, event in enumerate(events):
        for earlier in range(at):
            other = events[earlier]
            if other.actor != event.actor and dependence.between(other.footprint, event.footprint):
                yield names[earlier], names[at]


def positions(mask: int) -> Iterator[int]:
    """Yield the positions whose bits are set, from the smallest on."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def choices_of(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the choices that lead to these events in this order."""
    found: list[str] = []
    for event in events:
        found.extend(event.lead)
        found.append(event.actor)
    return tuple(found)
