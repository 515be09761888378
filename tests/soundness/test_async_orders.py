"""Origin, Redis and near caches in the orders in which coroutines fill and empty them."""

import asyncio
from contextlib import suppress

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"


class Shop:
    """Reads through two near caches; how it changes is said by which method is taken."""

    def __init__(self, of):
        self.origin = of.origin.aio
        self.far = of.existing_cache.aclient(decode_responses=True)
        self.near = {}
        self.other = {}
        self.changing = set()
        self.version = 0
        self.lock = asyncio.Lock()
        self.refreshes = []

    async def read(self, key):
        if key not in self.near:
            self.near[key] = await self.origin.get(key)
        return self.near[key]

    async def read_unless_changing(self, key):
        if key in self.near:
            return self.near[key]
        version = self.version
        value = await self.origin.get(key)
        if version == self.version and key not in self.changing:
            self.near[key] = value
        return value

    async def read_both(self, key):
        if key in self.other:
            return self.other[key]
        value = await self.read_unless_changing(key)
        self.other[key] = value
        return value

    async def read_both_in_one_turn(self, key):
        if key in self.other:
            return self.other[key]
        version = self.version
        value = await self.origin.get(key)
        if version == self.version and key not in self.changing:
            self.near[key] = self.other[key] = value
        return value

    async def read_locked(self, key):
        async with self.lock:
            return await self.read(key)

    async def write_then_drop(self, key, value):
        await self.origin.set(key, value)
        self.near.pop(key, None)
        self.other.pop(key, None)

    async def drop_then_write(self, key, value):
        self.near.pop(key, None)
        await self.origin.set(key, value)

    async def write_then_set(self, key, value):
        await self.origin.set(key, value)
        self.near[key] = value

    async def write_marked(self, key, value):
        self.changing.add(key)
        try:
            await self.write_then_drop(key, value)
            self.version += 1
        finally:
            self.changing.discard(key)

    async def write_locked(self, key, value):
        async with self.lock:
            await self.write_then_drop(key, value)


async def _raced(world, read, write):
    shop = Shop(world)
    world.origin.set("k", "old")

    async def look():
        await getattr(shop, read)("k")

    world.actor("reader", look)
    world.actor("writer", getattr(shop, write), "k", "new")
    await world.run()
    assert await getattr(shop, read)("k") == "new"


@broken(LATE)
async def written_then_dropped(world):
    await _raced(world, "read", "write_then_drop")


@broken("the reader loads the old value after the drop and before the write")
async def dropped_then_written(world):
    await _raced(world, "read", "drop_then_write")


@broken("the reader's old answer overwrites what the writer stored")
async def written_then_set(world):
    await _raced(world, "read", "write_then_set")


@right("what is loaded while somebody changes, or before he ended, is not kept")
async def written_while_it_is_marked(world):
    await _raced(world, "read_unless_changing", "write_marked")


@right("one lock around load and store, and around write and drop")
async def written_under_the_lock(world):
    await _raced(world, "read_locked", "write_locked")


@broken("the outer cache is filled with what the inner one refused to keep")
async def two_caches_of_which_one_is_guarded(world):
    await _raced(world, "read_both", "write_marked")


@right("both are filled in the turn in which the guard was asked")
async def two_caches_behind_one_guard(world):
    await _raced(world, "read_both_in_one_turn", "write_marked")


async def _two_writers(world, write):
    shop = Shop(world)
    world.actor("a", getattr(shop, write), "k", "1")
    world.actor("b", getattr(shop, write), "k", "2")
    await world.run()
    assert await shop.read("k") == world.origin.peek("k")


@broken("a writes, b writes and stores 2, and then a stores 1: stale-set")
async def two_writers_who_store_what_they_wrote(world):
    await _two_writers(world, "write_then_set")


@right("nobody stores during the race, so the read afterwards loads")
async def two_writers_who_drop(world):
    await _two_writers(world, "write_then_drop")


async def _missing(world, *, is_kept):
    shop = Shop(world)
    absent = set()

    async def find(key):
        if key in absent:
            return None
        value = await shop.origin.get(key)
        if value is None and is_kept:
            absent.add(key)
        return value

    async def look():
        await find("k")

    async def create():
        await shop.origin.set("k", "new")
        absent.discard("k")

    world.actor("reader", look)
    world.actor("creator", create)
    await world.run()
    assert await find("k") == "new"


@broken("the reader finds nothing, the creator creates and forgets, the reader notes the absence")
async def an_absence_is_remembered(world):
    await _missing(world, is_kept=True)


@right("an absence is never noted")
async def an_absence_is_not_remembered(world):
    await _missing(world, is_kept=False)


async def _refreshed(world, *, compares):
    shop = Shop(world)
    world.origin.set("k", "old")
    shop.near["k"] = "old"

    async def refresh():
        before = shop.near.get("k")
        version = shop.version
        value = await shop.origin.get("k")
        if not compares or (shop.near.get("k") == before and version == shop.version):
            shop.near["k"] = value

    async def read():
        task = asyncio.create_task(refresh())
        await shop.far.get("x")
        await task

    async def write():
        await shop.origin.set("k", "new")
        shop.near["k"] = "new"
        shop.version += 1

    world.actor("reader", read)
    world.actor("writer", write)
    await world.run()
    assert shop.near["k"] == "new"


@broken("the refresh in the background has the old answer and stores it over the new value")
async def a_refresh_that_overwrites(world):
    await _refreshed(world, compares=False)


@right("the refresh stores only if nobody has changed since it asked")
async def a_refresh_that_compares(world):
    await _refreshed(world, compares=True)


async def _limited_in_time(world, *, drops_first):
    shop = Shop(world)
    world.origin.set("k", "old")
    shop.near["k"] = "old"

    async def write():
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                if drops_first:
                    shop.near.pop("k", None)
                await shop.origin.set("k", "new")
                await asyncio.sleep(5)
                shop.near.pop("k", None)

    world.actor("writer", write)
    await world.run()
    assert shop.near.get("k", world.origin.peek("k")) == world.origin.peek("k")


@broken("time is up after the write, so the drop never comes")
async def a_timeout_between_write_and_drop(world):
    await _limited_in_time(world, drops_first=False)


@right("the entry is dropped before the write, and nobody reads")
async def a_timeout_after_the_drop(world):
    await _limited_in_time(world, drops_first=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
