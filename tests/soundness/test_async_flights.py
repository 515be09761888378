"""Loads that coroutines share: futures, tasks, locks, memos and clients that are made late."""

import asyncio
import functools
from collections import defaultdict
from contextlib import asynccontextmanager

import pytest

from tests.soundness.truth import broken, right, systems_of

TWICE = "b looks while a waits for the answer, finds nothing, and loads as well"
LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"


class Counted:
    """Counts how often it was asked."""

    def __init__(self, of):
        self.far = of.existing_cache.aclient(decode_responses=True)
        self.loads = 0

    async def get(self, key):
        self.loads += 1
        return await self.far.get(key)


async def _loaded_once(world, make):
    source = Counted(world)
    await source.far.set("k", "v")
    read = make(source)

    async def ask():
        assert await read("k") == "v"

    world.actor("a", ask)
    world.actor("b", ask)
    await world.run()
    assert source.loads == 1


def _plain(source):
    near = {}

    async def read(key):
        if key not in near:
            near[key] = await source.get(key)
        return near[key]

    return read


@broken(TWICE)
async def a_plain_memo_of_a_coroutine(world):
    await _loaded_once(world, _plain)


def _with_future(source, *, is_early):
    flights = {}

    async def read(key):
        if key in flights:
            return await flights[key]
        future = asyncio.get_running_loop().create_future()
        if is_early:
            flights[key] = future
        future.set_result(await source.get(key))
        flights[key] = future
        return future.result()

    return read


@right("the future is in the dict before the first await, and nothing suspends between")
async def a_future_is_kept_before_the_load(world):
    await _loaded_once(world, functools.partial(_with_future, is_early=True))


@broken(TWICE)
async def a_future_is_kept_after_the_load(world):
    await _loaded_once(world, functools.partial(_with_future, is_early=False))


def _with_task(source):
    tasks = {}

    async def read(key):
        if key not in tasks:
            tasks[key] = asyncio.create_task(source.get(key))
        return await tasks[key]

    return read


@right("making a task does not suspend, so the second finds it")
async def a_task_is_kept(world):
    await _loaded_once(world, _with_task)


def memo(function):
    """Keep the task of a coroutine function for each of its arguments."""
    tasks = {}

    @functools.wraps(function)
    async def kept(*args):
        if args not in tasks:
            tasks[args] = asyncio.ensure_future(function(*args))
        return await tasks[args]

    return kept


def memo_of_values(function):
    """Keep the value of a coroutine function for each of its arguments."""
    values = {}

    @functools.wraps(function)
    async def kept(*args):
        if args not in values:
            values[args] = await function(*args)
        return values[args]

    return kept


@right("the decorator keeps the task at once")
async def a_decorator_that_keeps_tasks(world):
    await _loaded_once(world, lambda source: memo(source.get))


@broken(TWICE)
async def a_decorator_that_keeps_values(world):
    await _loaded_once(world, lambda source: memo_of_values(source.get))


@broken("lru_cache keeps the coroutine itself, which cannot be awaited twice")
async def an_lru_cache_of_a_coroutine(world):
    await _loaded_once(world, lambda source: functools.lru_cache(source.get))


@right("lru_cache keeps a task, which may be awaited twice")
async def an_lru_cache_of_a_task(world):
    def make(source):
        @functools.lru_cache
        def read(key):
            return asyncio.ensure_future(source.get(key))

        return read

    await _loaded_once(world, make)


def _locked(source, *, looks_again=True, is_short=False):
    near, locks = {}, defaultdict(asyncio.Lock)

    async def read(key):
        if key in near:
            return near[key]
        if is_short:
            async with locks[key]:
                is_missing = key not in near
            if is_missing:
                near[key] = await source.get(key)
            return near[key]
        async with locks[key]:
            if not looks_again or key not in near:
                near[key] = await source.get(key)
        return near[key]

    return read


@right("one lock for each key, and a second look under it")
async def a_lock_for_each_key(world):
    await _loaded_once(world, _locked)


@broken("who waited for the lock does not look again, and loads")
async def a_lock_without_a_second_look(world):
    await _loaded_once(world, functools.partial(_locked, looks_again=False))


@broken(TWICE + "; the lock is let go before the load")
async def a_lock_around_the_look_alone(world):
    await _loaded_once(world, functools.partial(_locked, is_short=True))


def _new_lock_each(source):
    near, locks = {}, {}

    @asynccontextmanager
    async def locked(key):
        lock = locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
        locks.pop(key, None)

    async def read(key):
        async with locked(key):
            if key not in near:
                near[key] = await source.get(key)
            return near[key]

    return read


@right("the lock that is dropped guards what is loaded by then, and both look under it")
async def a_lock_that_is_dropped_after_use(world):
    await _loaded_once(world, _new_lock_each)


class Connecting:
    """Makes its client when it is first asked."""

    def __init__(self, far):
        self.far = far
        self.client = None
        self.made = 0
        self.lock = asyncio.Lock()

    async def connect(self):
        self.made += 1
        await self.far.get("hello")
        return self.far

    async def lazily(self):
        if self.client is None:
            self.client = await self.connect()
        return self.client

    async def locked(self):
        if self.client is None:
            async with self.lock:
                if self.client is None:
                    self.client = await self.connect()
        return self.client


async def _connected(world, how):
    shop = Connecting(world.existing_cache.aclient())

    async def ask():
        client = await getattr(shop, how)()
        await client.get("k")

    world.actor("a", ask)
    world.actor("b", ask)
    await world.run()
    assert shop.made == 1


@broken("b asks while a connects, finds no client, and connects as well")
async def a_client_made_lazily(world):
    await _connected(world, "lazily")


@right("both look again under the lock")
async def a_client_made_under_a_lock(world):
    await _connected(world, "locked")


async def _overtaken(world, *, is_forgotten):
    source, flights = Counted(world), {}
    await source.far.set("k", "old")

    async def read(key):
        if key not in flights:
            flights[key] = asyncio.create_task(source.get(key))
        value = await flights[key]
        flights.pop(key, None)
        return value

    async def change(key):
        await source.far.set(key, "new")
        if is_forgotten:
            flights.pop(key, None)
        assert await read(key) == "new"

    world.actor("reader", read, "k")
    world.actor("writer", change, "k")
    await world.run()


@broken("the writer joins a flight that had its answer before the change")
async def a_flight_from_before_the_change_is_joined(world):
    await _overtaken(world, is_forgotten=False)


@right("the writer drops the flight before it reads, so the one it joins began after the change")
async def a_flight_from_before_the_change_is_forgotten(world):
    await _overtaken(world, is_forgotten=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
