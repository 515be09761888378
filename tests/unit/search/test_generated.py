"""Hypothesis as a search: it finds, remembers per item, repeats a seed, and proves nothing."""

from contextlib import contextmanager

import pytest
from hypothesis import Phase, settings
from hypothesis.database import InMemoryExampleDatabase

from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.verdict import End
from pytest_supercache.search.generated import Generated
from pytest_supercache.search.search import SearchEnded
from tests.programs import Simulator, straight

PROGRAMS = {"reader": straight(5), "writer": straight(3)}
STALE = (*["reader"] * 3, *["writer"] * 3, *["reader"] * 2)


@contextmanager
def database(base, **more):
    """Let Hypothesis keep its examples in ``base``."""
    before = settings.get_current_profile_name()
    settings.register_profile("supercache-test", derandomize=False, database=base, **more)
    settings.load_profile("supercache-test")
    try:
        yield
    finally:
        settings.load_profile(before)


def explored(bad=lambda schedule: False, *, executions=200, item="item", seed=None, budget=None):
    simulator = Simulator(lambda: PROGRAMS)

    def attempt(scheduler):
        if budget is not None and len(simulator.runs) >= budget:
            raise SearchEnded(End.OUT_OF_BUDGET)
        run = simulator.attempt(scheduler)
        if bad(run.schedule.choices):
            raise SearchEnded(End.FOUND)
        return run

    with database(explored.database):
        try:
            end = Generated(executions, item, seed).explore(attempt)
        except SearchEnded as ended:
            end = ended.end
    return end, simulator.schedules


@pytest.fixture(autouse=True)
def _fresh_database():
    explored.database = InMemoryExampleDatabase()


def is_stale(schedule):
    return schedule == STALE


def test_it_finds_one_schedule_of_fifty_six():
    end, schedules = explored(is_stale, executions=2000, seed=1)
    assert end is End.FOUND
    assert STALE in schedules


def test_nothing_found_is_never_exhausted():
    end, schedules = explored(executions=2000, seed=1)
    assert end is End.OUT_OF_BUDGET
    assert len(schedules) > 20


def test_what_was_found_is_tried_first_in_the_next_run():
    explored(is_stale, executions=2000)
    end, schedules = explored(is_stale, executions=2000)
    assert end is End.FOUND
    assert schedules[0] == STALE


def test_two_items_do_not_share_what_was_found():
    explored(is_stale, executions=2000, item="one")
    assert len(explored.database.data) == 1
    explored(lambda schedule: schedule[0] == "writer", item="two")
    assert len(explored.database.data) == 2
    _, schedules = explored(lambda schedule: schedule[0] == "writer", item="two")
    assert schedules[0][0] == "writer"
    _, schedules = explored(is_stale, executions=2000, item="one")
    assert schedules[0] == STALE


def test_what_no_longer_fails_is_forgotten():
    explored(is_stale, executions=2000)
    assert any(explored.database.data.values())
    assert explored()[0] is End.OUT_OF_BUDGET
    assert not any(explored.database.data.values())


def test_with_a_seed_nothing_is_remembered():
    explored(is_stale, executions=2000, seed=1)
    assert not any(explored.database.data.values())


def test_the_seed_repeats_the_schedules():
    one = explored(executions=30, seed=5, item="one")
    other = explored(executions=30, seed=5, item="two")
    third = explored(executions=30, seed=6, item="three")
    assert one == other
    assert one != third


def test_what_the_budget_broke_off_is_not_kept_as_a_failure():
    explored(executions=2000, budget=3)
    assert not any(explored.database.data.values())


def test_the_budget_ends_it():
    end, schedules = explored(is_stale, executions=2000, seed=1, budget=3)
    assert end is End.OUT_OF_BUDGET
    assert len(schedules) == 3


def test_a_finding_of_the_very_last_execution_is_still_a_finding():
    _, schedules = explored(is_stale, executions=2000, seed=1)
    explored.database = InMemoryExampleDatabase()
    end, again = explored(is_stale, executions=2000, seed=1, budget=schedules.index(STALE) + 1)
    assert end is End.FOUND
    assert again[-1] == STALE


def test_an_error_of_the_code_comes_out_as_it_is():
    def attempt(scheduler):
        raise ZeroDivisionError

    with database(None), pytest.raises(ZeroDivisionError):
        Generated(10, "item", 0).explore(attempt)


def test_the_phases_of_the_profile_count():
    explored(is_stale, executions=2000)
    simulator = Simulator(lambda: PROGRAMS)

    def attempt(scheduler):
        simulator.attempt(scheduler)
        raise SearchEnded(End.OUT_OF_BUDGET)

    with database(explored.database, phases=[Phase.generate]), pytest.raises(SearchEnded):
        Generated(10, "item", None).explore(attempt)
    assert simulator.schedules[0] != STALE
    with database(explored.database, phases=[Phase.explicit]):
        assert Generated(10, "item", None).explore(attempt) is End.OUT_OF_BUDGET
    assert len(simulator.runs) == 1
    assert explored(is_stale, executions=2000)[1][0] == STALE


def test_a_schedule_to_remember_takes_the_place_of_the_one_that_was_found():
    def bad(schedule):
        return schedule[0] == "writer"

    simulator = Simulator(lambda: PROGRAMS)

    def attempt(scheduler):
        if bad(simulator.attempt(scheduler).schedule.choices):
            raise SearchEnded(End.FOUND)

    with database(explored.database):
        search = Generated(200, "item", None)
        assert search.explore(attempt) is End.FOUND
        smallest = Schedule((*["writer"] * 3, *["reader"] * 5))
        decorator = search.remember(smallest, simulator.attempt)
    assert decorator.startswith("@reproduce_failure(")
    (kept,) = explored.database.data.values()
    assert len(kept) == 1
    _, schedules = explored(bad)
    assert schedules[0] == smallest.choices
