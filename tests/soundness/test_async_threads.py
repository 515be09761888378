"""Coroutines that hand work to threads, and share memory with them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the thread has the old answer, the writer changes and drops, the thread stores the old one"


@dataclass
class Counts:
    """Counts in a field, with or without its lock."""

    n: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self):
        self.n += 1

    def add_locked(self):
        with self.lock:
            self.n += 1


async def _in_two_threads(world, add):
    counts = Counts()

    async def serve():
        await asyncio.to_thread(getattr(counts, add))

    world.actor("a", serve)
    world.actor("b", serve)
    await world.run()
    assert counts.n == 2


@broken("two threads read the same number before either writes it back")
async def two_threads_that_count(world):
    await _in_two_threads(world, "add")


@right("both threads take the lock")
async def two_threads_that_count_under_a_lock(world):
    await _in_two_threads(world, "add_locked")


async def _in_a_pool(world, workers, users="ab"):
    counts, pool = Counts(), ThreadPoolExecutor(workers)

    async def serve():
        await asyncio.get_running_loop().run_in_executor(pool, counts.add)

    for user in users:
        world.actor(user, serve)
    await world.run()
    assert counts.n == len(users)


@right("the pool has one worker, which runs one job after the other")
async def a_pool_of_one_worker_that_counts(world):
    await _in_a_pool(world, 1)


@broken("two workers read the same number before either writes it back")
async def a_pool_of_two_workers_that_count(world):
    await _in_a_pool(world, 2)


@right("the third job, too, waits for the only worker")
async def a_pool_of_one_worker_for_three_jobs(world):
    await _in_a_pool(world, 1, "abc")


@broken("one of the two workers is free for the third job while the other one counts")
async def a_pool_of_two_workers_for_three_jobs(world):
    await _in_a_pool(world, 2, "abc")


async def _beside_a_thread(world, *, in_the_loop):
    counts, far = Counts(), world.existing_cache.aclient()

    async def by_thread():
        await asyncio.to_thread(far_less)
        if in_the_loop:
            counts.add()

    def far_less():
        if not in_the_loop:
            counts.add()

    async def by_loop():
        await far.get("x")
        counts.add()

    world.actor("a", by_thread)
    world.actor("b", by_loop)
    await world.run()
    assert counts.n == 2


@broken("the thread reads, the coroutine reads and writes, and the thread writes")
async def a_thread_and_a_coroutine_that_count(world):
    await _beside_a_thread(world, in_the_loop=False)


@right("both count on the loop, after what they have awaited")
async def two_coroutines_that_count_beside_a_thread(world):
    await _beside_a_thread(world, in_the_loop=True)


async def _counted_around(world, *, reads_before):
    counts = Counts()
    blocking = world.existing_cache.client()

    async def serve():
        seen = counts.n
        await asyncio.to_thread(blocking.get, "x")
        counts.n = (seen if reads_before else counts.n) + 1

    world.actor("a", serve)
    world.actor("b", serve)
    await world.run()
    assert counts.n == 2


@broken("both read before either thread has answered")
async def a_count_read_before_a_thread_and_written_after(world):
    await _counted_around(world, reads_before=True)


@right("both read again when the thread has answered, in the turn in which they write")
async def a_count_read_and_written_after_a_thread(world):
    await _counted_around(world, reads_before=False)


async def _loaded(world, *, in_the_thread):
    blocking = world.existing_cache.client(decode_responses=True)
    far = world.existing_cache.aclient(decode_responses=True)
    near, version = {}, [0]
    await far.set("k", "old")

    def load():
        value = blocking.get("k")
        if in_the_thread:
            near["k"] = value
        return value

    async def read():
        if "k" not in near:
            before = version[0]
            loop = asyncio.get_running_loop()
            value = await loop.run_in_executor(None, load)
            if not in_the_thread and before == version[0]:
                near["k"] = value
        await far.get("x")

    async def change():
        await far.set("k", "new")
        near.pop("k", None)
        version[0] += 1

    world.actor("reader", read)
    world.actor("writer", change)
    await world.run()
    assert near.get("k", "new") == "new"


@broken(LATE)
async def a_near_cache_that_a_thread_fills(world):
    await _loaded(world, in_the_thread=True)


@right("the coroutine stores what the thread has loaded, unless a change has ended meanwhile")
async def a_near_cache_that_the_loop_fills(world):
    await _loaded(world, in_the_thread=False)


async def _told(world, *, by_the_loop):
    counts, far = Counts(), world.existing_cache.aclient()

    async def serve():
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def finish():
            counts.add()
            done.set()

        def work():
            if not by_the_loop:
                counts.add()
                loop.call_soon_threadsafe(done.set)
            else:
                loop.call_soon_threadsafe(finish)

        with ThreadPoolExecutor(1) as pool:
            await loop.run_in_executor(pool, work)
            await done.wait()

    async def count():
        await far.get("x")
        counts.add()

    world.actor("a", serve)
    world.actor("b", count)
    await world.run()
    assert counts.n == 2


@broken("the thread reads, the coroutine counts, and the thread writes")
async def a_thread_that_counts_and_tells_the_loop(world):
    await _told(world, by_the_loop=False)


@right("the thread asks the loop to count, so all counting is on one thread in one turn")
async def a_thread_that_lets_the_loop_count(world):
    await _told(world, by_the_loop=True)


async def _iterated(world, *, copies):
    far, members = world.existing_cache.aclient(), {"a": 1, "b": 2}

    def total():
        return sum(number for number in (list(members.values()) if copies else members.values()))

    async def report():
        await asyncio.to_thread(total)

    async def join():
        await far.get("x")
        members["c"] = 3

    world.actor("reporter", report)
    world.actor("joiner", join)
    await world.run()


@broken("the dict grows while the thread iterates: RuntimeError")
async def a_thread_that_iterates_over_what_the_loop_fills(world):
    await _iterated(world, copies=False)


@right("list() of a view copies it in one operation of C")
async def a_thread_that_iterates_over_a_copy(world):
    await _iterated(world, copies=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
