"""Threads that share memory while coroutines beside them meet at something of asyncio's."""

import asyncio
import threading
from contextlib import nullcontext

import anyio.to_thread
import pytest

from tests.soundness.truth import broken, right, systems_of


class Hits:
    """Counts in a plain attribute."""

    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1


async def _beside(world, meet, *, in_threads):
    hits = Hits()

    async def serve():
        await meet()
        if in_threads:
            await asyncio.to_thread(hits.add)
        else:
            await asyncio.to_thread(len, "")
            hits.add()

    world.actor("a", serve)
    world.actor("b", serve)
    await world.run()
    assert hits.n == 2


def _at_a_lock():
    lock = asyncio.Lock()

    async def meet():
        async with lock:
            pass

    return meet


def _at_an_event():
    event = asyncio.Event()

    async def meet():
        event.set()

    return meet


def _nowhere():
    async def meet():
        pass

    return meet


LOST = "both threads read the same number before either writes it back"
LOOP = "the loop counts, in one turn, after each thread has ended"


@broken(LOST)
async def threads_count_and_nothing_is_beside(world):
    await _beside(world, _nowhere(), in_threads=True)


@right(LOOP)
async def the_loop_counts_and_nothing_is_beside(world):
    await _beside(world, _nowhere(), in_threads=False)


@broken(LOST + "; the lock was let go before")
async def threads_count_beside_a_lock(world):
    await _beside(world, _at_a_lock(), in_threads=True)


@right(LOOP)
async def the_loop_counts_beside_a_lock(world):
    await _beside(world, _at_a_lock(), in_threads=False)


@broken(LOST + "; the event is set and stops nobody")
async def threads_count_beside_an_event(world):
    await _beside(world, _at_an_event(), in_threads=True)


@right(LOOP)
async def the_loop_counts_beside_an_event(world):
    await _beside(world, _at_an_event(), in_threads=False)


async def _in_the_executor(world, *, in_threads):
    hits = Hits()

    async def serve():
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, hits.add if in_threads else hits.__init__)
        if not in_threads:
            hits.n = 1

    world.actor("a", serve)
    world.actor("b", serve)
    await world.run()
    assert hits.n == (2 if in_threads else 1)


@broken(LOST)
async def threads_of_the_executor_count(world):
    await _in_the_executor(world, in_threads=True)


async def _dropped(world, *, is_looked_up, in_a_thread):
    far, near = world.existing_cache.aclient(), {"k": "v"}

    async def by_loop():
        await far.get("x")
        if not is_looked_up:
            near.pop("k", None)
        elif "k" in near:
            del near["k"]

    async def by_thread():
        await asyncio.to_thread(near.pop, "k", None)

    def thread():
        near.pop("k", None)

    world.actor("a", by_loop)
    world.actor("b", thread if in_a_thread else by_thread)
    await world.run()
    assert not near


@broken(
    "the thread takes the entry between the coroutine's look and its del: a KeyError",
    unknown="call_soon_threadsafe",
)
async def a_look_and_a_del_beside_a_worker_thread(world):
    await _dropped(world, is_looked_up=True, in_a_thread=False)


@broken(
    "the thread takes the entry between the coroutine's look and its del: a KeyError",
    unknown="call_soon_threadsafe",
)
async def a_look_and_a_del_beside_a_thread_of_anyio(world):
    near, far = {"k": 1}, world.existing_cache.aclient(decode_responses=True)

    async def by_loop():
        await far.get("x")
        near.pop("k", None)

    async def by_thread():
        await anyio.to_thread.run_sync(near.pop, "k", None)

    world.actor("a", by_loop)
    world.actor("b", by_thread)
    await world.run()


@right("pop with a default is one operation")
async def a_pop_beside_a_worker_thread(world):
    await _dropped(world, is_looked_up=False, in_a_thread=False)


@broken(
    "the thread takes the entry between the coroutine's look and its del: a KeyError",
    unknown="call_soon_threadsafe",
)
async def a_look_and_a_del_beside_a_thread(world):
    await _dropped(world, is_looked_up=True, in_a_thread=True)


@right("pop with a default is one operation")
async def a_pop_beside_a_thread(world):
    await _dropped(world, is_looked_up=False, in_a_thread=True)


async def _stored(world, *, lock):
    far, hits = world.existing_cache.aclient(), Hits()

    def reset():
        with lock:
            hits.n = 10

    async def count():
        await far.get("x")
        with lock:
            hits.n += 1

    async def serve():
        await asyncio.to_thread(reset)

    world.actor("counter", count)
    world.actor("resetter", serve)
    await world.run()
    assert hits.n in (10, 11)


@broken(
    "the coroutine reads 0, the thread stores 10, the coroutine stores 1",
    unknown="call_soon_threadsafe",
)
async def a_coroutine_counts_while_a_thread_resets(world):
    await _stored(world, lock=nullcontext())


@right(
    "both take a lock for threads, which nobody holds across an await",
    unknown="by asyncio.to_thread",
)
async def a_coroutine_counts_under_a_lock_while_a_thread_resets(world):
    await _stored(world, lock=threading.Lock())


async def _sent_to_the_loop(world, *, adds_there):
    far, hits = world.existing_cache.aclient(), Hits()

    async def add():
        hits.add()

    async def serve():
        loop = asyncio.get_running_loop()

        def work():
            if adds_there:
                asyncio.run_coroutine_threadsafe(add(), loop)
            else:
                hits.add()

        await asyncio.to_thread(work)
        await asyncio.sleep(1)

    async def count():
        await far.get("x")
        hits.add()

    world.actor("server", serve)
    world.actor("counter", count)
    await world.run()
    assert hits.n == 2


@broken("the thread reads, the coroutine counts, and the thread writes")
async def a_thread_that_counts_by_itself(world):
    await _sent_to_the_loop(world, adds_there=False)


@right("the thread hands the counting to the loop, where each count is one turn")
async def a_thread_that_sends_a_coroutine_to_the_loop(world):
    await _sent_to_the_loop(world, adds_there=True)


async def _gathered(world, amount):
    origin = world.origin.aio

    async def add():
        (number, _) = await asyncio.gather(origin.get("n"), origin.get("other"))
        await asyncio.create_task(origin.set("n", (number or 0) + amount))

    world.actor("a", add)
    world.actor("b", add)
    await world.run()
    assert await origin.get("n") == 2 * amount


@right("nothing is added, so a number that both have read is still the right one")
async def calls_of_the_origin_that_are_gathered(world):
    await _gathered(world, 0)


@broken("both read the number before either writes it back")
async def a_count_by_calls_of_the_origin_that_are_tasks(world):
    await _gathered(world, 1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
