"""What a thread hands to an event loop before it ends: the loop takes it before the end."""

import asyncio
import concurrent.futures
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

IN_ORDER = "a loop takes what threads hand over in the order in which it came, and then the end"
NOT_YET = "the loop has not taken the callback when the job, which did not hand it over, is over"


async def _seen_after(world, job):
    """Await a job on a thread, which is given a function that hands an entry to the loop."""
    seen: list[int] = []

    async def flow():
        loop = asyncio.get_running_loop()
        await job(loop, lambda: loop.call_soon_threadsafe(seen.append, 1))
        return len(seen)

    world.actor("flow", flow)
    assert (await world.run())["flow"] == 1


def _on_another_thread(act):
    threading.Thread(target=act).start()


@right(IN_ORDER)
async def a_callback_of_to_thread(world):
    await _seen_after(world, lambda _, add: asyncio.to_thread(add))


@broken(NOT_YET)
async def a_callback_of_a_thread_that_to_thread_starts(world):
    await _seen_after(world, lambda _, add: asyncio.to_thread(_on_another_thread, add))


@right(IN_ORDER)
async def a_callback_of_a_job_in_a_pool(world):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    await _seen_after(world, lambda loop, add: loop.run_in_executor(pool, add))


@broken("only the other job is awaited")
async def a_callback_of_another_job_in_a_pool(world):
    pool = concurrent.futures.ThreadPoolExecutor(2)

    async def both(loop, add):
        loop.run_in_executor(pool, add)
        await loop.run_in_executor(pool, int)

    await _seen_after(world, both)


async def _coroutine_seen_after(world, pauses):
    seen = []

    async def add():
        for _ in range(pauses):
            await asyncio.sleep(0)
        seen.append(1)

    async def flow():
        loop = asyncio.get_running_loop()

        def hand_over():
            asyncio.run_coroutine_threadsafe(add(), loop)

        await asyncio.to_thread(hand_over)
        return len(seen)

    world.actor("flow", flow)
    assert (await world.run())["flow"] == 1


@right("its task is made before the job ends, and runs before the flow is woken")
async def a_coroutine_that_a_job_hands_over(world):
    await _coroutine_seen_after(world, pauses=0)


@broken("its task waits a few turns of the loop, and the flow is woken meanwhile")
async def a_coroutine_with_pauses_that_a_job_hands_over(world):
    await _coroutine_seen_after(world, pauses=3)


async def _jobs_of_a_pool_that_closes(world, give):
    async def flow():
        rows = []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            await give(asyncio.get_running_loop(), pool, lambda: rows.append(1))
        return len(rows)

    world.actor("flow", flow)
    assert (await world.run())["flow"] == 1


@right("the job is awaited before the pool closes")
async def a_pool_that_closes_after_its_job(world):
    await _jobs_of_a_pool_that_closes(world, lambda loop, *job: loop.run_in_executor(*job))


@right("closing the pool waits for the job", unknown="wait with an await")
async def a_pool_that_waits_for_its_job_when_it_closes(world):
    async def give(loop, pool, job):
        loop.run_in_executor(pool, job)

    await _jobs_of_a_pool_that_closes(world, give)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
