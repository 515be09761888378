"""fastapi-cache2, unmodified: a cached coroutine function, in the memory of the process."""

from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("fastapi_cache", state=["fastapi_cache.backends.inmemory:InMemoryBackend._store"])
def fastapi_cache(layers):
    """A function whose answers are kept for a minute."""
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    FastAPICache.reset()
    FastAPICache.init(InMemoryBackend(), prefix="shop")

    @cache(expire=60)
    async def load(key: str):
        return await layers.origin.aio.get(key)

    return SimpleNamespace(get=load)
