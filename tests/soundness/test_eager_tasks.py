"""Tasks that run before they are known: eager ones, and those that code makes by itself."""

import asyncio
import sys

import pytest

from tests.soundness.truth import broken, right, systems_of

MEET = "both find the list empty, and wait before they fill it"
NOT_CONTROLLED = "asyncio.create_task"


async def _filled_once(world, start, fill):
    filled = []

    async def flow():
        await asyncio.gather(*(start(asyncio.get_running_loop(), fill(filled)) for _ in range(2)))

    world.actor("flow", flow)
    await world.run()
    assert filled == [1]


async def _after_a_wait(filled):
    if not filled:
        await asyncio.sleep(0.01)
        filled.append(1)


async def _before_a_wait(filled):
    if not filled:
        filled.append(1)
        await asyncio.sleep(0.01)


def _by_itself(loop, coroutine):
    return asyncio.Task(coroutine, loop=loop)


@broken(MEET, unknown=NOT_CONTROLLED)
async def tasks_that_code_makes_by_itself(world):
    await _filled_once(world, _by_itself, _after_a_wait)


@right("no task waits between its look and its entry", unknown=NOT_CONTROLLED)
async def tasks_that_code_makes_by_itself_and_that_do_not_wait(world):
    await _filled_once(world, _by_itself, _before_a_wait)


if sys.version_info >= (3, 12):

    def _eager(loop, coroutine):
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop.create_task(coroutine)

    @broken(MEET)
    async def eager_tasks_that_wait_before_the_entry(world):
        await _filled_once(world, _eager, _after_a_wait)

    @right("the first has filled the list before the second begins")
    async def eager_tasks_that_wait_after_the_entry(world):
        await _filled_once(world, _eager, _before_a_wait)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
