"""Threads and coroutines that start, signal and call each other, and touch one dict beside that."""

import asyncio
import concurrent.futures
import contextvars
import functools
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

BETWEEN = "the loop takes the callback before the thread stores"
STORED = "the thread stores before it hands over"
BEFORE = "the thread looks before the coroutine stores"
READY = "the coroutine stores before it lets the thread go on"
UNTRIED = "call_soon_threadsafe"


async def _told_by_a_thread(world, act):
    """A coroutine waits for an event of its loop, and looks at what the thread has stored."""
    told, stored, loop = asyncio.Event(), {"k": None}, asyncio.get_running_loop()

    async def look():
        await told.wait()
        return stored["k"]

    world.actor("thread", act, lambda: loop.call_soon_threadsafe(told.set), stored)
    world.actor("coroutine", look)
    assert (await world.run())["coroutine"] == 1


@broken(BETWEEN)
async def a_thread_that_hands_over_and_then_stores(world):
    def act(tell, stored):
        tell()
        stored["k"] = 1

    await _told_by_a_thread(world, act)


@right(STORED)
async def a_thread_that_stores_and_then_hands_over(world):
    def act(tell, stored):
        stored["k"] = 1
        tell()

    await _told_by_a_thread(world, act)


async def _looked_at_by_a_callback(world, act):
    """The callback itself looks at what the thread has stored."""
    stored, loop = {"k": None}, asyncio.get_running_loop()
    seen = loop.create_future()

    async def wait():
        return await seen

    def look():
        seen.set_result(stored["k"])

    world.actor("thread", act, lambda: loop.call_soon_threadsafe(look), stored)
    world.actor("coroutine", wait)
    assert (await world.run())["coroutine"] == 1


@broken(BETWEEN)
async def a_callback_that_looks_too_early(world):
    def act(tell, stored):
        tell()
        stored["k"] = 1

    await _looked_at_by_a_callback(world, act)


@right(STORED)
async def a_callback_that_looks_in_time(world):
    def act(tell, stored):
        stored["k"] = 1
        tell()

    await _looked_at_by_a_callback(world, act)


async def _signalled(world, act):
    """A thread waits for an event of threading, which a coroutine sets."""
    ready, stored = threading.Event(), {"k": None}

    async def signal():
        act(ready, stored)

    def look():
        ready.wait()
        return stored["k"]

    world.actor("coroutine", signal)
    world.actor("thread", look)
    assert (await world.run())["thread"] == 1


@broken(BEFORE, unknown=UNTRIED)
async def a_coroutine_that_signals_and_then_stores(world):
    def act(ready, stored):
        ready.set()
        stored["k"] = 1

    await _signalled(world, act)


@right(READY)
async def a_coroutine_that_stores_and_then_signals(world):
    def act(ready, stored):
        stored["k"] = 1
        ready.set()

    await _signalled(world, act)


async def _given_to_a_thread(world, act):
    stored = {"k": None}

    async def flow():
        loop = asyncio.get_running_loop()
        return await act(lambda: loop.run_in_executor(None, lambda: stored["k"]), stored)

    world.actor("coroutine", flow)
    assert (await world.run())["coroutine"] == 1


@broken(BEFORE, unknown=UNTRIED)
async def a_coroutine_that_starts_a_job_and_then_stores(world):
    async def act(start, stored):
        job = start()
        stored["k"] = 1
        return await job

    await _given_to_a_thread(world, act)


@right(READY)
async def a_coroutine_that_stores_and_then_starts_a_job(world):
    async def act(start, stored):
        stored["k"] = 1
        return await start()

    await _given_to_a_thread(world, act)


def _asked_by_a_job(world, act):
    stored = {}
    world.actor("user", act, stored)
    assert world.run()["user"] == 1


@broken("the job looks before the user stores")
def a_method_of_c_as_a_job_before_a_store(world):
    def act(stored):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            job = pool.submit(stored.get, "k")
            stored["k"] = 1
            return job.result()

    _asked_by_a_job(world, act)


@right("the user stores before there is a job")
def a_method_of_c_as_a_job_after_a_store(world):
    def act(stored):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stored["k"] = 1
            return pool.submit(stored.get, "k").result()

    _asked_by_a_job(world, act)


async def _appended_by_a_callback(world, look):
    rows = []

    async def work():
        task = asyncio.create_task(asyncio.sleep(0.01))
        task.add_done_callback(rows.append)
        await task

    world.actor("coroutine", work)
    world.actor("thread", look, rows)
    assert (await world.run())["thread"]


@broken("the loop appends between the two looks")
async def a_method_of_c_as_a_callback_of_a_task(world):
    await _appended_by_a_callback(world, lambda rows: len(rows) == len(rows))


@right("there is one look")
async def a_method_of_c_as_a_callback_beside_one_look(world):
    await _appended_by_a_callback(world, lambda rows: len(rows) in (0, 1))


async def _updated_by_a_partial(world, look):
    stored = {"k": 0, "l": 0}
    move = functools.partial(stored.update, {"k": 1, "l": 1})

    async def work():
        asyncio.get_running_loop().call_soon(move)
        await asyncio.sleep(0.01)

    world.actor("coroutine", work)
    world.actor("thread", look, stored)
    assert (await world.run())["thread"]


@broken("the loop updates the dict between the two looks")
async def a_partial_of_a_method_of_c_as_a_callback(world):
    await _updated_by_a_partial(world, lambda stored: stored["k"] == stored["l"])


@right("there is one look")
async def a_partial_of_a_method_of_c_as_a_callback_beside_one_look(world):
    await _updated_by_a_partial(world, lambda stored: stored["k"] in (0, 1))


async def _in_a_context_that_is_entered(world, *, keeps):
    """asyncio lets code hand over the context that it runs in."""
    tried, context = contextvars.ContextVar("tried", default=0), contextvars.copy_context()
    found = []

    async def task():
        found.append(tried.get())

    async def flow():
        def start():
            tried.set(1)
            return asyncio.get_running_loop().create_task(task(), context=context)

        await context.run(start)
        if not keeps:
            found.clear()

    world.actor("flow", flow)
    await world.run()
    assert found == [1]


@right("the task runs in the context in which the variable was set")
async def a_task_in_a_context_that_is_entered(world):
    await _in_a_context_that_is_entered(world, keeps=True)


@broken("the flow forgets what the task has found")
async def a_task_in_a_context_that_is_entered_and_forgotten(world):
    await _in_a_context_that_is_entered(world, keeps=False)


async def _locked_in_a_callback(world, lock):
    """A callback of a coroutine that sleeps takes a lock of threading."""
    stored = {"a": 0, "b": 0}

    def move():
        with lock:
            stored["b"] = 1
            stored["a"] = 1

    async def flow():
        asyncio.get_running_loop().call_soon(move)
        await asyncio.sleep(0.01)

    world.actor("coroutine", flow)


@right("the lock is the callback's alone")
async def a_callback_that_takes_a_lock_while_its_coroutine_sleeps(world):
    await _locked_in_a_callback(world, threading.Lock())
    world.actor("thread", int)
    await world.run()


@right("both hold the lock", unknown="wait with an await")
async def a_callback_that_takes_a_lock_of_a_thread_while_its_coroutine_sleeps(world):
    lock = threading.Lock()
    await _locked_in_a_callback(world, lock)

    def hold():
        with lock:
            world.existing_cache.client().get("k")

    world.actor("thread", hold)
    await world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
