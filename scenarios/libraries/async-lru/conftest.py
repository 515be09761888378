"""async-lru, unmodified: a memoizing decorator for coroutines, one task for each key."""

from types import SimpleNamespace

import pytest_supercache as sc


def _memo(layers, **options):
    from async_lru import alru_cache

    @alru_cache(**options)
    async def load(key):
        return await layers.origin.aio.get(key)

    return SimpleNamespace(get=load, clear=load.cache_clear)


@sc.system("async_lru.cleared_2_0_3")
@sc.system("async_lru.cleared_2_0_4")
def cleared(layers):
    """A function whose answers are kept until somebody clears them."""
    return _memo(layers, maxsize=8)


@sc.system("async_lru.evicted_2_0_2")
@sc.system("async_lru.evicted_2_0_3")
def evicted(layers):
    """A function of which one answer is kept, for a minute."""
    return _memo(layers, maxsize=1, ttl=60)


@sc.verb("clear")
def clear(system, _user):
    """Forget all answers."""
    system.clear()
