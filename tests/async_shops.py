"""The reference systems written with coroutines: the conflict and its fix."""

import json
from itertools import count

from redis.exceptions import WatchError


class NaiveShop:
    """Fills whatever it has read."""

    def __init__(self, layers):
        self._near = layers.super_cache.aio
        self._far = layers.existing_cache.aclient(decode_responses=True)
        self._origin = layers.origin.aio

    async def get(self, key):
        value = await self._near.get(key)
        if value is not None:
            return value
        text = await self._far.get(key)
        if text is not None:
            value = json.loads(text)
        else:
            value = await self._origin.get(key)
            if value is None:
                return None
            await self._far.set(key, json.dumps(value))
        await self._near.put(key, value)
        return value

    async def set(self, key, value):
        await self._origin.set(key, value)
        await self._far.delete(key)
        await self._near.invalidate(key)

    async def delete(self, key):
        await self._origin.delete(key)
        await self._far.delete(key)
        await self._near.invalidate(key)


class FixedShop:
    """Throws a fill away when it was overtaken: leases in both layers."""

    def __init__(self, layers):
        self._near = layers.super_cache.aio
        self._far = layers.existing_cache.aclient(decode_responses=True)
        self._origin = layers.origin.aio
        self._leases = (f"{layers.node}-{number}" for number in count(1))

    async def get(self, key):
        value, near_lease = await self._near.get_or_lease(key)
        if near_lease is None:
            return value
        far_lease = next(self._leases)
        async with self._far.pipeline() as transaction:
            transaction.get(key)
            transaction.set(f"lease:{key}", far_lease, ex=10)
            text = (await transaction.execute())[0]
        if text is not None:
            value = json.loads(text)
        else:
            value = await self._origin.get(key)
            if value is None:
                return None
            await self._fill(key, json.dumps(value), far_lease)
        await self._near.put_leased(key, value, near_lease)
        return value

    async def set(self, key, value):
        await self._origin.set(key, value)
        async with self._far.pipeline() as transaction:
            transaction.delete(key)
            transaction.delete(f"lease:{key}")
            await transaction.execute()
        await self._near.invalidate(key)

    async def _fill(self, key, text, lease):
        async with self._far.pipeline() as transaction:
            await transaction.watch(f"lease:{key}")
            if await transaction.get(f"lease:{key}") != lease:
                return
            transaction.multi()
            transaction.set(key, text)
            transaction.delete(f"lease:{key}")
            try:
                await transaction.execute()
            except WatchError:
                return
