"""Code that waits for time more than once before it goes on without what it waited for."""

import asyncio
import queue
import threading
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from tests.soundness.truth import broken, right, systems_of


def _counted(world, take, give):
    """Two users add one to a number; ``take`` says whether one may, ``give`` lets the other."""
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("n", 0)

    def work():
        held = take()
        try:
            redis.set("n", int(redis.get("n")) + 1)
        finally:
            if held:
                give()

    world.actor("alice", work)
    world.actor("bob", work)
    world.run()
    assert redis.get("n") == "2"


@broken("it goes on without the lock after two tries")
def a_timed_acquire_twice(world):
    lock = threading.Lock()
    _counted(world, lambda: lock.acquire(timeout=0.1) or lock.acquire(timeout=0.1), lock.release)


@right("the third try waits for as long as it takes")
def a_timed_acquire_twice_and_then_for_good(world):
    lock = threading.Lock()

    def take():
        return lock.acquire(timeout=0.1) or lock.acquire(timeout=0.1) or lock.acquire()

    _counted(world, take, lock.release)


@broken("it goes on without the lock after three tries")
def three_tries_with_sleeps(world):
    lock = threading.Lock()

    def take():
        for _ in range(3):
            if lock.acquire(blocking=False):
                return True
            sleep(0.05)
        return False

    _counted(world, take, lock.release)


@right("it gives up for good after three tries, and nothing is half done")
def three_tries_and_an_error(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("n", 0)
    lock, refused = threading.Lock(), []

    def work():
        for _ in range(3):
            if lock.acquire(blocking=False):
                break
            sleep(0.05)
        else:
            refused.append(True)
            return
        with_lock()
        lock.release()

    def with_lock():
        redis.set("n", int(redis.get("n")) + 1)

    world.actor("alice", work)
    world.actor("bob", work)
    world.run()
    assert int(redis.get("n")) == 2 - len(refused)


@broken("a lock in the cache is asked for twice, and then taken as given")
def two_tries_at_a_lock_of_the_cache(world):
    redis = world.existing_cache.client(decode_responses=True)

    def take():
        for _ in range(2):
            if redis.set("lock", "1", nx=True):
                return True
            sleep(0.2)
        return False

    _counted(world, take, lambda: redis.delete("lock"))


@broken("an event that does not come is waited for twice")
def an_event_twice(world):
    redis, loaded = world.existing_cache.client(decode_responses=True), threading.Event()

    def load():
        redis.set("price", 10)
        loaded.set()

    def read():
        if not loaded.wait(0.05):
            loaded.wait(0.05)
        return redis.get("price")

    world.actor("alice", load)
    world.actor("bob", read)
    assert world.run()["bob"] == "10"


@right("an event that does not come is waited for twice, and then the value is loaded")
def an_event_twice_and_then_loaded(world):
    redis, loaded = world.existing_cache.client(decode_responses=True), threading.Event()

    def load():
        redis.set("price", 10)
        loaded.set()
        return redis.get("price")

    def read():
        if loaded.wait(0.05) or loaded.wait(0.05):
            return redis.get("price")
        return load()

    world.actor("alice", load)
    world.actor("bob", read)
    assert world.run()["bob"] == "10"


@broken("a queue is asked twice before the default is answered")
def a_queue_twice(world):
    redis, answers = world.existing_cache.client(decode_responses=True), queue.Queue()

    def load():
        redis.set("price", 10)
        answers.put(redis.get("price"))

    def read():
        for _ in range(2):
            try:
                return answers.get(timeout=0.1)
            except queue.Empty:
                continue
        return None

    world.actor("alice", load)
    world.actor("bob", read)
    assert world.run()["bob"] == "10"


@broken("a coroutine sleeps twice for a lock of the cache, and goes on without it")
async def a_coroutine_sleeps_twice(world):
    redis = world.existing_cache.aclient(decode_responses=True)
    await redis.set("n", 0)

    async def work():
        held = False
        for _ in range(2):
            held = await redis.set("lock", "1", nx=True)
            if held:
                break
            await asyncio.sleep(0.1)
        await redis.set("n", int(await redis.get("n")) + 1)
        if held:
            await redis.delete("lock")

    world.actor("alice", work)
    world.actor("bob", work)
    await world.run()
    assert await redis.get("n") == "2"


@broken("a coroutine waits for a lock twice, and goes on without it")
async def a_coroutine_times_out_twice(world):
    redis, lock = world.existing_cache.aclient(decode_responses=True), asyncio.Lock()
    await redis.set("n", 0)

    async def take():
        for _ in range(2):
            try:
                return await asyncio.wait_for(lock.acquire(), 0.1)
            except TimeoutError:
                continue
        return False

    async def work():
        held = await take()
        await redis.set("n", int(await redis.get("n")) + 1)
        if held:
            lock.release()

    world.actor("alice", work)
    world.actor("bob", work)
    await world.run()
    assert await redis.get("n") == "2"


@right("a coroutine waits for a lock twice, and then for as long as it takes")
async def a_coroutine_times_out_twice_and_then_waits(world):
    redis, lock = world.existing_cache.aclient(decode_responses=True), asyncio.Lock()
    await redis.set("n", 0)

    async def work():
        for _ in range(2):
            try:
                await asyncio.wait_for(lock.acquire(), 0.1)
                break
            except TimeoutError:
                continue
        else:
            await lock.acquire()
        await redis.set("n", int(await redis.get("n")) + 1)
        lock.release()

    world.actor("alice", work)
    world.actor("bob", work)
    await world.run()
    assert await redis.get("n") == "2"


def _polled(world, *steps):
    redis = world.existing_cache.client(decode_responses=True)

    def wait():
        while not redis.get("ready"):
            sleep(0.1)
        return redis.get("value")

    def make():
        for key, value in steps:
            redis.set(key, value)

    world.actor("alice", wait)
    world.actor("bob", make)
    assert world.run()["alice"] == "v"


@broken("it is said to be ready before it is")
def a_flag_of_the_cache_that_is_set_too_early(world):
    _polled(world, ("ready", "1"), ("value", "v"))


@right("it is said to be ready when it is, however long that takes")
def a_flag_of_the_cache_that_is_set_last(world):
    _polled(world, ("value", "v"), ("ready", "1"))


async def _polled_by_a_coroutine(world, *steps):
    redis = world.existing_cache.aclient(decode_responses=True)

    async def wait():
        while not await redis.get("ready"):
            await asyncio.sleep(0.1)
        return await redis.get("value")

    async def make():
        for key, value in steps:
            await redis.set(key, value)

    world.actor("alice", wait)
    world.actor("bob", make)
    assert (await world.run())["alice"] == "v"


@broken("it is said to be ready before it is, to a coroutine")
async def a_flag_for_a_coroutine_that_is_set_too_early(world):
    await _polled_by_a_coroutine(world, ("ready", "1"), ("value", "v"))


@right("it is said to be ready when it is, to a coroutine")
async def a_flag_for_a_coroutine_that_is_set_last(world):
    await _polled_by_a_coroutine(world, ("value", "v"), ("ready", "1"))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
