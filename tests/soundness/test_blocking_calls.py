"""Calls that block inside of a coroutine: its loop stands still, others do not."""

import asyncio
import json
from time import sleep  # noqa: TID251 - what code under test does

import pytest
from aiocache import SimpleMemoryCache
from cachetools import TTLCache

from tests.soundness.truth import broken, right, systems_of

TORN = "the writer comes between the two reads of the reader"
NOT_LET_IN = "inside of a coroutine without an await"


class Shop:
    """A cache aside whose methods are coroutines, on a client that blocks."""

    def __init__(self, world):
        self.origin, self.cache = world.origin, world.existing_cache.client()

    async def get(self, key):
        cached = self.cache.get(key)
        if cached is not None:
            return json.loads(cached)
        value = self.origin.get(key)
        self.cache.set(key, json.dumps(value))
        return value

    async def set(self, key, value):
        self.origin.set(key, value)
        self.cache.delete(key)


async def _old_price(world, node):
    world.origin.set("tea", 100)
    world.actor("reader", Shop(world).get, "tea")
    world.actor("writer", Shop(world).set, "tea", 120, node=node)
    await world.run()
    assert await Shop(world).get("tea") == 120


@broken("the reader of another process has missed, and stores what has changed", unknown=NOT_LET_IN)
async def an_old_price_of_another_node(world):
    await _old_price(world, "b")


@right("on one loop each call runs to its end")
async def an_old_price_of_the_same_node(world):
    await _old_price(world, "a")


async def _two_reads(world, write, *, node="a", read=None):
    cache = world.existing_cache.client()
    cache.mset({"x": "1", "y": "1"})
    world.actor("reader", read or _reading(cache))
    world.actor("writer", write or (lambda: cache.mset({"x": "2", "y": "2"})), node=node)
    first, second = (await world.run())["reader"]
    assert first == second


def _reading(cache):
    async def read():
        return cache.get("x"), cache.get("y")

    return read


@broken(TORN + ", on a thread", unknown=NOT_LET_IN)
async def two_reads_beside_a_thread(world):
    await _two_reads(world, None)


@right("the writer is a coroutine on the same loop")
async def two_reads_beside_a_coroutine(world):
    cache = world.existing_cache.client()

    async def write():
        cache.set("x", "2")
        cache.set("y", "2")

    await _two_reads(world, write)


@broken(TORN)
async def two_reads_on_threads(world):
    cache = world.existing_cache.client()

    async def read():
        return await asyncio.to_thread(cache.get, "x"), await asyncio.to_thread(cache.get, "y")

    await _two_reads(world, None, read=read)


@broken("the reader sleeps between its reads, and the writer of another process does not")
async def two_reads_with_an_awaited_sleep(world):
    cache = world.existing_cache.aclient()

    async def read():
        first = await cache.get("x")
        await asyncio.sleep(1)
        return first, await cache.get("y")

    await _two_reads(world, None, node="b", read=read)


@broken("the same, and the sleep blocks the loop: what is found counts, though others are missed")
async def two_reads_with_a_sleep_that_blocks(world):
    cache = world.existing_cache.aclient()

    async def read():
        first = await cache.get("x")
        sleep(1)
        return first, await cache.get("y")

    await _two_reads(world, None, node="b", read=read)


@right("one call has nobody between its steps: there is one")
async def one_read_beside_another_node(world):
    cache = world.existing_cache.client()

    async def read():
        return cache.mget("x", "y")

    await _two_reads(world, None, node="b", read=read)


@right("what follows the read is in the memory of the process alone")
async def a_read_and_a_near_cache_beside_another_node(world):
    cache, near = world.existing_cache.client(), world.super_cache

    async def read():
        found = cache.mget("x", "y")
        near.put("pair", found)
        return near.get("pair")

    await _two_reads(world, None, node="b", read=read)


async def _on_its_way(world, key):
    blocking, aio = world.existing_cache.client(), world.existing_cache.aclient()

    async def count():
        number = int(blocking.get("n") or 0)
        blocking.set("n", number + 1)

    async def count_at_once():
        await aio.incr(key)

    world.actor("a", count)
    world.actor("b", count_at_once)
    await world.run()
    assert int(world.existing_cache.peek("n")) == 1 + (key == "n")


@broken(
    "the command of the other task takes effect between the two calls",
    unknown="'INCRBY n', which has been sent, could come before",
)
async def a_command_on_its_way_between_two_calls(world):
    await _on_its_way(world, "n")


@right("the command of the other task is about another key")
async def a_command_about_another_key_on_its_way(world):
    await _on_its_way(world, "m")


@broken(
    "the command of the other task takes effect between the two calls",
    memory="shared",
    unknown="'INCRBY n', which has been sent, could come before",
)
async def a_command_on_its_way_between_two_calls_if_memory_is_shared(world):
    await _on_its_way(world, "n")


class LoadsOnce:
    """A near cache of loads under way: who finds one waits for it."""

    def __init__(self, world):
        self.origin, self.near, self.loads = world.origin.aio, TTLCache(8, 60), 0

    async def get(self, key):
        if key in self.near:
            return await self.near[key]
        self.near[key] = found = asyncio.get_running_loop().create_future()
        self.loads += 1
        found.set_result(await self.origin.get(key))
        return found.result()


@right("looks at a near cache are in the process: no command takes effect between them")
async def a_near_cache_of_loads(world):
    world.origin.set("tea", 100)
    shop = LoadsOnce(world)
    world.actor("alice", shop.get, "tea")
    world.actor("bob", shop.get, "tea")
    assert await world.run() == {"alice": 100, "bob": 100}
    assert shop.loads == 1


async def _swept(world, by=None):
    backend = SimpleMemoryCache(namespace="swept")
    await backend.set("x", 0)
    await backend.set("y", 0)

    async def sweep():
        await asyncio.sleep(1)
        return await backend.get("x"), await backend.get("y")

    sweeping = [asyncio.create_task(sweep())] if by is None else []
    redis = world.existing_cache.aclient()

    async def change():
        if by == "a user":
            sweeping.append(asyncio.create_task(sweep()))
        await redis.ping()
        await backend.set("x", 1)
        await backend.set("y", 1)

    world.actor("user", change)
    await world.run()
    await world.settle()
    first, second = await sweeping[0]
    assert first == second


@right("a task of the body is on the one loop: nobody comes between two calls that do not suspend")
async def a_sweeper_that_the_body_has_started(world):
    await _swept(world)


@right("nor do they if a user has started it")
async def a_sweeper_that_a_user_has_started(world):
    await _swept(world, by="a user")


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
