"""With ``ticks=0`` time passes only when nobody can go on, also where users take turns."""

import asyncio
import queue
import threading
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from tests.soundness.truth import broken, right, systems_of

IN_TIME = "the clock does not pass a user who could go on"
TOO_SHORT = "the timeout comes before the other user wakes up"


def _told_by_another_user(world, timeout):
    told = threading.Event()

    def tell():
        sleep(1)
        told.set()

    def wait():
        sleep(0.5)
        assert told.wait(timeout)

    world.actor("tells", tell)
    world.actor("waits", wait)
    world.run()


@right(IN_TIME, ticks=0)
def a_timeout_that_is_long_enough(world):
    _told_by_another_user(world, timeout=100)


@broken(TOO_SHORT, ticks=0)
def a_timeout_that_is_too_short(world):
    _told_by_another_user(world, timeout=0.25)


def _given_by_another_user(world, timeout):
    jobs = queue.Queue()
    world.actor("takes", lambda: (jobs.get(timeout=100), jobs.get(timeout=timeout)))
    world.actor("first", lambda: (sleep(1), jobs.put(1)))
    world.actor("second", lambda: (sleep(2), jobs.put(2)))
    world.run()


@right(IN_TIME, ticks=0)
def two_timeouts_in_turn_that_are_long_enough(world):
    _given_by_another_user(world, timeout=100)


@broken("the second job comes a second after the first", ticks=0)
def two_timeouts_in_turn_of_which_one_is_too_short(world):
    _given_by_another_user(world, timeout=0.5)


async def _awaited_from_another_user(world, timeout):
    told = asyncio.Event()

    async def tell():
        await asyncio.sleep(1)
        told.set()

    async def wait():
        await asyncio.sleep(0.5)
        await asyncio.wait_for(told.wait(), timeout)

    world.actor("tells", tell)
    world.actor("waits", wait)
    await world.run()


@right(IN_TIME, ticks=0)
async def a_timeout_of_a_coroutine_that_is_long_enough(world):
    await _awaited_from_another_user(world, timeout=100)


@broken(TOO_SHORT, ticks=0)
async def a_timeout_of_a_coroutine_that_is_too_short(world):
    await _awaited_from_another_user(world, timeout=0.25)


def _seen_after(world, seconds):
    cache = world.existing_cache.client()

    def look():
        sleep(seconds)
        assert cache.get("k") is not None

    world.actor("looks", look)
    world.actor("stores", cache.set, "k", 1)
    world.run()


@right("the other user has stored it long before", ticks=0)
def a_look_after_a_while(world):
    _seen_after(world, seconds=100)


@broken("the other user is slower than that", ticks=1)
def a_look_after_a_while_beside_a_slow_user(world):
    _seen_after(world, seconds=100)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
