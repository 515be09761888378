"""A client with ``health_check_interval`` asks whether its connection lives, and is answered."""

import asyncio

import pytest
import redis
import redis.asyncio

from pytest_supercache import Verdict, check

EVERY = 10


async def reads_twice(client, asked):
    await client.get("k")
    await asyncio.sleep(2 * EVERY)
    await client.get("k")
    asked.append(client)


@pytest.mark.parametrize("interval", [0, EVERY])
def test_an_awaiting_client_is_answered_also_after_the_interval(interval):
    async def body(world):
        pool = redis.asyncio.ConnectionPool.from_url(
            "redis://production:6379", health_check_interval=interval
        )
        client, done = redis.asyncio.Redis(connection_pool=pool), []
        world.actor("reader", reads_twice, client, done)
        world.actor("writer", client.set, "k", "new")
        await world.run()
        assert done == [client]

    assert check(body, guarantees=[]).verdict is Verdict.HOLDS


def test_a_blocking_client_is_answered():
    def body(world):
        client = redis.Redis.from_url("redis://production:6379", health_check_interval=EVERY)
        world.actor("reader", client.get, "k")
        world.actor("writer", client.set, "k", "new")
        world.run()

    assert check(body, guarantees=[]).verdict is Verdict.HOLDS


def test_what_an_awaiting_client_loses_is_still_found():
    async def body(world):
        pool = redis.asyncio.ConnectionPool.from_url(
            "redis://production:6379", health_check_interval=EVERY
        )
        client = redis.asyncio.Redis(connection_pool=pool)

        async def count():
            await client.set("n", int(await client.get("n") or 0) + 1)

        world.actor("a", count)
        world.actor("b", count)
        await world.run()
        assert world.existing_cache.peek("n") == "2"

    assert check(body, guarantees=[]).verdict is Verdict.VIOLATED
