"""Each conflict class is found where its fault is, and nowhere else, in as many executions as due.

The numbers were worked out by enumerating every schedule of every class; where a step declares more
than it happens to touch there are more interleavings than that enumeration told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from itertools import combinations
from math import isclose

import pytest

from pytest_supercache.core.verdict import End
from pytest_supercache.oracle.cause import Evidence, find_causes
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import orders_of
from pytest_supercache.search.orders import (
    fewest_preemptions,
    linear_extensions,
    walk_chance,
)
from tests.random_programs import WAITS, Run, Upto
from tests.search import conflict_classes as classes
from tests.search.conflict_classes import Case, LeaseState

Order = tuple[str, str]

# schedules, failing ones, interleavings, fewest preemptions, fewest switches, size of the cause,
# chance of a random walk in 192nds
EXPECTED = {
    "stale_set": (10, 1, 5, 1, 2, 2, 12),
    "in_flight_fill": (10, 1, 5, 1, 3, 2, 12),
    "invalidate_first": (5, 2, 3, 1, 2, 2, 24),
    "double_delete": (11, 1, 6, 2, 3, 3, 6),
    "dual_write": (6, 2, 4, 1, 2, 2, 48),
    "partial_write": (1, 1, 1, 0, 0, 0, 192),
    "dropped_invalidation": (1, 1, 1, 0, 0, 0, 192),
    "reordered_update": (3, 1, 2, 0, 2, 1, 48),
    "read_your_writes": (2, 1, 2, 0, 1, 1, 96),
    "non_monotonic_reads": (20, 1, 7, 0, 3, 2, 8),
    "lagging_replica": (10, 2, 3, 0, 2, 2, 8),
    "additive_ttl": (30, 1, 30, 2, 4, 4, 8),
    "stampede": (20, 18, 6, 1, 2, 2, 144),
    "aligned_expiry": (74, 60, 9, 1, 3, 3, 40),
    "resurrection": (8, 1, 4, 1, 2, 2, 12),
    "negative_poisoning": (10, 1, 5, 1, 2, 2, 12),
    "write_behind_loss": (3, 1, 3, 0, 1, 2, 48),
    "write_behind_overwrite": (3, 1, 3, 0, 2, 2, 48),
    "cached_rmw": (6, 4, 4, 1, 2, 2, 96),
    "late_duplicate": (2, 1, 2, 0, 1, 1, 96),
    "eviction_hides_invalidation": (4, 2, 2, 0, 1, 1, 144),
    "subscribe_gap": (10, 3, 6, 1, 2, 2, 48),
    "key_format_mix": (3, 1, 2, 0, 1, 1, 96),
    "serializer_mix": (2, 1, 2, 0, 1, 1, 96),
    "cross_user_reply": (2, 1, 2, 0, 1, 1, 96),
    "clock_skew": (2, 1, 2, 0, 1, 1, 96),
    "fractured_read": (10, 3, 4, 1, 2, 2, 36),
    "purge_misses_fill": (10, 1, 4, 1, 2, 2, 12),
    "lease_expired": (34, 2, 12, 1, 3, 2, 6),
    "failover_missed_delete": (2, 1, 2, 0, 2, 1, 96),
    "refresh_overwrite": (6, 1, 4, 1, 2, 2, 24),
    "dirty_fill": (1, 1, 1, 0, 0, 0, 192),
    "layer_divergence": (1, 1, 1, 0, 0, 0, 192),
    "uncommitted_visible": (3, 1, 3, 1, 2, 2, 48),
}


def start(case: Case) -> Run:
    waits = {**WAITS, "lease": LeaseState()}
    return Run(case.programs, state=dict(case.given), waits=waits)


@dataclass
class Every:
    """Every schedule of a case by brute force: its steps by name, whether it fails, its chance."""

    schedules: list[tuple[tuple[str, ...], bool, float]] = field(default_factory=list)

    def add(self, case: Case, choices: tuple[str, ...] = (), chance: float = 1.0) -> "Every":
        upto = Upto(choices)
        run = start(case).play(upto)
        if not upto.enabled:
            names = tuple(step.label for step in run.steps)
            self.schedules.append((names, case.fails(run.state, run.local), chance))
        for name in upto.enabled:
            self.add(case, (*choices, name), chance / len(upto.enabled))
        return self

    @property
    def failing(self) -> int:
        return sum(fails for _, fails, _ in self.schedules)


@dataclass
class Searched:
    """What the exhaustive search showed of a case."""

    search: Exhaustive = field(default_factory=Exhaustive)
    interleavings: int = 0
    schedules: int = 0
    failing_schedules: int = 0
    preemptions: list[int] = field(default_factory=list)  # of failing interleavings
    switches: list[int] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    witness: tuple = ()
    chance: Fraction = Fraction(0)  # that a random walk fails
    certain: Fraction = Fraction(0)  # that it ends at all


def searched(case: Case) -> Searched:
    found = Searched()
    runs = []

    def attempt(scheduler):
        runs.append(start(case).play(scheduler))
        return runs[-1].execution()

    def seen(_key, events, execution):
        ways = linear_extensions(events)
        fails = case.fails(runs[-1].state, runs[-1].local)
        chance = walk_chance(Enabledness(events, found.search.waits, execution.waiting))
        found.certain += chance
        found.chance += chance * fails
        pairs = list(orders_of(events))
        found.interleavings += 1
        found.schedules += ways
        found.evidence.add(pairs, fails=fails)
        if fails:
            found.failing_schedules += ways
            enabledness = Enabledness(events, found.search.waits, execution.waiting)
            preemptions, _ = fewest_preemptions(enabledness)
            if not found.preemptions or preemptions < min(found.preemptions):
                found.witness = pairs
            found.preemptions.append(preemptions)
            found.switches.append(fewest_switches(events))

    found.search = Exhaustive(seen)
    assert found.search.explore(attempt) is End.EXHAUSTED
    return found


def fewest_switches(events) -> int:
    """The fewest times that another actor goes on, over all orders of an interleaving."""
    queue = [(0, 0, "")]
    while queue:
        switches, mask, last = heappop(queue)
        if mask == (1 << len(events)) - 1:
            return switches
        for at, event in enumerate(events):
            if not mask >> at & 1 and not event.before & ~mask:
                more = switches + (last not in ("", event.actor))
                heappush(queue, (more, mask | 1 << at, event.actor))
    raise AssertionError("an interleaving has an order")


def forcing_sets(every: Every, pairs: set[Order], size: int) -> Iterator[tuple[Order, ...]]:
    """By brute force: the sets of so many orders with which every schedule fails."""
    failing = sum(1 << at for at, (_, fails, _) in enumerate(every.schedules) if fails)
    agreeing = {
        (one, two): sum(
            1 << at
            for at, (names, _, _) in enumerate(every.schedules)
            if not (one in names and two in names and names.index(two) < names.index(one))
        )
        for one, two in pairs
    }
    for chosen in combinations(sorted(pairs), size):
        agree = (1 << len(every.schedules)) - 1
        for pair in chosen:
            agree &= agreeing[pair]
        if agree and not agree & ~failing:
            yield chosen


CASES = {name: getattr(classes, name) for name in EXPECTED}

FAULTLESS = {
    "stale_set", "in_flight_fill", "invalidate_first", "double_delete", "dual_write", "stampede",
    "resurrection", "negative_poisoning", "write_behind_overwrite", "cached_rmw", "fractured_read",
    "purge_misses_fill", "refresh_overwrite",
}  # fmt: skip
"""They need no fault: the flows as they are written are enough."""


@pytest.mark.parametrize("name", CASES)
def test_a_class_is_found_in_as_many_executions_as_it_has_interleavings(name):
    schedules, failing, interleavings, preemptions, switches, _, chance = EXPECTED[name]
    case = CASES[name](False, True)
    every, found = Every().add(case), searched(case)
    assert (len(every.schedules), every.failing) == (schedules, failing)
    assert (found.interleavings, found.search.blocked) == (interleavings, 0)
    assert (found.schedules, found.failing_schedules) == (schedules, failing)
    assert (min(found.preemptions), min(found.switches)) == (preemptions, switches)
    assert isclose(sum(odds for _, fails, odds in every.schedules if fails), chance / 192)
    assert (found.chance, found.certain) == (Fraction(chance, 192), 1)


def is_silent(case: Case) -> bool:
    every, found = Every().add(case), searched(case)
    assert found.schedules == len(every.schedules)
    assert found.search.blocked == 0
    return not every.failing and not found.preemptions


@pytest.mark.parametrize("name", sorted(CASES.keys() - FAULTLESS))
def test_without_its_fault_a_class_is_silent(name):
    assert is_silent(CASES[name](False, False))


@pytest.mark.parametrize("name", CASES)
def test_with_the_fix_a_class_is_silent_whatever_is_at_fault(name):
    assert is_silent(CASES[name](True, True))


DEPENDENT = {"aligned_expiry": 4}
"""Where orders of two steps that touch nothing in common would do with fewer: those are no property
of an interleaving, so they force nothing."""


@pytest.mark.parametrize("name", CASES)
def test_what_forces_a_class_is_as_small_as_can_be(name):
    case, size = CASES[name](False, True), DEPENDENT.get(name, EXPECTED[name][5])
    every, found = Every().add(case), searched(case)
    cause = find_causes(found.evidence, found.witness).sets[0]
    assert (len(cause.pairs), cause.is_fewest) == (size, True)
    chosen = tuple(sorted((first[2], second[2]) for first, second in cause.pairs))
    pairs = {(one[2], two[2]) for one, two in found.evidence.orders}
    assert chosen in set(forcing_sets(every, pairs, size))
    assert not any(set(forcing_sets(every, pairs, fewer)) for fewer in range(size))


@pytest.mark.parametrize("name", DEPENDENT)
def test_with_orders_of_independent_steps_it_would_be_as_small_as_its_depth(name):
    depth = EXPECTED[name][5]
    every = Every().add(CASES[name](False, True))
    labels = {label for names, _, _ in every.schedules for label in names}
    pairs = {
        (one, two)
        for one in labels
        for two in labels
        if one.rstrip("0123456789") != two.rstrip("0123456789")
    }
    assert set(forcing_sets(every, pairs, depth))
    assert not any(set(forcing_sets(every, pairs, fewer)) for fewer in range(depth))
