"""aiocache, async-lru and cashews: what was read before a change is stored after it, or is not.

The three keep their entries in the process, and none of their coroutines suspends there: whoever
looks and stores without waiting for anything else cannot be disturbed.
"""

import asyncio
from contextlib import nullcontext

import aiocache
import async_lru
import cashews
import pytest

from tests.adapters.flows import is_conflict, judged


def with_aiocache(world):
    @aiocache.cached(cache=aiocache.Cache.MEMORY, key="k")
    async def load():
        return await world.origin.aio.get("k")

    return load, lambda: load.cache.delete("k")


def with_cashews(world):
    cache = cashews.Cache()
    cache.setup("mem://", check_interval=0)

    @cache(ttl="1m", key="k")
    async def load():
        return await world.origin.aio.get("k")

    return load, lambda: cache.delete("k")


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("make", [with_aiocache, with_cashews])
def test_a_cached_answer_that_was_read_before_the_change_is_stored_after_it(make, guarded):
    async def body(world):
        world.origin.set("k", "old")
        load, forget = make(world)
        guard = asyncio.Lock() if guarded else nullcontext()

        async def read():
            async with guard:
                return await load()

        async def change():
            async with guard:
                await world.origin.aio.set("k", "new")
                await forget()

        world.actor("reader", read)
        world.actor("writer", change)
        await world.run()
        assert await load() == "new"

    assert is_conflict(judged(body)) is not guarded


@pytest.mark.parametrize("forgets_last", [True, False])
def test_async_lru_answers_the_old_value_only_if_it_forgets_before_the_change(forgets_last):
    async def body(world):
        world.origin.set("k", "old")

        @async_lru.alru_cache(maxsize=8)
        async def load(key):
            return await world.origin.aio.get(key)

        async def change():
            if not forgets_last:
                load.cache_clear()
            await world.origin.aio.set("k", "new")
            if forgets_last:
                load.cache_clear()

        world.actor("reader", load, "k")
        world.actor("writer", change)
        await world.run()
        assert await load("k") == "new"

    assert is_conflict(judged(body)) is not forgets_last


async def counted_in_aiocache(cache):
    await cache.set("n", (await cache.get("n") or 0) + 1)


async def counted_in_cashews(cache):
    await cache.set("n", (await cache.get("n") or 0) + 1, expire=60)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("make", "bump"),
    [
        (lambda: aiocache.Cache(aiocache.Cache.MEMORY), counted_in_aiocache),
        (lambda: cashews.backends.memory.Memory(check_interval=0), counted_in_cashews),
    ],
)
def test_a_count_is_lost_only_if_somebody_waits_between_look_and_store(make, bump, waits):
    async def body(world):
        cache = make()

        async def count():
            if not waits:
                await bump(cache)
                return
            seen = await cache.get("n") or 0
            await asyncio.sleep(0)
            await cache.set("n", seen + 1)

        world.actor("a", count)
        world.actor("b", count)
        await world.run()
        assert await cache.get("n") == 2

    assert is_conflict(judged(body)) is waits
