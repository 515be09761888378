"""Counting schedules: from one run, by traces, and never a number that is not known."""

import threading
from dataclasses import replace

import pytest

from pytest_supercache import check
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.trace import Pending
from pytest_supercache.search.counting import (
    TreeSize,
    merges,
    merges_of,
    schedules_like,
)
from tests.programs import Simulator, straight


@pytest.mark.parametrize(
    ("counts", "number"), [((), 1), ((5,), 1), ((2, 2), 6), ((1, 2, 3), 60), ((4,) * 3, 34_650)]
)
def test_merges_of_straight_programs(counts, number):
    assert merges(counts) == number
    run = Simulator(lambda: {f"a{at}": straight(n) for at, n in enumerate(counts)})
    execution = run.attempt(type("First", (), {"choose": lambda _, c: c.enabled[0]})())
    assert schedules_like(execution) == merges_of(execution) == number


def locked(world):
    lock = threading.Lock()
    client = world.existing_cache.client()

    def flow():
        with lock:
            client.get("k")
        client.get("k")

    for name in "ab":
        world.actor(name, flow)
    world.run()


def announced(world):
    event = threading.Event()
    client = world.existing_cache.client()
    world.actor("a", lambda: (client.get("k"), event.wait(), client.get("k")))
    world.actor("b", lambda: (client.get("k"), event.set(), client.get("k")))
    world.run()


def entered(world):
    semaphore = threading.Semaphore(2)

    def flow():
        with semaphore:
            pass

    for name in "abc":
        world.actor(name, flow)
    world.run()


def unguarded(world):
    client = world.existing_cache.client()
    for name in "abc":
        world.actor(name, lambda: (client.get("k"), client.get("k")))
    world.run()


@pytest.mark.parametrize("body", [locked, announced, entered, unguarded])
def test_the_number_of_schedules_of_real_code_is_known_from_its_first_run(body):
    everything = check(body, search="all-schedules")
    assert everything.exhausted
    cut_off = check(body, search="all-schedules", executions=2)
    ways = f"the steps of the first run can be ordered in {everything.schedules:,} ways;"
    assert ways.strip(";") + ". " in cut_off.reasons[0]


def tried(world):
    lock = threading.Lock()
    world.actor("a", lambda: lock.acquire(blocking=False) and lock.release())
    world.actor("b", lambda: lock.acquire(blocking=False) and lock.release())
    world.run()


def conditional(world):
    seen = []
    world.actor("a", lambda: world.wait_until(lambda: bool(seen), reads="x"))
    world.actor("b", lambda: (world.step("w", writes="x"), seen.append(1), world.step("z")))
    world.run()


@pytest.mark.parametrize("body", [tried, conditional])
def test_code_whose_steps_depend_on_the_schedule_has_only_an_upper_bound(body):
    assert "ways at most" in check(body, search="all-schedules", executions=2).reasons[0]


def test_what_a_run_does_not_show_is_not_counted():
    execution = Simulator(lambda: {"a": straight(2), "b": straight(1)}).attempt(
        type("First", (), {"choose": lambda _, c: c.enabled[0]})()
    )
    assert schedules_like(execution) == 3
    blocked = (Pending("c", "acquire", NOTHING, enabled=False),)
    assert schedules_like(replace(execution, blocked=blocked)) is None
    assert schedules_like(replace(execution, complete=False)) is None


def test_an_estimate_is_the_mean_of_its_walks_with_its_error():
    size = TreeSize()
    assert (size.mean, size.error) == (None, None)
    size.add(4.0)
    assert (size.mean, size.error) == (4.0, None)
    size.add(8.0)
    assert (size.mean, size.error) == (6.0, pytest.approx(2.0))


def test_an_estimate_that_cannot_be_written_down_is_none():
    size = TreeSize()
    for _ in range(2):
        size.add(1e300)
    assert (size.mean, size.error) == (None, None)
