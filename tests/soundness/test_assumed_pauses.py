"""What production promises about pauses covers what a user has started: jobs, tasks of tasks."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_supercache import Assume
from tests.soundness.truth import broken, right, systems_of

NOBODY_PAUSES = Assume(pause=0.5)


def _beside(world, load):
    redis = world.existing_cache.client()
    world.actor("reader", load)
    world.actor("writer", redis.set, "k", "new")
    world.run()


def _load_in_a_pool(world, job):
    with ThreadPoolExecutor(2) as pool:
        _beside(world, lambda: pool.submit(job).result(60))


@right("nobody pauses for a minute", assume=NOBODY_PAUSES)
def a_job_waited_for_a_minute(world):
    redis = world.existing_cache.client()
    _load_in_a_pool(world, lambda: redis.get("k"))


@broken("the job may begin after a minute, and nothing is promised")
def a_job_waited_for_a_minute_without_a_promise(world):
    redis = world.existing_cache.client()
    _load_in_a_pool(world, lambda: redis.get("k"))


@broken("the job itself sleeps for longer than that", assume=NOBODY_PAUSES)
def a_job_that_sleeps_for_longer_than_it_is_waited_for(world):
    _load_in_a_pool(world, lambda: time.sleep(90))  # noqa: TID251 - what code under test does


@right("nobody pauses for a minute", assume=NOBODY_PAUSES)
def a_thread_joined_for_a_minute(world):
    redis, seen = world.existing_cache.client(decode_responses=True), []
    redis.set("k", "old")

    def load():
        thread = threading.Thread(target=lambda: seen.append(redis.get("k")))
        thread.start()
        thread.join(60)
        if thread.is_alive():
            raise TimeoutError

    _beside(world, load)
    assert seen[0] in {"old", "new"}


async def _nested(world, load):
    redis = world.existing_cache.aclient()

    async def outer():
        return await asyncio.wait_for(load(redis), 60)

    async def read():
        await redis.get("x")
        await asyncio.wait_for(outer(), 60)

    world.actor("reader", read)
    world.actor("writer", redis.set, "k", "new")
    await world.run()


@right("nobody pauses for a minute", assume=NOBODY_PAUSES)
async def a_task_of_a_task_waited_for_a_minute(world):
    await _nested(world, lambda redis: redis.get("k"))


@broken("the inner task sleeps for longer", assume=NOBODY_PAUSES)
async def a_task_of_a_task_that_sleeps_for_longer(world):
    await _nested(world, lambda _redis: asyncio.sleep(90))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
