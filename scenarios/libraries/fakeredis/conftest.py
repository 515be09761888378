"""fakeredis, unmodified: a queue in Redis whose readers do not wait for ever."""

import asyncio
from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("fakeredis.popped_2_30")
@sc.system("fakeredis.popped_2_40")
def jobs(layers):
    """A client whose connections come from a pool, as usual."""
    return SimpleNamespace(redis=layers.existing_cache.aclient(decode_responses=True))


@sc.verb("next_job")
async def next_job(system, _user):
    """Wait a moment for a job."""
    try:
        async with asyncio.timeout(0.03):
            return await system.redis.brpop(["queue"])
    except TimeoutError:
        return None


@sc.verb("add_job")
async def add_job(system, _user, name):
    """Put a job into the queue; a server that does not answer is an error."""
    async with asyncio.timeout(0.05):
        return await system.redis.lpush("queue", name)
