"""Sets of tasks and futures: some code takes their order for another one, and some needs none."""

import asyncio
import concurrent.futures
import contextlib
from functools import partial

import pytest

from tests.soundness.truth import broken, right, systems_of

NO_ORDER = "a set of them has the order of their addresses, which is another one in every process"
BY_QUESTION = "a list of them has the order in which they were asked for"


async def _asked_at_once(world, page, *, keys="ab"):
    cache = world.existing_cache.aclient()
    await cache.mset({key: number for number, key in enumerate(keys)})
    world.actor("page", page, [lambda key=key: cache.get(key) for key in keys])
    answer = (await world.run())["page"]
    assert [int(value) for value in answer] == list(range(len(keys)))


async def _of_tasks(questions, *, in_order_of_set):
    tasks = [asyncio.create_task(question()) for question in questions]
    done, _ = await asyncio.wait(tasks)
    return [task.result() for task in (done if in_order_of_set else tasks)]


@broken(NO_ORDER)
async def the_tasks_that_are_done(world):
    await _asked_at_once(world, partial(_of_tasks, in_order_of_set=True))


@right(BY_QUESTION)
async def the_tasks_that_were_asked_for(world):
    await _asked_at_once(world, partial(_of_tasks, in_order_of_set=False))


async def _as_they_come(questions, *, sorts):
    answers = [await each for each in asyncio.as_completed([ask() for ask in questions])]
    return sorted(answers) if sorts else answers


@broken("the second answer may come first")
async def answers_as_they_come(world):
    await _asked_at_once(world, partial(_as_they_come, sorts=False))


@right("whatever comes first, they are sorted")
async def answers_as_they_come_and_sorted(world):
    await _asked_at_once(world, partial(_as_they_come, sorts=True))


async def _with_a_step_for_each_that_is_cancelled(world, *, counts):
    cache, ended = world.existing_cache.aclient(), []

    async def wait_long(number):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    async def page():
        tasks = {asyncio.create_task(wait_long(number)) for number in range(2)}
        await cache.get("x")
        for task in tasks:
            task.cancel()
            await cache.incr("cancelled")
        await asyncio.wait(tasks)

    world.actor("page", page)
    await world.run()
    assert len(ended) == 2 if counts else ended == [0, 1]


@broken(NO_ORDER)
async def tasks_that_are_cancelled_in_order(world):
    await _with_a_step_for_each_that_is_cancelled(world, counts=False)


@right("both are cancelled, in whichever order")
async def tasks_that_are_cancelled(world):
    await _with_a_step_for_each_that_is_cancelled(world, counts=True)


def _of_a_pool(world, *, in_order_of_set):
    cache = world.existing_cache.client()
    cache.mset({"a": 0, "b": 1})

    def page():
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(cache.get, key) for key in "ab"]
            done, _ = concurrent.futures.wait(futures)
            answers = [int(future.result()) for future in done]
            return answers if in_order_of_set else [int(each.result()) for each in futures]

    world.actor("page", page)
    assert world.run()["page"] == [0, 1]


@broken(NO_ORDER)
def the_futures_that_are_done(world):
    _of_a_pool(world, in_order_of_set=True)


@right(BY_QUESTION)
def the_futures_that_were_asked_for(world):
    _of_a_pool(world, in_order_of_set=False)


async def _one_in_the_place_of_several(world, expected):
    async def page():
        alone = asyncio.sleep(0)
        try:
            with contextlib.suppress(expected):
                list(asyncio.as_completed(alone))
        finally:
            alone.close()

    world.actor("page", page)
    await world.run()


@broken("nobody expects the TypeError of asyncio")
async def one_coroutine_in_the_place_of_several(world):
    await _one_in_the_place_of_several(world, ValueError)


@right("asyncio refuses a coroutine that is alone")
async def one_coroutine_that_is_refused(world):
    await _one_in_the_place_of_several(world, TypeError)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
