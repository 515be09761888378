"""When a memo function stores: which steps that makes, and what a token says of them."""

import functools
import re
from dataclasses import replace

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server


def cleared(world, *, is_filled=False, is_read=True):
    """Let one call a memo function that another one clears."""
    prices = {"tea": 100}

    @functools.cache
    def price(name):
        return prices[name] if is_read else 100

    def change():
        prices["tea"] = 120
        price.cache_clear()

    if is_filled:
        price("tea")
    world.actor("reader", lambda: price("tea"))
    world.actor("writer", change)
    world.run()
    assert price("tea") == (120 if is_read else 100)


def replayed(schedule):
    return check_on(start_server("fakeredis"), cleared, Exploration(), replay=schedule)


def labels(execution, actor):
    return [step.label for step in execution.race if step.actor == actor]


def test_the_store_is_a_step_after_the_last_read():
    found = check(cleared).counterexample
    read, stored = labels(found.execution, "reader")[-2:]
    assert (read, stored) == ("read prices['tea']", "store the result in price")
    assert labels(found.execution, "writer") == ["write prices['tea']", "write price"]


def test_a_token_records_the_memo_and_replays():
    token = check(cleared).counterexample.token
    assert "@stores/price" in token
    assert replayed(read_token(token)[1]).verdict is Verdict.VIOLATED


def test_a_token_made_before_stores_were_steps_replays_without_them():
    schedule = read_token(check(cleared).counterexample.token)[1]
    shorter = replace(schedule, choices=("reader", "reader", "reader", "writer", "writer"))
    with pytest.raises(ReplayDivergedError):
        replayed(shorter)
    places = tuple(place for place in schedule.memory if place[0] != "@stores")
    assert replayed(replace(shorter, memory=places)).violating == 0


def schedules(**options):
    result = check(lambda world: cleared(world, **options), search="exhaustive")
    assert result.verdict is Verdict.HOLDS, result.reasons
    return int(re.search(r"all (\d+) schedules", result.coverage)[1])


def test_a_hit_stores_nothing():
    assert schedules(is_filled=True) == 3, "one step among the two of the writer"


def test_a_function_that_reads_nothing_shared_ends_where_it_began():
    assert schedules(is_read=False) == 3, "look and store among one clearing"
