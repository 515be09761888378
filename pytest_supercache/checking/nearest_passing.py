"""Finds the passing execution nearest to a failing one, for comparison.

After an exhaustive search the passing interleaving that orders the fewest pairs of steps otherwise
is known; of its schedules, the one that follows the failing schedule longest is executed. Without
that, steps are moved by one position, then by two, until nothing breaks.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from pytest_supercache.checking.reduction_check import ReductionCheck
from pytest_supercache.checking.runner import (
    HazardMet,
    Runner,
    SharedMemoryNeeded,
    StepsHaveChanged,
)
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.orders import Pair, Passing
from pytest_supercache.core.result import Counterexample
from pytest_supercache.core.schedule import Choices
from pytest_supercache.oracle.cause import nearest
from pytest_supercache.oracle.judge import judge
from pytest_supercache.search.events import Dependence, StepEvent, events_of, order, orders_of
from pytest_supercache.search.follow import Follow, Order
from pytest_supercache.search.replay import Replay

TRIES_MAX = 50
"""The largest number of executions with moved steps."""


def find_passing(
    runner: Runner, found: Counterexample, reduction_check: ReductionCheck | None
) -> Passing | None:
    """Return the passing execution most like a confirmed finding; None if none was found.

    A finding does not need it, so an error here takes nothing away from the finding.
    """
    dependence = Dependence() if reduction_check is None else reduction_check.search.dependence
    failing = _events(found.execution, dependence)
    pairs = tuple(orders_of(failing))
    try:
        execution = (
            None if reduction_check is None else _known(runner, reduction_check, failing, pairs)
        )
        execution = execution or _moved(runner, found)
        if execution is None:
            return None
        execution = runner.replay(execution.schedule, record=True)
        if not _passes(runner, execution):
            return None
    except (SupercacheError, HazardMet, SharedMemoryNeeded, StepsHaveChanged):
        return None
    there = set(orders_of(_events(execution, dependence)))
    turned = tuple((second, first) for first, second in pairs if (second, first) in there)
    return Passing(execution=execution, turned=turned)


def _known(
    runner: Runner,
    reduction_check: ReductionCheck,
    failing: Sequence[StepEvent],
    pairs: Sequence[Pair],
) -> Execution | None:
    """Execute the nearest interleaving known to pass, in the order most like the failing one.

    None: there is none, or it cannot be executed again.
    """
    _, schedule = nearest(reduction_check.evidence, pairs)
    if schedule is None:
        return None
    execution = runner.execute(Replay(schedule), unlimited_ticks=True)
    events = _events(execution, reduction_check.search.dependence)
    alike = Follow(Order.of(events, _like(events, failing)), reduction_check.search.can_wait)
    other = runner.execute(alike, unlimited_ticks=True)
    if not alike.is_lost and _passes(runner, other):
        return other
    return execution if _passes(runner, execution) else None


def _like(events: Sequence[StepEvent], failing: Sequence[StepEvent]) -> list[int]:
    """Return an order of an interleaving's events that follows ``failing`` wherever it may."""
    places = {(event.actor, event.index): at for at, event in enumerate(failing)}
    way: list[int] = []
    taken = 0
    while len(way) < len(events):
        ready = [
            at
            for at, event in enumerate(events)
            if not taken >> at & 1 and not event.before & ~taken
        ]
        first = min(
            ready,
            key=lambda at: (places.get((events[at].actor, events[at].index), len(failing)), at),
        )
        way.append(first)
        taken |= 1 << first
    return way


def _moved(runner: Runner, found: Counterexample) -> Execution | None:
    """Move one step after the other away from its place, a little, until a run passes."""
    for choices in islice(_moves(found.schedule.choices), TRIES_MAX):
        if runner.seconds() > 2 * runner.settings.time:
            return None
        execution = runner.execute(_Guided(choices), unlimited_ticks=True)
        if _passes(runner, execution):
            return execution
    return None


def _moves(choices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield every schedule in which one choice is moved, by one position first, then by more."""
    seen = {tuple(choices)}
    for distance in range(1, len(choices)):
        for at in range(len(choices)):
            for to in (at + distance, at - distance):
                if not 0 <= to < len(choices):
                    continue
                moved = list(choices)
                moved.insert(to, moved.pop(at))
                if tuple(moved) not in seen:
                    seen.add(tuple(moved))
                    yield tuple(moved)


class _Guided:
    """Takes the choices in their order; one that is not possible yet waits until it is."""

    def __init__(self, choices: Sequence[str]) -> None:
        self._left = list(choices)

    def choose(self, choices: Choices) -> str | None:
        for at, name in enumerate(self._left):
            if name in choices.enabled:
                return self._left.pop(at)
        return choices.enabled[0]


def _passes(runner: Runner, execution: Execution) -> bool:
    if not execution.complete or execution.missed:
        return False
    judgement = judge(execution, runner.guarantees)
    return not judgement.violations and not judgement.not_judged


def _events(execution: Execution, dependence: Dependence) -> list[StepEvent]:
    events, _ = events_of(execution.race, execution.schedule.choices, dependence)
    order(events, 0, dependence)
    return events
