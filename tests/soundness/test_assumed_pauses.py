"""What production promises about pauses covers operations from their first line on.

And what a user has started: jobs, tasks of tasks.
"""

import asyncio
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

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


def _sleep(seconds):
    time.sleep(seconds)  # noqa: TID251 - what code under test does


def _timed(world, wait):
    """Let a user wait for 1 s before its first step, beside one that sleeps for 2 s."""
    redis = world.existing_cache.client()

    def work():
        begun = time.monotonic()
        wait()
        redis.incr("n")
        return time.monotonic() - begun

    world.actor("alice", work)
    world.actor("bob", _sleep, 2)
    assert world.run()["alice"] < 1.6


def _get_in_vain():
    with suppress(queue.Empty):
        queue.Queue().get(timeout=1)


def _join_a_sleeper():
    thread = threading.Thread(target=_sleep, args=(1,))
    thread.start()
    thread.join()


@right("it sleeps for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
def a_sleep_before_the_first_step(world):
    _timed(world, lambda: _sleep(1))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
def a_sleep_before_the_first_step_and_long_pauses(world):
    _timed(world, lambda: _sleep(1))


@right("it waits for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
def an_event_waited_for_before_the_first_step(world):
    _timed(world, lambda: threading.Event().wait(1))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
def an_event_waited_for_before_the_first_step_and_long_pauses(world):
    _timed(world, lambda: threading.Event().wait(1))


@right("it waits for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
def a_queue_waited_for_before_the_first_step(world):
    _timed(world, _get_in_vain)


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
def a_queue_waited_for_before_the_first_step_and_long_pauses(world):
    _timed(world, _get_in_vain)


@right("the thread sleeps for 1 s, and nobody pauses", assume=NOBODY_PAUSES)
def a_thread_joined_before_the_first_step(world):
    _timed(world, _join_a_sleeper)


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
def a_thread_joined_before_the_first_step_and_long_pauses(world):
    _timed(world, _join_a_sleeper)


async def _timed_on_a_loop(world, wait):
    redis = world.existing_cache.aclient()

    async def work():
        begun = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            await wait()
        await redis.incr("n")
        return asyncio.get_running_loop().time() - begun

    world.actor("alice", work)
    world.actor("bob", asyncio.sleep, 2)
    assert (await world.run())["alice"] < 1.6


async def _wait_within_a_limit():
    async with asyncio.timeout(1):
        await asyncio.Event().wait()


@right("it sleeps for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
async def a_sleep_of_a_coroutine_before_the_first_step(world):
    await _timed_on_a_loop(world, lambda: asyncio.sleep(1))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
async def a_sleep_of_a_coroutine_before_the_first_step_and_long_pauses(world):
    await _timed_on_a_loop(world, lambda: asyncio.sleep(1))


@right("it waits for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
async def a_wait_with_a_timeout_before_the_first_step(world):
    await _timed_on_a_loop(world, lambda: asyncio.wait_for(asyncio.Event().wait(), 1))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
async def a_wait_with_a_timeout_before_the_first_step_and_long_pauses(world):
    await _timed_on_a_loop(world, lambda: asyncio.wait_for(asyncio.Event().wait(), 1))


@right("it waits for 1 s and pauses for less than 0.5 s", assume=NOBODY_PAUSES)
async def a_limit_before_the_first_step(world):
    await _timed_on_a_loop(world, _wait_within_a_limit)


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
async def a_limit_before_the_first_step_and_long_pauses(world):
    await _timed_on_a_loop(world, _wait_within_a_limit)


@right("the task sleeps for 1 s, and nobody pauses", assume=NOBODY_PAUSES)
async def a_task_awaited_before_the_first_step(world):
    await _timed_on_a_loop(world, lambda: asyncio.create_task(asyncio.sleep(1)))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
async def a_task_awaited_before_the_first_step_and_long_pauses(world):
    await _timed_on_a_loop(world, lambda: asyncio.create_task(asyncio.sleep(1)))


@right("the thread sleeps for 1 s, and nobody pauses", assume=NOBODY_PAUSES)
async def a_job_awaited_before_the_first_step(world):
    await _timed_on_a_loop(world, lambda: asyncio.to_thread(_sleep, 1))


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
async def a_job_awaited_before_the_first_step_and_long_pauses(world):
    await _timed_on_a_loop(world, lambda: asyncio.to_thread(_sleep, 1))


class _Napping:
    """A system whose operations take a while."""

    def __init__(self, redis, seconds):
        self._redis, self._seconds, self.took = redis, seconds, []

    def get(self, key):
        begun = time.monotonic()
        _sleep(self._seconds)
        answer = self._redis.get(key)
        self.took.append(time.monotonic() - begun)
        return answer


def _nap_twice(world, seconds):
    system = _Napping(world.existing_cache.client(), seconds)

    def work():
        user = world.user("alice", system)
        user.read("k")
        user.read("k")

    world.actor("alice", work)
    world.actor("bob", _sleep, 3)
    world.run()
    return max(system.took)


@right("the second operation pauses no longer than the first", assume=NOBODY_PAUSES)
def a_second_operation_that_begins_with_a_sleep(world):
    assert _nap_twice(world, 1) < 1.6


@broken("it may pause for 1 s", assume=Assume(pause=1.5))
def a_second_operation_that_begins_with_a_sleep_and_long_pauses(world):
    assert _nap_twice(world, 1) < 1.6


def _read(world, *, twice):
    """Read what another user writes after 2 s."""
    redis, seen = world.existing_cache.client(decode_responses=True), []
    redis.set("k", "old")

    def work():
        for _ in range(1 + twice):
            with world.operation("read", "k"):
                seen.append(redis.get("k"))

    def write():
        _sleep(2)
        redis.set("k", "new")

    world.actor("alice", work)
    world.actor("bob", write)
    world.run()
    return seen


@broken("a user may begin the second operation later: that is no pause", assume=NOBODY_PAUSES)
def a_second_operation_that_begins_later(world):
    first, second = _read(world, twice=True)
    assert first == second


@right("nobody writes another value", assume=NOBODY_PAUSES)
def a_second_operation_that_begins_later_and_reads_either(world):
    assert set(_read(world, twice=True)) <= {"old", "new"}


@broken("a user may begin later: that is no pause", assume=NOBODY_PAUSES)
def an_operation_that_begins_later(world):
    assert _read(world, twice=False) == ["old"]


@right("nobody writes another value", assume=NOBODY_PAUSES)
def an_operation_that_begins_later_and_reads_either(world):
    assert set(_read(world, twice=False)) <= {"old", "new"}


async def _kept_alive(world, seconds):
    """Let a task of the process prolong a lease of 0.5 s."""
    redis = world.existing_cache.aclient()
    await redis.set("alive", 1, px=500)

    async def beat():
        while True:
            await asyncio.sleep(seconds)
            await redis.set("alive", 1, px=500)

    task = asyncio.create_task(beat())

    async def work():
        await asyncio.sleep(0.6)
        return await redis.get("alive")

    world.actor("alice", work)
    assert (await world.run())["alice"]
    task.cancel()


@right("0.3 s and a pause of less than 0.2 s are within the lease", assume=Assume(pause=0.2))
async def a_lease_that_a_task_of_the_process_prolongs(world):
    await _kept_alive(world, 0.3)


@broken("the task may pause for 0.2 s", assume=NOBODY_PAUSES)
async def a_lease_that_a_task_of_the_process_prolongs_and_long_pauses(world):
    await _kept_alive(world, 0.3)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
