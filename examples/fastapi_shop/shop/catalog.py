"""Prices through two caches: the naive way that everybody writes first, and the one that holds."""

from redis.asyncio import Redis
from redis.exceptions import WatchError
from starlette.concurrency import run_in_threadpool

from shop.database import Database
from shop.near import NearCache

KEPT_SECONDS = 3600


class Catalog:
    """Look into the process, then into Redis, then into the database; store what was found."""

    def __init__(self, near: NearCache, redis: Redis, database: Database) -> None:
        self._near = near
        self._redis = redis
        self._database = database

    async def price(self, product: str) -> int | None:
        """Return the price of a product."""
        price = await self._near.get(product)
        if price is not None:
            return price
        text = await self._redis.get(f"price:{product}")
        if text is not None:
            price = int(text)
        else:
            price = await run_in_threadpool(self._database.price, product)
            if price is None:
                return None
            await self._redis.set(f"price:{product}", price, ex=KEPT_SECONDS)
        await self._near.put(product, price)
        return price

    async def change(self, product: str, price: int) -> None:
        """Change a price, then let both caches forget it."""
        await run_in_threadpool(self._database.set_price, product, price)
        await self._redis.delete(f"price:{product}")
        await self._near.forget(product)


class GuardedCatalog(Catalog):
    """The same, but nobody stores what was overtaken by a change.

    In Redis a reader watches a counter that every change moves: if it moved, the transaction that
    stores fails. In the process a ticket does the same.
    """

    async def price(self, product: str) -> int | None:
        """Return the price of a product."""
        ticket = await self._near.ticket(product)
        price = await self._near.get(product)
        if price is not None:
            return price
        async with self._redis.pipeline() as transaction:
            await transaction.watch(f"changes:{product}")
            text = await transaction.get(f"price:{product}")
            if text is not None:
                price = int(text)
            else:
                price = await run_in_threadpool(self._database.price, product)
                if price is None:
                    return None
                transaction.multi()
                transaction.set(f"price:{product}", price, ex=KEPT_SECONDS)
                try:
                    await transaction.execute()
                except WatchError:
                    return price  # true when it was read; not worth keeping
        await self._near.put(product, price, ticket)
        return price

    async def change(self, product: str, price: int) -> None:
        """Change a price, then let both caches forget it and what is on its way to them."""
        await run_in_threadpool(self._database.set_price, product, price)
        async with self._redis.pipeline() as transaction:
            transaction.incr(f"changes:{product}")
            transaction.delete(f"price:{product}")
            await transaction.execute()
        await self._near.forget(product)
