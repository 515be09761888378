"""Tests the partial-order reduction: it is trusted only if equivalent schedules end alike.

A reduction skips schedules that it takes for equivalent. Where steps share something that they do
not declare, it is wrong, so some of the skipped schedules are executed after all: for every
interleaving one that reverses as many independent steps as possible, and free random ones; or all
of them, where those are fewer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from sys import maxsize

from pytest_supercache.checking.runner import Runner, UndividedError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.made_anew import without_random_parts
from pytest_supercache.core.orders import Share
from pytest_supercache.core.schedule import Scheduler
from pytest_supercache.core.verdict import End, Violation
from pytest_supercache.oracle.cause import Evidence
from pytest_supercache.oracle.real_time import possible_orders
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import (
    StepEvent,
    TraceKey,
    events_of,
    order,
    orders_of,
    trace_key,
)
from pytest_supercache.search.follow import Follow, Order
from pytest_supercache.search.orders import (
    anti_order,
    fewest_preemptions,
    linear_extensions,
    walk_chance,
)
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.search import SearchEnded

RANDOM_RUNS = 100
"""The number of free random schedules that must end like the interleaving they belong to."""


class HiddenState(Exception):  # noqa: N818 - a change of plan, not an error
    """Equivalent schedules ended differently: steps share something that they do not declare."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An interleaving as the search executed it, with its outcome."""

    events: list[StepEvent]
    key: TraceKey
    outcome: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a process has counted in its part of a search, in which nothing fails."""

    outcomes: Mapping[bytes, int]
    """The outcome of each interleaving, by its digest."""
    schedules: int | None
    idle_schedules: int
    reversible: int
    further: int


class ReductionCheck:
    """Compares every interleaving with other schedules of the same interleaving.

    Args:
        runner: executes and judges.
        is_part: other processes have the other interleavings, and there are many.
    """

    def __init__(self, runner: Runner, *, is_part: bool = False) -> None:
        self._runner = runner
        self._is_part = is_part
        self._elsewhere: dict[bytes, int] = {}  # outcomes of interleavings by their digests
        self._outcomes: dict[TraceKey, int] = {}
        self.schedules: int | None = 0
        """The number of schedules of all interleavings together; None: too many to count."""
        self._idle_schedules = 0  # in which a fault had nothing to strike
        self._to_reverse: list[_Recorded] = []  # compared with no other schedule so far
        self._reversible = 0  # interleavings that have another schedule to be compared with
        self.further = 0
        """The number of runs made by this check, beside those of the search."""
        self.evidence = Evidence()
        """Which orders of two steps each interleaving has, and whether it fails."""
        self.failing = 0
        """The number of interleavings that fail."""
        self.failing_schedules = 0
        """The number of schedules that these have."""
        self._walk: Fraction | None = Fraction(0)  # the chance that a random walk fails
        self.smallest: tuple[int, int, int, int, tuple[str, ...]] | None = None
        """Early ticks, preemptions, steps, users and order of the smallest failing schedule."""
        self._fewest = maxsize  # preemptions of any failing schedule
        self.is_mixed = False
        """Whether a failing interleaving may have schedules that pass."""
        self.witness: Follow | None = None
        """Leads to the smallest failing schedule, once."""
        self.is_exact = False
        """Whether every single schedule was executed."""
        self.search = Exhaustive(self.see)

    def see(self, key: TraceKey, events: Sequence[StepEvent], execution: Execution) -> None:
        """Record an interleaving, and execute a schedule of it that is very different."""
        violations = self._runner.violations
        alike = self._of_trace(execution, violations)
        # Once something is found, ends are not compared any more.
        outcome = outcome_of(execution, alike) if self._runner.found is None else 0
        self._outcomes[key] = outcome
        ways = linear_extensions(events) if self.schedules is not None else None
        if ways is None or self.schedules is None:
            self.schedules = None
        elif execution.missed:
            self._idle_schedules += ways
        else:
            self.schedules += ways
        fails = bool(violations) or (
            not execution.missed and self._breaks_in_another_order(key, events, execution)
        )
        self.evidence.add(
            orders_of(events),
            fails=fails,
            schedule=None if execution.missed else execution.schedule,
        )
        self.failing += fails
        if violations:
            self.failing_schedules += ways or 0
            enabledness = Enabledness(events, self.search.waits, execution.waiting)
            self._walk = self._longer_walk(enabledness, execution)
            self._consider(enabledness, len(execution.waited))
        elif not fails and ways != 1:
            self._reversible += 1
            self._to_reverse.append(_Recorded(list(events), key, outcome))
        if self._is_part or not self.are_few:
            self._reverse_recorded()

    def tally(self) -> Tally:
        """Return what was counted in a part of a search."""
        return Tally(
            outcomes={digest_of(key): outcome for key, outcome in self._outcomes.items()},
            schedules=self.schedules,
            idle_schedules=self._idle_schedules,
            reversible=self._reversible,
            further=self.further,
        )

    def add(self, part: Tally) -> None:
        """Take in what another process has counted.

        Raises:
            UndividedError: an interleaving was executed twice.
        """
        if not self._elsewhere:
            self._elsewhere = {digest_of(key): outcome for key, outcome in self._outcomes.items()}
            self._outcomes.clear()
        if not self._elsewhere.keys().isdisjoint(part.outcomes):
            raise UndividedError("an interleaving was executed twice")
        self._elsewhere |= part.outcomes
        is_counted = self.schedules is not None and part.schedules is not None
        self.schedules = (self.schedules or 0) + (part.schedules or 0) if is_counted else None
        self._idle_schedules += part.idle_schedules
        self._reversible += part.reversible
        self.further += part.further

    def _breaks_in_another_order(
        self, key: TraceKey, events: Sequence[StepEvent], execution: Execution
    ) -> bool:
        """Execute the orders of an interleaving in which a real-time guarantee may fail."""
        begun = tuple(event.begun for event in events if event.is_tick)
        for guarantee in self._runner.guarantees:
            if guarantee.find_patterns is None:
                continue
            for actors in possible_orders(execution, guarantee.find_patterns):
                follow = Follow(Order(actors, begun), self.search.can_wait)
                other, again = self._run(follow)
                if _is_early(again) != _is_early(events):
                    continue  # it forces a tick that was early: that is another interleaving
                if follow.is_lost or trace_key(again) != key:
                    raise HiddenState("an order that must be possible is not")
                violations = self._runner.judge(other).violations
                if violations:
                    self.is_mixed = True
                    self._runner.report(other, violations)
                    return True
        return False

    def _of_trace(self, execution: Execution, violations: Sequence[Violation]) -> list[Violation]:
        """Leave out violations that may differ between orders of one interleaving."""
        mixed = {
            one.name
            for one in self._runner.guarantees
            if one.real_time and (one.find_patterns is None or any(one.find_patterns(execution)))
        }
        self.is_mixed |= any(violation.guarantee in mixed for violation in violations)
        return [violation for violation in violations if violation.guarantee not in mixed]

    @property
    def interleavings(self) -> int:
        """The number of interleavings that were executed."""
        return len(self._outcomes) + len(self._elsewhere)

    def share(self) -> Share | None:
        """Return the share of schedules that fail; None: some interleavings only partly fail."""
        if self.is_mixed:
            return None
        return Share(
            failing=self.failing,
            interleavings=self.interleavings,
            failing_schedules=self.failing_schedules,
            schedules=self.schedules,
            walk=None if self._walk is None or self._idle_schedules else float(self._walk),
        )

    def _longer_walk(self, enabledness: Enabledness, execution: Execution) -> Fraction | None:
        """Add the chance of an interleaving; None where the clock might have moved early."""
        if self._walk is None or execution.saw_deadline:
            return None
        chance = walk_chance(enabledness)
        return None if chance is None else self._walk + chance

    def _consider(self, enabledness: Enabledness, ticks: int) -> None:
        """Keep the smallest failing schedule: fewest early ticks, preemptions, steps, users."""
        least = ticks + 1 if self.smallest is None else self.smallest[0]
        most = None
        if self.smallest is not None and ticks >= least:
            most = self.smallest[1] if ticks == least else self._fewest - 1
        fewest = fewest_preemptions(enabledness, most)
        if fewest is None:
            return
        events = enabledness.events
        preemptions, way = fewest
        self._fewest = min(self._fewest, preemptions)
        actors = tuple(events[at].actor for at in way)
        size = (ticks, preemptions, len(actors), len(set(actors)), actors)
        if self.smallest is None or size < self.smallest:
            self.smallest = size
            self.witness = Follow(Order.of(events, way), self.search.can_wait)

    @property
    def is_minimal(self) -> bool:
        """Whether no failing schedule that was seen has fewer preemptions than the smallest."""
        return self.smallest is not None and self.smallest[1] == self._fewest

    def conclude(self) -> None:
        """Make the checks that need every interleaving.

        Raises:
            HiddenState: a schedule ended differently.
            SearchEnded: no time is left.
            UndividedError: it did, and other processes have executed those that it is like.
        """
        if self.are_few:
            self._execute_all()
            self.is_exact = True
        else:
            self._try(RandomWalk(self._runner.settings.seed), RANDOM_RUNS)
            self.is_exact = self._all_schedules() == self.interleavings

    def _all_schedules(self) -> int | None:
        return None if self.schedules is None else self.schedules + self._idle_schedules

    @property
    def are_few(self) -> bool:
        """Whether all schedules so far are no more than the runs that would replace them.

        An interleaving adds all of its schedules to the ones and at most one run to the others, so
        where they are too many once, they stay so.
        """
        schedules = self._all_schedules()
        return schedules is not None and schedules <= self._reversible + RANDOM_RUNS

    def _reverse_recorded(self) -> None:
        """Compare the interleavings kept until it was clear that there are many schedules."""
        while self._to_reverse:
            recorded = self._to_reverse.pop()
            if self._runner.found is None:  # afterwards ends are not compared any more
                self._compare(recorded, anti_order(recorded.events))

    def _execute_all(self) -> None:
        self._try(AllSchedules(), None)

    def _try(self, search: AllSchedules | RandomWalk, most: int | None) -> None:
        left = most

        def attempt(scheduler: Scheduler) -> Execution:
            nonlocal left
            if left is not None:
                if not left:
                    raise SearchEnded(End.EXHAUSTED)
                left -= 1
            execution, events = self._run(scheduler)
            self._must_be_known(execution, events)
            return execution

        try:
            search.explore(attempt)
        except SearchEnded as ended:
            if ended.end is not End.EXHAUSTED:
                raise

    def _must_be_known(self, execution: Execution, events: list[StepEvent]) -> None:
        key = trace_key(events)
        known = self._outcomes.get(key)
        if known is None and self._elsewhere:
            known = self._elsewhere.get(digest_of(key))
        is_known = known is not None
        if is_known and known == self._outcome(execution):
            return
        if self._elsewhere:  # perhaps only another process is different, as in the order of a set
            raise UndividedError("a schedule is like none that other processes have executed")
        if is_known:
            raise HiddenState("equivalent schedules ended differently")
        raise HiddenState("a schedule is like none of the interleavings that were executed")

    def _run(self, scheduler: Scheduler) -> tuple[Execution, list[StepEvent]]:
        if self._runner.seconds() > self._runner.settings.time:
            raise SearchEnded(End.OUT_OF_BUDGET)
        self.further += 1
        execution = self._runner.execute(scheduler, look=True)
        return execution, self.events_of(execution)

    def events_of(self, execution: Execution) -> list[StepEvent]:
        """Return the ordered events of an execution by any scheduler."""
        dependence = self.search.dependence
        events, _ = events_of(execution.race, execution.schedule.choices, dependence)
        order(events, 0, dependence)
        return events

    def _outcome(self, execution: Execution) -> int:
        if execution.missed:
            return outcome_of(execution, ())
        violations = self._runner.judge(execution).violations
        alike = self._of_trace(execution, violations)
        if len(alike) < len(violations) and self._runner.found is None:
            self._runner.report(execution, violations)
        return outcome_of(execution, alike)

    def _compare(self, recorded: "_Recorded", other: list[int]) -> None:
        if self._is_alike(recorded, other):
            return
        one, two = self._culprits(recorded, other)
        raise HiddenState(
            f"{one.actor}'s {one.step.label!r} and {two.actor}'s {two.step.label!r} declare "
            "nothing in common, yet their order matters"
        )

    def _is_alike(self, recorded: "_Recorded", way: list[int]) -> bool:
        follow = Follow(Order.of(recorded.events, way), self.search.can_wait)
        execution, again = self._run(follow)
        return (
            not follow.is_lost
            and trace_key(again) == recorded.key
            and self._outcome(execution) == recorded.outcome
        )

    def _culprits(self, recorded: "_Recorded", other: list[int]) -> tuple[StepEvent, StepEvent]:
        """Find two neighbours whose swap makes the difference, by bisection between two orders."""
        ways, swaps = _swaps(other)
        low, high = 0, len(ways) - 1  # the first way ends alike, the last one does not
        while high - low > 1:
            middle = (low + high) // 2
            if self._is_alike(recorded, ways[middle]):
                low = middle
            else:
                high = middle
        one, two = swaps[high - 1]
        return recorded.events[one], recorded.events[two]


def outcome_of(execution: Execution, violations: Sequence[Violation]) -> int:
    """Return a hash of what users and the oracle saw of an execution.

    That is: answers, the content of all layers in the end, answers to probes, and violations;
    not the order of steps that do not depend on each other.
    """
    seen = (
        sorted(
            f"{o.user} {o.kind} {o.key} {o.answer!r} {type(o.error).__name__} {o.error}"
            for o in execution.history
        ),
        [
            (p, sorted(map(repr, held.items())))
            for p, held in sorted((execution.settled.layers or execution.stock).items())
        ],
        sorted(map(repr, execution.settled.probes.items())),
        sorted(map(repr, execution.results.items())),
        sorted({(v.guarantee, v.key or "", v.user or "") for v in violations}),
        [pending.actor for pending in execution.blocked],
    )
    return int.from_bytes(_digest(without_random_parts(repr(seen))))


def digest_of(key: TraceKey) -> bytes:
    """Return a digest of an interleaving, which is the same in every process."""
    return _digest(repr(sorted((actor, at, sorted(after)) for actor, at, after in key)))


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=12).digest()


def _swaps(other: list[int]) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return the orders between the recorded one and ``other``, each one swap from the last."""
    rank = {at: position for position, at in enumerate(other)}
    way = sorted(other)
    ways, swaps = [list(way)], []
    for end in range(len(way), 1, -1):
        for at in range(end - 1):
            if rank[way[at]] > rank[way[at + 1]]:
                swaps.append((way[at], way[at + 1]))
                way[at], way[at + 1] = way[at + 1], way[at]
                ways.append(list(way))
    return ways, swaps


def _is_early(events: Sequence[StepEvent]) -> list[bool]:
    """Return, for each tick, whether it was early."""
    return [event.is_early for event in events if event.is_tick]
