"""All-schedules: every schedule once, fewest preemptions first, and nothing else is EXHAUSTED."""

from math import factorial, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.verdict import End
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.search import SearchEnded
from tests.programs import Move, Simulator, acquire, every_run, release, straight


def explored(programs, **options):
    simulator = Simulator(lambda: programs)
    assert AllSchedules(**options).explore(simulator.attempt) is End.EXHAUSTED
    return simulator


def merges(*lengths):
    return factorial(sum(lengths)) // prod(map(factorial, lengths))


@pytest.mark.parametrize(
    "lengths", [(1,), (5,), (1, 1), (2, 3), (4, 4), (1, 6), (2, 2, 2), (1, 2, 3), (1, 1, 1, 1)]
)
def test_straight_programs_take_as_many_runs_as_they_have_merges(lengths):
    programs = {f"actor{at}": straight(length) for at, length in enumerate(lengths)}
    schedules = explored(programs).schedules
    assert len(schedules) == merges(*lengths)
    assert len(set(schedules)) == len(schedules)


def test_no_actor_at_all_is_one_empty_schedule():
    assert explored({}).schedules == [()]


def test_schedules_come_in_the_order_of_their_preemptions():
    preemptions = [run.preemptions for run in explored({"a": straight(3), "b": straight(3)}).runs]
    assert preemptions == sorted(preemptions)
    assert preemptions[0] == 0
    assert preemptions[-1] == 4


GUARDS = st.lists(
    st.sampled_from(
        [
            Move("free"),
            Move("set", effect=lambda state: state.update(flag=True)),
            Move("wait", guard=lambda state: state.get("flag", False)),
            Move("clear", effect=lambda state: state.update(flag=False)),
            Move("count", effect=lambda state: state.update(n=state.get("n", 0) + 1)),
            Move("wait for two", guard=lambda state: state.get("n", 0) >= 2),
        ]
    ),
    max_size=3,
)


@given(st.lists(GUARDS, min_size=1, max_size=3))
def test_with_any_guards_it_is_what_brute_force_enumerates(lists):
    programs = {f"actor{at}": moves for at, moves in enumerate(lists)}
    expected = [run.schedule.choices for run, _ in every_run(lambda: programs)]
    assert sorted(explored(programs).schedules) == sorted(expected)


@given(st.data())
def test_the_first_violation_has_the_fewest_preemptions(data):
    programs = {"a": straight(3), "b": straight(2), "c": straight(1)}
    runs = [run for run, _ in every_run(lambda: programs)]
    bad = set(data.draw(st.lists(st.sampled_from([r.schedule.choices for r in runs]), min_size=1)))
    simulator = Simulator(lambda: programs)

    def attempt(scheduler):
        run = simulator.attempt(scheduler)
        if run.schedule.choices in bad:
            raise SearchEnded(End.FOUND)
        return run

    search = AllSchedules()
    with pytest.raises(SearchEnded):
        search.explore(attempt)
    fewest = min(run.preemptions for run in runs if run.schedule.choices in bad)
    assert simulator.runs[-1].preemptions == fewest
    assert search.level == fewest


def critical(actor):
    return [acquire("lock", actor), release("lock")]


def test_three_critical_sections_have_the_six_orders_and_exclude_each_other():
    simulator = explored({name: critical(name) for name in "abc"})
    holders = {tuple(s.actor for s in run.steps if "acquire" in s.label) for run in simulator.runs}
    assert len(holders) == 6
    assert len(simulator.runs) == 6
    for run in simulator.runs:
        assert [step.label for step in run.steps] == ["acquire lock", "release lock"] * 3


def test_a_deadlock_is_an_end_like_any_other():
    programs = {
        "one": [acquire("a", "one"), acquire("b", "one"), release("b"), release("a")],
        "two": [acquire("b", "two"), acquire("a", "two"), release("a"), release("b")],
    }
    runs = explored(programs).runs
    dead = [run for run in runs if run.blocked]
    assert {run.schedule.choices for run in dead} == {("one", "two"), ("two", "one")}
    assert len(runs) > len(dead)
    same_order = explored({"one": programs["one"], "two": programs["one"]})
    assert not any(run.blocked for run in same_order.runs)


@pytest.mark.parametrize(("most", "end"), [(0, End.OUT_OF_BUDGET), (3, End.OUT_OF_BUDGET)])
def test_a_bound_on_preemptions_never_exhausts(most, end):
    programs = {"a": straight(3), "b": straight(3)}
    simulator = Simulator(lambda: programs)
    search = AllSchedules(preemptions_max=most)
    assert search.explore(simulator.attempt) is end
    expected = [r.schedule.choices for r, _ in every_run(lambda: programs) if r.preemptions <= most]
    assert sorted(simulator.schedules) == sorted(expected)
    assert search.level == most + 1


def test_a_bound_that_no_schedule_reaches_changes_nothing():
    assert len(explored({"a": straight(3), "b": straight(3)}, preemptions_max=4).runs) == 20


def changing(*versions):
    """Make programs that are another version in each run; the last one stays."""
    left = list(versions)
    return Simulator(lambda: left.pop(0) if len(left) > 1 else left[0])


PROGRAMS = {"a": straight(2), "b": straight(2)}


@pytest.mark.parametrize(
    "later",
    [
        {"a": straight(2, "other"), "b": straight(2)},  # other labels
        {"a": [Move("step 0", footprint=Footprint(frozenset({"x"})))] * 2, "b": straight(2)},
        {"a": straight(2), "b": straight(2), "c": straight(1)},  # somebody else may go on
        {"a": straight(2)},  # somebody is missing
        {"a": straight(1), "b": straight(2)},
        {"a": [], "b": []},  # nobody may ever go on
    ],
)
def test_code_that_changes_between_runs_is_not_deterministic(later):
    simulator = changing(PROGRAMS, later)
    with pytest.raises(NotDeterministicError):
        AllSchedules().explore(simulator.attempt)


def test_a_run_that_ends_before_its_prefix_does_is_not_taken_for_a_schedule():
    alone = {"a": straight(1), "b": straight(1)}
    simulator = changing(alone, {"a": [], "b": []})
    with pytest.raises(NotDeterministicError, match="nobody may go on"):
        AllSchedules().explore(simulator.attempt)


def test_only_the_values_may_change_between_runs():
    count = iter(range(1000))
    simulator = Simulator(
        lambda: {"a": [Move("x", effect=lambda state: state.update(n=next(count)))] * 2,
                 "b": straight(2)}
    )  # fmt: skip
    assert AllSchedules().explore(simulator.attempt) is End.EXHAUSTED
    assert len(simulator.runs) == 6
