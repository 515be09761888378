"""Coroutines that hand things over: events, conditions, queues, groups, cancelled work."""

import asyncio
import threading
from contextlib import suppress

import pytest

from tests.soundness.truth import broken, right, systems_of


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _consumed(world, *, in_a_loop):
    far, items, condition = _far(world), [], asyncio.Condition()

    async def consume():
        async with condition:
            if in_a_loop:
                while not items:
                    await condition.wait()
            elif not items:
                await condition.wait()
            items.pop()

    async def produce():
        for _ in range(2):
            await far.get("x")
            async with condition:
                items.append("item")
                condition.notify_all()

    for name, flow in (("p", produce), ("c", consume), ("d", consume)):
        world.actor(name, flow)
    await world.run()


@broken("both wait, one item wakes both, and the second finds the list empty")
async def a_condition_that_is_looked_at_once(world):
    await _consumed(world, in_a_loop=False)


@right("the woken task checks the condition again, and there are two items")
async def a_condition_that_is_looked_at_in_a_loop(world):
    await _consumed(world, in_a_loop=True)


async def _filled(world, *, is_set_last):
    far, near, ready = _far(world), {}, asyncio.Event()

    async def fill():
        if not is_set_last:
            ready.set()
        near["k"] = await far.get("k")
        if is_set_last:
            ready.set()

    async def use():
        await ready.wait()
        assert "k" in near

    world.actor("filler", fill)
    world.actor("user", use)
    await world.run()


@broken("the event says ready before the value is there")
async def an_event_that_is_set_too_early(world):
    await _filled(world, is_set_last=False)


@right("the event is set after the store")
async def an_event_that_is_set_after_the_store(world):
    await _filled(world, is_set_last=True)


async def _missed(world, *, is_cleared):
    far, news = _far(world), asyncio.Event()

    async def tell():
        await far.set("k", "new")
        news.set()

    async def hear():
        await far.get("x")
        if is_cleared:
            news.clear()
        await news.wait()

    world.actor("teller", tell)
    world.actor("hearer", hear)
    await world.run()


@broken("the news are told before the hearer clears the event, and nobody sets it again")
async def an_event_that_is_cleared_by_who_waits(world):
    await _missed(world, is_cleared=True)


@right("nobody clears the event")
async def an_event_that_stays_set(world):
    await _missed(world, is_cleared=False)


async def _worked_off(world, *, workers):
    far, jobs = _far(world), asyncio.Queue()
    for value in ("first", "second"):
        jobs.put_nowait(value)

    async def work():
        while not jobs.empty():
            value = jobs.get_nowait()
            await far.set("last", value)

    for number in range(workers):
        world.actor(f"w{number}", work)
    await world.run()
    assert await far.get("last") == "second"


@broken("one worker takes the first job, another does the second before the first is done")
async def two_workers_of_one_queue(world):
    await _worked_off(world, workers=2)


@right("one worker takes the jobs one after the other")
async def one_worker_of_a_queue(world):
    await _worked_off(world, workers=1)


async def _shut_down(world, *, waits):
    far, jobs = _far(world), asyncio.Queue()

    async def work():
        while True:
            key = await jobs.get()
            await far.set(key, "done")
            jobs.task_done()

    async def serve():
        worker = asyncio.create_task(work())
        jobs.put_nowait("k")
        await far.get("x")
        if waits:
            await jobs.join()
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker

    world.actor("server", serve)
    await world.run()
    assert await far.get("k") == "done"


@broken("the worker is cancelled while it stands before its SET")
async def a_worker_cancelled_with_jobs_left(world):
    await _shut_down(world, waits=False)


@right("join returns when every job is done")
async def a_worker_cancelled_when_the_queue_is_done(world):
    await _shut_down(world, waits=True)


async def _counted(world, count):
    far = _far(world)
    total = {"n": 0}

    async def serve():
        await count(far, total)
        assert total["n"] == 2

    world.actor("server", serve)
    await world.run()


async def _add_across(far, total):
    seen = total["n"]
    await far.get("x")
    total["n"] = seen + 1


async def _add_after(far, total):
    await far.get("x")
    total["n"] += 1


@broken("both children read 0 before either writes 1")
async def children_of_gather_that_count_across_an_await(world):
    async def count(far, total):
        await asyncio.gather(_add_across(far, total), _add_across(far, total))

    await _counted(world, count)


@right("each child reads and writes in one turn")
async def children_of_gather_that_count_after_the_await(world):
    async def count(far, total):
        await asyncio.gather(_add_after(far, total), _add_after(far, total))

    await _counted(world, count)


@broken("both children read 0 before either writes 1")
async def children_of_a_group_that_count_across_an_await(world):
    async def count(far, total):
        async with asyncio.TaskGroup() as group:
            group.create_task(_add_across(far, total))
            group.create_task(_add_across(far, total))

    await _counted(world, count)


@right("the group has ended the first child before the second begins")
async def a_group_for_each_child(world):
    async def count(far, total):
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                group.create_task(_add_across(far, total))

    await _counted(world, count)


async def _cancelled(world, *, cleans_up):
    far, busy = _far(world), set()

    async def update():
        busy.add("k")
        if not cleans_up:
            await far.set("k", "new")
            busy.discard("k")
            return
        try:
            await far.set("k", "new")
        finally:
            busy.discard("k")

    async def serve():
        task = asyncio.create_task(update())
        await far.get("x")
        task.cancel()
        await asyncio.wait([task])

    world.actor("server", serve)
    await world.run()
    assert not busy


@broken("the task is cancelled at its SET, so the key stays busy for ever")
async def a_cancelled_update_leaves_its_mark(world):
    await _cancelled(world, cleans_up=False)


@right("finally takes the mark away, whatever happens")
async def a_cancelled_update_takes_its_mark_away(world):
    await _cancelled(world, cleans_up=True)


async def _held(world, lock):
    far = _far(world)

    async def threaded():
        with lock:
            await far.get("x")

    async def awaited():
        async with lock:
            await far.get("x")

    flow = awaited if isinstance(lock, asyncio.Lock) else threaded
    world.actor("a", flow)
    world.actor("b", flow)
    await world.run()


@broken("b blocks the thread of the loop at the lock that a holds across its await")
async def a_lock_for_threads_held_across_an_await(world):
    await _held(world, threading.Lock())


@right("b waits on the loop, so a goes on")
async def a_lock_for_coroutines_held_across_an_await(world):
    await _held(world, asyncio.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
