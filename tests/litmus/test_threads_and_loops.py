"""Threads under an event loop: pools and workers that coroutines hand work to."""

import asyncio
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_supercache import Verdict, check


def handed_over(work):
    """A coroutine that hands a read to another thread, while a second one writes."""
    answers = set()

    async def body(world):
        blocking, client = world.existing_cache.client(), world.existing_cache.aclient()
        ask = work(blocking)

        async def bob():
            await client.set("x", "new")

        world.actor("alice", ask)
        world.actor("bob", bob)
        answers.add((await world.run()).get("alice"))

    return body, answers


def in_a_pool(client):
    async def ask():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            return await loop.run_in_executor(pool, client.get, "x")

    return ask


def by_a_worker(client, answers=True):
    jobs = queue.Queue()

    def work():
        while True:
            loop, future = jobs.get()
            value = client.get("x")
            if answers:
                loop.call_soon_threadsafe(future.set_result, value)

    threading.Thread(target=work, daemon=True).start()

    async def ask():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        jobs.put((loop, future))
        return await future

    return ask


@pytest.mark.parametrize("work", [in_a_pool, by_a_worker])
def test_what_a_thread_does_for_a_coroutine_is_raced_and_comes_back(work):
    body, answers = handed_over(work)
    result = check(body)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert answers == {None, b"new"}


def test_a_worker_that_never_answers_its_coroutine_is_found():
    body, _ = handed_over(lambda client: by_a_worker(client, answers=False))
    result = check(body)
    assert result.verdict is Verdict.VIOLATED
    assert "alice waits at 'await test_threads_and_loops.py" in (
        result.counterexample.violation.summary
    )
