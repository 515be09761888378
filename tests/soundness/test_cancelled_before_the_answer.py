"""A task is cancelled after its command took effect and before the reply, whoever cancels it."""

import asyncio
from contextlib import suppress

import pytest

from tests.soundness.truth import broken, right, systems_of


async def _counted(world, cancelled, *, first=None, answer="not counted"):
    """Let alice count under ``cancelled``, which may cancel her, and answer what came of it."""
    redis = world.existing_cache.aclient(decode_responses=True)

    async def alice():
        if first is not None:
            await first(redis)
        try:
            return await cancelled(redis.incr("n"))
        except (TimeoutError, asyncio.CancelledError):
            return answer

    world.actor("alice", alice)
    answers = await world.run()
    assert answers["alice"] != "not counted" or await redis.get("n") is None


async def _in_time(counting):
    async with asyncio.timeout(1):
        return await counting


async def _waited_for(counting):
    return await asyncio.wait_for(counting, 1)


async def _first_of_two(counting):
    tasks = [asyncio.ensure_future(counting), asyncio.ensure_future(asyncio.sleep(1, "slow"))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(tasks)
    return "not counted" if tasks[0].cancelled() else done.pop().result()


async def _beside_one_that_fails(counting):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError

    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(counting)
            group.create_task(fail())
    return "not counted" if task.cancelled() else task.result()


async def _looked(redis):
    await redis.get("profile")


@broken("the time is up between INCR and its reply")
async def a_timeout_before_the_reply(world):
    await _counted(world, _in_time)


@broken("the time is up between INCR and its reply, after another command")
async def a_timeout_before_a_later_reply(world):
    await _counted(world, _in_time, first=_looked)


@right("nothing is promised after a timeout")
async def a_timeout_that_promises_nothing(world):
    await _counted(world, _in_time, first=_looked, answer="perhaps")


@broken("the time is up between INCR and its reply, after another command")
async def waited_for_before_a_later_reply(world):
    await _counted(world, _waited_for, first=_looked)


@broken("the loser of two is cancelled between INCR and its reply")
async def the_loser_of_two(world):
    await _counted(world, _first_of_two)


@right("nothing is promised of the loser")
async def the_loser_that_promises_nothing(world):
    await _counted(world, lambda counting: _perhaps(_first_of_two(counting)))


async def _perhaps(answer):
    return await answer and "perhaps"


@broken("the task that fails cancels the other between INCR and its reply")
async def beside_one_that_fails(world):
    await _counted(world, _beside_one_that_fails)


async def _cancelled_by_bob(world, promise, *, in_child):
    redis, running = world.existing_cache.aclient(decode_responses=True), []

    async def count():
        running.append(asyncio.current_task())
        try:
            await redis.incr("n")
        except asyncio.CancelledError:
            return promise

    async def alice():
        return await (asyncio.ensure_future(count()) if in_child else count())

    async def bob():
        for task in running:
            task.cancel()

    world.actor("alice", alice)
    world.actor("bob", bob)
    answers = await world.run()
    assert answers["alice"] != "not counted" or await redis.get("n") is None


@broken("bob cancels alice between INCR and its reply")
async def cancelled_by_another_user(world):
    await _cancelled_by_bob(world, "not counted", in_child=False)


@broken("bob cancels a task of alice between INCR and its reply")
async def a_child_cancelled_by_another_user(world):
    await _cancelled_by_bob(world, "not counted", in_child=True)


@right("nothing is promised by a task that is cancelled")
async def a_child_that_promises_nothing(world):
    await _cancelled_by_bob(world, "perhaps", in_child=True)


@broken("the lock is taken, the reply comes too late, and nobody gives it back")
async def a_lock_whose_reply_comes_too_late(world):
    redis = world.existing_cache.aclient(decode_responses=True)

    async def alice():
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                if await redis.set("lock", "alice", nx=True):
                    await redis.delete("lock")

    world.actor("alice", alice)
    await world.run()
    assert await redis.get("lock") is None


@right("it is given back whether the reply came or not")
async def a_lock_that_is_given_back(world):
    redis = world.existing_cache.aclient(decode_responses=True)

    async def alice():
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await redis.set("lock", "alice", nx=True)
        finally:
            await redis.delete("lock")

    world.actor("alice", alice)
    await world.run()
    assert await redis.get("lock") is None


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
