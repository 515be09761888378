"""Hypothesis as a search: it finds, remembers per item, repeats a seed, and proves nothing."""

from contextlib import contextmanager

import pytest
from hypothesis import settings
from hypothesis.database import InMemoryExampleDatabase

from pytest_supercache.core.verdict import End
from pytest_supercache.search.generated import Generated
from pytest_supercache.search.search import SearchEnded
from tests.programs import Simulator, straight

PROGRAMS = {"reader": straight(5), "writer": straight(3)}
STALE = (*["reader"] * 3, *["writer"] * 3, *["reader"] * 2)


@contextmanager
def database(base):
    """Let Hypothesis keep its examples in ``base``."""
    before = settings.get_current_profile_name()
    settings.register_profile("supercache-test", derandomize=False, database=base)
    settings.load_profile("supercache-test")
    try:
        yield
    finally:
        settings.load_profile(before)


def explored(bad=lambda schedule: False, *, executions=200, key=b"item", seed=None, budget=None):
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
            end = Generated(executions, key, seed).explore(attempt)
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
    explored(is_stale, executions=2000, key=b"one")
    assert len(explored.database.data) == 1
    explored(lambda schedule: schedule[0] == "writer", key=b"two")
    assert len(explored.database.data) == 2
    _, schedules = explored(lambda schedule: schedule[0] == "writer", key=b"two")
    assert schedules[0][0] == "writer"
    _, schedules = explored(is_stale, executions=2000, key=b"one")
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
    one = explored(executions=30, seed=5, key=b"one")
    other = explored(executions=30, seed=5, key=b"two")
    third = explored(executions=30, seed=6, key=b"three")
    assert one == other
    assert one != third


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
        Generated(10, b"item", 0).explore(attempt)
