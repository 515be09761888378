"""Faults strike coroutines as they strike threads."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from pytest_supercache import Faults, check


def _deleting(*, retry):
    async def body(world):
        client = Redis()
        await client.set("k", 1)

        async def delete():
            pipeline = client.pipeline()
            try:
                await pipeline.delete("k").execute()
            except RedisConnectionError:
                if retry:
                    await pipeline.delete("k").execute()

        world.actor("alice", delete)
        await world.run()
        await world.settle()
        assert await client.get("k") is None

    return body


async def _invalidating(world):
    near = {node: world.node(node).super_cache for node in "ab"}
    for node, cache in near.items():
        with world.at(node):
            await cache.aio.put("k", 1)

    async def invalidate():
        await near["a"].aio.invalidate("k")

    world.actor("alice", invalidate)
    await world.run()
    await world.settle()
    assert near["b"].peek("k") is None


def _verdict(body, *kinds):
    return check(body, faults=Faults(max=1, kinds=kinds)).verdict.name


def test_a_pipeline_that_fails_before_its_effect_is_found_unless_it_is_sent_again():
    assert _verdict(_deleting(retry=False), "error_before") == "VIOLATED"
    assert _verdict(_deleting(retry=True), "error_before", "error_after", "pause") == "HOLDS"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("drop_invalidation", "VIOLATED"),
        ("duplicate_invalidation", "HOLDS"),
        ("delay_invalidation", "HOLDS"),
        ("error_after", "HOLDS"),
        ("clock_skew", "UNKNOWN"),  # tasks of all nodes share one thread and its clock
    ],
)
def test_messages_of_a_coroutine_meet_their_faults(kind, verdict):
    assert _verdict(_invalidating, kind) == verdict
