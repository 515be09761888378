"""PCT keeps its promise, uniform is uniform, and a seed repeats every run byte for byte."""

import random
from collections import Counter
from hashlib import sha256
from itertools import islice
from math import sqrt

import pytest

from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.pct import DEPTHS, MissBound, Pct, Priorities, hit_bound
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.sampler import sampler
from pytest_supercache.search.search import SearchEnded
from pytest_supercache.search.uniform import Uniform
from tests.programs import Move, Simulator, acquire, every_run, release, straight

RUNS = 10_000


def order(scheduler, lengths, waits=lambda _name, _taken: False):
    """Run straight programs; return the choices. Much quicker than a recorded run."""
    taken, left, last = [], dict(lengths), None
    while enabled := tuple(n for n, steps in left.items() if steps and not waits(n, taken)):
        last = scheduler.choose(Choices(enabled, last, len(taken)))
        taken.append(last)
        left[last] -= 1
    return tuple(taken)


def position(taken, name, number):
    """Say when an actor took its n-th step."""
    return next(islice((at for at, n in enumerate(taken) if n == name), number, None))


def starved(taken):
    """Depth 1: the last actor begins before the first one has done its first step."""
    return position(taken, "c", 0) < position(taken, "a", 0)


def torn(taken):
    """Depth 2: all of b, which waits for c, between two neighbouring steps of a."""
    return position(taken, "a", 3) < position(taken, "b", 0) and (
        position(taken, "b", 1) < position(taken, "a", 4)
    )


def shuttled(taken):
    """Depth 3: a's first step, then b's, then a's second, then b's."""
    a, b = ([position(taken, name, n) for n in range(2)] for name in "ab")
    return a[0] < b[0] < a[1] < b[1]


def b_waits_for_c(name, taken):
    return name == "b" and "c" not in taken


@pytest.mark.parametrize(
    ("depth", "lengths", "bad", "waits"),
    [
        (1, {"a": 4, "b": 4, "c": 4}, starved, None),
        (2, {"a": 8, "b": 2, "c": 2}, torn, None),
        (2, {"a": 8, "b": 2, "c": 2}, torn, b_waits_for_c),
        (3, {"a": 3, "b": 2, "c": 3}, shuttled, None),
    ],
)
def test_pct_meets_a_violation_at_least_as_often_as_promised(depth, lengths, bad, waits):
    options = {} if waits is None else {"waits": waits}
    source = random.Random(depth)
    steps = sum(lengths.values())

    def hits(tried):
        return sum(
            bad(order(Priorities(random.Random(source.getrandbits(64)), tried, steps), lengths,
                      **options))
            for _ in range(RUNS)
        )  # fmt: skip

    chance = hit_bound(len(lengths), steps, depth)
    least = RUNS * chance - 3 * sqrt(RUNS * chance * (1 - chance))
    assert hits(depth) >= least
    if depth > 1:  # the twin: with a change less it cannot happen often enough
        assert hits(depth - 1) < least


def explored(search, runs, programs):
    simulator = Simulator(lambda: programs)

    def attempt(scheduler):
        if len(simulator.runs) == runs:
            raise SearchEnded(End.OUT_OF_BUDGET)
        return simulator.attempt(scheduler)

    with pytest.raises(SearchEnded):
        search.explore(attempt)
    return simulator.schedules


PROGRAMS = {"a": straight(3), "b": straight(2), "c": straight(1)}
FIRST = tuple("aaabbc")
NAMES = ["pct", "random", "uniform"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_tries_the_same_schedules_in_the_same_order(name):
    def tried(seed, runs):
        return explored(sampler(name, seed, FIRST), runs, PROGRAMS)

    assert tried(7, 40) == tried(7, 60)[:40]
    assert tried(7, 40) != tried(8, 40)


@pytest.mark.parametrize(
    ("name", "digest"),
    [("pct", "d33b5730bad8"), ("random", "7c506036b36b"), ("uniform", "f65468899034")],
)
def test_a_seed_means_the_same_schedules_on_every_machine_and_python(name, digest):
    schedules = explored(sampler(name, 3, FIRST), 50, PROGRAMS)
    text = "\n".join("".join(schedule) for schedule in schedules)
    assert sha256(text.encode()).hexdigest()[:12] == digest


def chi_square(schedules, possible):
    expected = len(schedules) / possible
    counted = Counter(schedules).values()
    missing = (possible - len(counted)) * expected
    return missing + sum((count - expected) ** 2 / expected for count in counted)


def test_uniform_draws_every_schedule_as_often_and_random_does_not():
    limit = 59 + 4 * sqrt(2 * 59)  # 60 schedules: 59 degrees of freedom, four deviations above
    assert chi_square(explored(Uniform(1, FIRST), 6_000, PROGRAMS), 60) < limit
    assert chi_square(explored(RandomWalk(1), 6_000, PROGRAMS), 60) > 2 * limit


def test_uniform_learns_how_long_programs_are():
    """What the first run showed is wrong; the average over runs soon is not."""
    programs = {"a": straight(8), "b": straight(2)}
    schedules = explored(Uniform(1, ("a", "b", "b")), 3_000, programs)
    late = Counter(schedules[500:])
    assert len(late) == 45
    assert max(late.values()) < 2 * min(late.values())


def guarded(name):
    return [Move("before"), acquire("lock", name), release("lock")]


@pytest.mark.parametrize("programs", [PROGRAMS, {name: guarded(name) for name in "abc"}])
def test_walks_estimate_the_number_of_schedules(programs):
    number = sum(1 for _ in every_run(lambda: programs))
    first = tuple(name for name, moves in programs.items() for _ in moves)
    for name in NAMES:
        search = sampler(name, 5, first)
        explored(search, 2_000, programs)
        assert search.size.schedules.mean == pytest.approx(
            number, abs=max(3 * search.size.schedules.error, 1e-6)
        )
        assert search.size.schedules.error < number / 10
    exact = Uniform(5, FIRST)
    explored(exact, 20, PROGRAMS)
    assert exact.size.schedules.mean == pytest.approx(60)


def test_the_bound_counts_only_runs_that_knew_how_long_a_run_can_be():
    search = Pct(0, ("a", "b"))  # the real programs take six steps
    explored(search, 100, PROGRAMS)
    assert (search.bound.actors, search.bound.steps) == (3, 6)
    assert 0 < sum(search.bound.runs.values()) < 89
    informed = Pct(0, FIRST)
    explored(informed, 90, PROGRAMS)
    assert informed.bound == MissBound(actors=3, steps=6, runs=dict.fromkeys(DEPTHS, 40))


def test_the_miss_bound_is_the_one_of_the_paper():
    # Of theory: 164 runs of depth 2, or 1,988 of depth 3, for 1 % at three actors and 12 steps.
    def missed(depth, runs):
        return MissBound(actors=3, steps=12, runs={depth: runs}).missed(depth)

    assert missed(2, 164) <= 0.01 < missed(2, 163)
    assert missed(3, 1_988) <= 0.01 < missed(3, 1_987)
    both = MissBound(actors=3, steps=12, runs={2: 100, 3: 100})
    assert both.missed(3) == missed(3, 100)  # depth 2 says nothing about depth 3
    assert both.missed(2) == pytest.approx(missed(2, 100) * missed(3, 100))
    assert MissBound(actors=2, steps=5, runs={2: 0, 3: 0}).missed(2) == 1
