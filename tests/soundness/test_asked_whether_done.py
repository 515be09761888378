"""A task is asked whether it has ended, between the effect of its command and the reply."""

import asyncio

import pytest

from tests.soundness.truth import broken, right, systems_of

NOT_YET = "the key is set, and the reply has not come: the task has not ended, and its work is done"
ENDED = "a task that has ended has got its reply, so the key is set"


async def _storing(world, ask):
    cache = world.existing_cache.aclient(decode_responses=True)

    async def store():
        storing = asyncio.create_task(cache.set("k", "1"))
        await cache.get("other")
        await ask(storing, cache)
        await storing

    world.actor("storing", store)
    await world.run()


@broken(NOT_YET)
async def a_task_that_has_not_ended_has_done_nothing(world):
    async def ask(storing, cache):
        if not storing.done():
            assert await cache.get("k") is None or storing.done()

    await _storing(world, ask)


@right(ENDED)
async def a_task_that_has_ended_has_stored(world):
    async def ask(storing, cache):
        if storing.done():
            assert await cache.get("k") == "1"

    await _storing(world, ask)


@broken(NOT_YET + ", seen by another user")
async def a_task_of_another_user_is_asked(world):
    cache = world.existing_cache.aclient(decode_responses=True)
    tasks = []

    async def store():
        tasks.append(asyncio.create_task(cache.set("k", "1")))
        await tasks[0]

    async def look():
        if await cache.get("k") == "1":
            assert tasks[0].done()

    world.actor("storing", store)
    world.actor("looking", look)
    await world.run()


@right(ENDED + ", for every actor that asks")
async def a_task_of_another_user_is_asked_first(world):
    cache = world.existing_cache.aclient(decode_responses=True)
    tasks = []

    async def store():
        tasks.append(asyncio.create_task(cache.set("k", "1")))
        await tasks[0]

    async def look():
        if tasks and tasks[0].done():
            assert await cache.get("k") == "1"

    world.actor("storing", store)
    world.actor("looking", look)
    await world.run()


@broken("the second of two hedged reads may answer first")
async def the_first_of_two_reads_is_the_one_that_was_asked_first(world):
    await _hedged(world, lambda ended, first: ended == {first})


@right("one of the two has answered, whichever it is")
async def one_of_two_reads_answers_first(world):
    await _hedged(world, lambda ended, _first: len(ended) >= 1)


async def _hedged(world, is_as_expected):
    cache = world.existing_cache.aclient()

    async def read():
        first, second = (asyncio.create_task(cache.get(key)) for key in ("k", "replica"))
        ended, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(first, second)
        assert is_as_expected(ended, first)

    world.actor("reader", read)
    await world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
