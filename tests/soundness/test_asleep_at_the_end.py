"""What sleeps when the last user has ended goes on, on a loop as on a thread, and not for ever."""

import asyncio
import queue
import threading
import time

import pytest

from tests.soundness.truth import broken, right, systems_of


async def _settled(world, key, wanted):
    await world.run()
    await world.settle()
    assert await world.existing_cache.aclient(decode_responses=True).get(key) == wanted


async def _stored_late(world, user, *, start=None):
    """Let a task of the process store 0.5 s later what it is given, one after the other."""
    redis, jobs = world.existing_cache.aclient(), asyncio.Queue()

    async def store():
        while True:
            key, value = await jobs.get()
            await asyncio.sleep(0.5)
            await redis.set(key, value)

    tasks = [] if start else [asyncio.create_task(store())]

    async def flow():
        if start:
            tasks.append(asyncio.create_task(store()))
        await user(redis, jobs)

    world.actor("alice", flow)


async def _then_late(redis, jobs):
    await redis.set("k", "new")
    jobs.put_nowait(("k", "old"))


async def _late_alone(redis, jobs):
    jobs.put_nowait(("k", "new"))
    await redis.get("k")


async def _late_twice(redis, jobs):
    jobs.put_nowait(("first", "new"))
    await _late_alone(redis, jobs)


@broken("0.5 s after the last user a task of the process stores the old value", ticks=0)
async def a_task_that_sleeps_overwrites(world):
    await _stored_late(world, _then_late)
    await _settled(world, "k", "new")


@right("it is stored 0.5 s after the last user", ticks=0)
async def a_task_that_sleeps_stores(world):
    await _stored_late(world, _late_alone)
    await _settled(world, "k", "new")


@broken("the operation started it, and it serves for ever", ticks=0)
async def a_task_of_an_operation_that_serves_overwrites(world):
    await _stored_late(world, _then_late, start=True)
    await _settled(world, "k", "new")


@right("a second is enough for both", ticks=0)
async def a_task_that_sleeps_twice_stores_both(world):
    await _stored_late(world, _late_twice)
    await _settled(world, "k", "new")


async def _stored_in_a_minute(world, value):
    """Let a task store a value each minute, while another one polls ten times a second."""
    redis = world.existing_cache.aclient()
    tasks = []

    async def poll():
        while True:
            await asyncio.sleep(0.1)

    async def store():
        while True:
            await asyncio.sleep(60)
            await redis.set("k", value)

    async def flow():
        tasks.extend([asyncio.create_task(poll()), asyncio.create_task(store())])
        await redis.set("k", "new")

    world.actor("alice", flow)
    await _settled(world, "k", "new")


@broken("a minute after the last user the old value is stored, though another task polls", ticks=0)
async def a_task_that_polls_hides_no_task_that_sleeps_for_a_minute(world):
    await _stored_in_a_minute(world, "old")


@right("what is stored a minute later is the same value", ticks=0)
async def a_task_that_polls_spoils_no_proof(world):
    await _stored_in_a_minute(world, "new")


def _stored_late_by_a_thread(world, user):
    redis, jobs = world.existing_cache.client(decode_responses=True), queue.Queue()

    def store():
        while job := jobs.get():
            time.sleep(0.5)  # noqa: TID251 - what code under test does
            redis.set(*job)

    threading.Thread(target=store, daemon=True).start()
    world.actor("alice", user, redis, jobs)
    world.run()
    world.settle()
    assert redis.get("k") == "new"


@broken("0.5 s after the last user a thread stores the old value", ticks=0)
def a_thread_that_sleeps_overwrites(world):
    _stored_late_by_a_thread(
        world, lambda redis, jobs: (redis.set("k", "new"), jobs.put(("k", "old")))
    )


@right("it is stored 0.5 s after the last user", ticks=0)
def a_thread_that_sleeps_stores(world):
    _stored_late_by_a_thread(world, lambda redis, jobs: (jobs.put(("k", "new")), redis.get("k")))


async def _written_behind(world, wait, flow):
    """Let a task of the process store every 0.5 s what is dirty."""
    redis, dirty = world.existing_cache.aclient(), {}

    async def store():
        while True:
            await wait(0.5)
            while dirty:
                await redis.set(*dirty.popitem())

    task = asyncio.create_task(store())
    await redis.set("k", "older")  # it falls asleep before the users begin

    world.actor("alice", flow, redis, dirty)
    await _settled(world, "k", "new")
    assert not task.done()


async def _in_vain(seconds):
    try:
        await asyncio.wait_for(asyncio.Event().wait(), seconds)
    except TimeoutError:
        return


async def _past_the_buffer(redis, dirty):
    dirty["k"] = "old"
    await redis.set("k", "new")


async def _into_the_buffer(redis, dirty):
    await redis.set("k", "old")
    dirty["k"] = "new"


@broken("what is dirty is stored over the newer value", ticks=0)
async def asleep_since_before_the_users_overwrites(world):
    await _written_behind(world, asyncio.sleep, _past_the_buffer)


@right("what is dirty is stored", ticks=0)
async def asleep_since_before_the_users_stores(world):
    await _written_behind(world, asyncio.sleep, _into_the_buffer)


@broken("what is dirty is stored over the newer value", ticks=0)
async def waiting_with_a_timeout_overwrites(world):
    await _written_behind(world, _in_vain, _past_the_buffer)


@right("what is dirty is stored", ticks=0)
async def waiting_with_a_timeout_stores(world):
    await _written_behind(world, _in_vain, _into_the_buffer)


async def _called_later(world, value):
    redis, tasks = world.existing_cache.aclient(), []

    async def flow():
        await redis.set("k", "old")
        asyncio.get_running_loop().call_later(
            0.5, lambda: tasks.append(asyncio.create_task(redis.set("k", value)))
        )

    world.actor("alice", flow)
    await _settled(world, "k", "new")


@broken("the loop calls it after the user has ended", ticks=0)
async def called_later_with_another_value(world):
    await _called_later(world, "other")


@right("the loop calls it after the user has ended", ticks=0)
async def called_later_with_the_new_value(world):
    await _called_later(world, "new")


async def _beating(world, seconds):
    redis = world.existing_cache.aclient()

    async def beat():
        while True:
            await asyncio.sleep(seconds)
            await redis.incr("beats")

    task = asyncio.create_task(beat())
    world.actor("alice", redis.set, "k", "new")
    await world.run()
    await world.settle()
    assert not task.done()
    return int(await redis.get("beats") or 0)


@broken("it beats on when the user has ended", ticks=0)
async def a_task_that_repeats_goes_on(world):
    assert not await _beating(world, 1)


@right("it is cut off soon: the clock does not run for ever", ticks=0)
async def a_task_that_repeats_is_cut_off(world):
    await _beating(world, 1)
    assert world.clock.now() < 10


async def _limited(world, seconds):
    redis = world.existing_cache.aclient()
    world.actor("alice", redis.set, "k", "new")
    world.actor("bob", asyncio.sleep, 1)
    async with asyncio.timeout(seconds):
        await world.run()
        await world.settle()


@broken("bob sleeps for longer than the body waits", ticks=0)
async def a_body_that_does_not_wait_long_enough(world):
    await _limited(world, 0.5)


@right("the check does not wait for its time limit to end", ticks=0)
async def a_body_that_waits_long_enough(world):
    await _limited(world, 30)


async def _expires(world, task_sleeps):
    redis = world.existing_cache.aclient()

    async def store():
        await asyncio.sleep(task_sleeps)
        await redis.set("k", "old")

    task = asyncio.create_task(store())
    world.actor("alice", redis.set, "k", "new", px=2000)
    await _settled(world, "k", "new")
    task.cancel()


@broken("the task overwrites before the key expires", ticks=0)
async def a_task_that_wakes_before_a_key_expires(world):
    await _expires(world, 1)


@right("until it wakes the key has expired, which is not waited for", ticks=0)
async def a_task_that_wakes_after_a_key_expires(world):
    await _expires(world, 60)


def _worked_off(world, jobs, work):
    """Let a daemon thread serve ``work`` and wait until it has served everything."""
    threading.Thread(target=work, args=(jobs,), daemon=True).start()
    world.actor("alice", lambda: [jobs.put(number) for number in range(4)])
    world.run()
    world.settle()


def _first_four(jobs):
    for _ in range(4):
        yield jobs.get()


def _as_they_come(jobs):
    while True:
        yield jobs.get()


def _count_of_served(world, items, jobs):
    redis = world.existing_cache.client(decode_responses=True)

    def serve(jobs):
        for _ in items(jobs):
            time.sleep(1)  # noqa: TID251 - what code under test does
            redis.incr("served")

    _worked_off(world, jobs, serve)
    return int(redis.get("served") or 0)


@right("a daemon works off what is queued, a second each", ticks=0)
def a_thread_that_works_off_a_queue(world):
    assert _count_of_served(world, _as_they_come, queue.Queue()) == 4


@broken("it serves four and no fifth", ticks=0)
def a_thread_that_works_off_four(world):
    assert _count_of_served(world, _first_four, queue.Queue()) == 5


@right("it takes what it has put back, for ever, and is cut off", ticks=0)
def a_thread_that_feeds_itself(world):
    def again(jobs):
        for job in _as_they_come(jobs):
            jobs.put(job)
            yield job

    assert _count_of_served(world, again, queue.Queue()) >= 4
    assert world.clock.now() < 60


async def _served_by_a_task(world, users_jobs):
    redis, jobs = world.existing_cache.aclient(), asyncio.Queue()

    async def serve():
        while True:
            await jobs.get()
            await asyncio.sleep(1)
            await redis.incr("served")

    async def flow():
        for number in range(users_jobs):
            jobs.put_nowait(number)

    task = asyncio.create_task(serve())
    world.actor("alice", flow)
    await world.run()
    await world.settle()
    assert not task.done()
    return int(await redis.get("served") or 0)


@right("a task works off what is queued, a second each", ticks=0)
async def a_task_that_works_off_a_queue(world):
    assert await _served_by_a_task(world, 5) == 5


@broken("it serves four and no fifth", ticks=0)
async def a_task_that_works_off_four(world):
    assert await _served_by_a_task(world, 4) == 5


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
