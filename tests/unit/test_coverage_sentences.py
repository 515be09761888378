"""What the sentences about coverage count."""

import re
from dataclasses import replace
from random import Random

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.coverage import why_unfinished
from pytest_supercache.checking.runner import Runner
from pytest_supercache.core.settings import Exploration
from pytest_supercache.search.estimate import Estimate
from pytest_supercache.search.pct import Priorities, hit_bound
from pytest_supercache.search.sampler import sampler
from tests.programs import Simulator, straight


def _straight(*lengths):
    def body(world):
        for name, length in zip("abc", lengths, strict=False):
            cache = world.existing_cache.client()
            world.actor(name, lambda n=length, c=cache: [c.incr("k") for _ in range(n)])
        world.run()

    return body


def test_a_budget_that_ran_out_is_set_against_the_number_of_orders():
    result = check(_straight(5, 5), search="uniform", executions=9)
    assert result.verdict is Verdict.UNKNOWN
    assert (
        "about 252 schedules, which make about 252 interleavings (estimated by 9 random walks)"
        in result.reasons[0]
    )
    assert "252 ways" in check(_straight(5, 5), search="all-schedules", executions=9).reasons[0]
    assert "252" in check(_straight(5, 5)).coverage


def test_one_schedule_is_not_called_schedules():
    result = check(_straight(3, 3), executions=1)
    assert result.coverage.startswith("1 schedule was executed")


@pytest.mark.parametrize(
    ("budget", "ran_out", "advice"),
    [
        ({"executions": 200}, "the budget of 200 executions ran out", "--supercache-executions"),
        ({"time": 2.0}, "the budget of 2 s ran out", "--supercache-time"),
    ],
)
def test_auto_on_a_flow_too_large_says_what_was_missed_how_much_there_is_and_what_to_do(
    budget, ran_out, advice, monkeypatch
):
    monkeypatch.setattr(Runner, "seconds", lambda self: self.executions / 100)
    result = check(_straight(5, 5, 5), **budget)
    assert (result.verdict, result.exhausted, result.schedules) == (
        Verdict.UNKNOWN,
        False,
        None,
    )
    (reason,) = result.reasons
    assert reason.startswith(ran_out)
    assert advice in reason
    done = f"{result.executions:,} of at most {budget.get('executions', 20_000):,} executions"
    assert done in reason
    assert f"of at most {budget.get('time', 120):g} s were used" in reason
    # 15! / 5!^3, and as many interleavings, because every step is about the same key
    assert "about 756,756 schedules, which make about 756,756 interleavings" in reason
    found = re.search(
        r"([0-9]+) runs of PCT .*: 3 actors, at most 15 steps.* miss a violation", reason
    )
    assert found
    assert 0 < int(found[1]) < result.executions
    stated = re.findall(r"one that needs ([23]) orderings .*? at most ([0-9.]+)", reason)
    assert [depth for depth, _ in stated] == ["2", "3"]
    for depth, missed in stated:  # at least what all runs together could do, at most nothing
        assert (1 - hit_bound(3, 15, int(depth))) ** int(found[1]) <= float(missed.rstrip(".")) <= 1


def _partly_shared(world):
    """Two users whose last steps meet: 70 schedules, 6 interleavings."""
    for name in "ab":
        cache = world.existing_cache.client()
        keys = [f"{name}1", f"{name}2", "k", "k"]
        world.actor(name, lambda c=cache, keys=keys: [c.incr(key) for key in keys])
    world.run()


def test_the_number_of_interleavings_is_estimated_when_a_search_stops_early():
    exact = check(_partly_shared)
    assert (exact.executions, exact.schedules) == (6, 70)
    reason = check(_partly_shared, search="random", executions=400).reasons[0]
    found = re.search(
        r"about (\d+) \+- (\d+) schedules, which make about (\d+)(?: \+- (\d+))? inter", reason
    )
    assert found, reason
    schedules, error, interleavings, spread = (int(number or 0) for number in found.groups())
    assert abs(schedules - 70) <= 3 * error
    assert abs(interleavings - 6) <= 3 * spread + 1


def test_what_cannot_be_counted_is_not_estimated():
    size = Estimate()
    simulator = Simulator(lambda: {"a": straight(2), "b": straight(2)})
    execution = simulator.attempt(Priorities(Random(0), 2, 4))
    size.add(execution, 6.0)
    assert size.interleavings.walks == 1
    size.add(replace(execution, complete=False), 6.0)
    assert size.interleavings is None
    assert size.schedules.walks == 2


@pytest.mark.parametrize(("lengths", "number"), [((3, 3), 20), ((3, 6), 84)])
def test_auto_on_a_flow_that_just_fits_draws_nothing_and_holds(lengths, number):
    result = check(_straight(*lengths), executions=number)
    assert (result.verdict, result.schedules) == (Verdict.HOLDS, number)
    assert "PCT" not in result.coverage


def test_a_bound_is_never_rounded_down():
    search = sampler("pct", 0, ("a", "b"))
    simulator = Simulator(lambda: {"a": straight(1), "b": straight(1)})

    def attempt(scheduler):
        if len(simulator.runs) == 4:
            raise StopIteration
        return simulator.attempt(scheduler)

    with pytest.raises(StopIteration):
        search.explore(attempt)
    why = why_unfinished(4, 1.0, Exploration(search="pct"), simulator.runs[0], search)
    # A uniform walk, two runs of depth 2, one of depth 3: (3/4)^2 7/8 = 0.4922 and 7/8 = 0.875.
    assert "one that needs 2 orderings with probability at most 0.5," in why
    assert "one that needs 3 orderings with probability at most 0.88." in why


def test_what_random_schedules_say_about_the_rest_is_three_in_n():
    reason = check(_straight(5, 5), search="random", executions=100).reasons[0]
    assert "at most 0.03 of schedules drawn this way fail" in reason
    assert "nothing about production" in reason
    assert "PCT" not in reason


def test_a_number_too_large_for_a_float_is_still_told():
    reason = check(_straight(170, 170, 170), search="all-schedules", executions=1).reasons[0]
    assert "can be ordered in 3.5e240 ways" in reason


@pytest.mark.parametrize(
    ("different", "told"),
    [
        ((1, 1), "about 252 schedules, which make about 1 interleavings (estimated by 9"),
        ((300, 260), "at least 300 schedules, which make at least 260 interleavings (estimated by"),
    ],
)
def test_an_estimate_is_never_below_what_was_executed(different, told):
    simulator = Simulator(lambda: {"a": straight(5), "b": straight(5)})
    first = simulator.attempt(Priorities(Random(0), 2, 10))
    search = sampler("uniform", 0, first.schedule.choices)

    def attempt(scheduler):
        if len(simulator.runs) == 10:
            raise StopIteration
        return simulator.attempt(scheduler)

    with pytest.raises(StopIteration):
        search.explore(attempt)
    settings = Exploration(search="uniform")
    assert told in why_unfinished(9, 1.0, settings, first, search, different=different)


def test_an_estimate_of_more_interleavings_than_schedules_is_not_told():
    """They come from other numbers of walks, and there cannot be more."""
    simulator = Simulator(lambda: {"a": straight(5), "b": straight(5)})
    first = simulator.attempt(Priorities(Random(0), 2, 10))
    size = Estimate()
    for _ in range(2):
        size.add(first, 252.0)
    size.interleavings.add(900.0)
    search = sampler("uniform", 0, first.schedule.choices)
    search.size = size
    told = why_unfinished(9, 1.0, Exploration(search="uniform"), first, search, different=(1, 1))
    assert "about 252 schedules (estimated by 2 random walks)" in told


def test_schedules_that_were_drawn_again_are_counted_once():
    reason = check(_straight(2, 2), search="uniform", executions=50).reasons[0]
    assert "50 of at most 50 executions" in reason
    assert "there are about 6 schedules, which make about 6 interleavings" in reason


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        (0.01, "one process would probably execute them all in less than an hour"),
        (3600 / 252, "2 processes would probably execute them all in an hour"),
        (1e9, None),
    ],
)
def test_the_estimate_says_how_many_processes_would_do_in_an_hour(pace, told):
    """Each interleaving is executed twice: there are 252 of them, with as many schedules."""
    simulator = Simulator(lambda: {"a": straight(5), "b": straight(5)})
    first = simulator.attempt(Priorities(Random(0), 2, 10))
    search = sampler("uniform", 0, first.schedule.choices)
    search.size = size = Estimate()
    for _ in range(9):
        size.schedules.add(252.0)
        size.interleavings.add(252.0)
    settings = Exploration(search="uniform")
    reason = why_unfinished(9, 9 * pace, settings, first, search)
    assert told in reason if told else "processes" not in reason
    divided = why_unfinished(9, 0.0, settings, first, search, elsewhere=9 * pace)
    assert divided.split("; ")[2:] == reason.split("; ")[2:]
    for _ in range(3):
        size.interleavings.add(90_000.0)  # now nobody knows
    assert "process" not in why_unfinished(
        9, 9 * pace, Exploration(search="uniform"), first, search
    )
