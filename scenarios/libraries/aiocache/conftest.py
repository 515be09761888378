"""aiocache, unmodified: a cached coroutine function over the origin, in memory."""

import pytest_supercache as sc


@sc.system("aiocache")
def aiocache(layers):
    """A cached function, and a change that deletes what is cached."""
    from aiocache import Cache, cached

    class Shop:
        """What the built-in verbs need."""

        def __init__(self):
            @cached(cache=Cache.MEMORY, key_builder=lambda _function, key: key)
            async def load(key):
                return await layers.origin.aio.get(key)

            self.get = load

        async def set(self, key, value):
            """Commit, then invalidate."""
            await layers.origin.aio.set(key, value)
            await self.get.cache.delete(key)

    return Shop()
