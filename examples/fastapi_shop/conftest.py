"""The shop as scenarios see it: two variants of one application, driven through its routes."""

import os

import httpx
from shop.app import create_app
from shop.database import Database

import pytest_supercache as sc

# The cache in the process is plain Python: nobody can know what its methods touch unless we say so.
sc.watch("shop.near:NearCache.get", "super_cache", reads="product")
sc.watch("shop.near:NearCache.ticket", "super_cache", reads="product")
sc.watch("shop.near:NearCache.put", "super_cache", writes="product")
sc.watch("shop.near:NearCache.forget", "super_cache", writes="product")


class Shop:
    """A browser on the shop: `read` and `write` in a scenario are requests."""

    def __init__(self, http):
        self.http = http

    async def get(self, product):
        """Return the price that the page shows."""
        answer = await self.http.get(f"/products/{product}/price")
        return answer.json() if answer.status_code == 200 else None

    async def set(self, product, price):
        """Change the price."""
        answer = await self.http.put(f"/products/{product}/price", json=price)
        answer.raise_for_status()


async def opened(layers, *, guarded):
    """Start the application of one node, on a database of this execution only."""
    url = os.environ.get("SHOP_DATABASE")  # of a server, which is emptied
    database = Database(url or f"sqlite:///{layers.tmp_path}/shop.db")
    if url:
        database.empty()
    async with layers.existing_cache.aclient(decode_responses=True) as redis:
        app = create_app(database, redis, guarded=guarded)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            yield Shop(http)
    database.close()


@sc.system("shop.first")
async def first(layers):
    """The shop as it was written first."""
    async for shop in opened(layers, guarded=False):
        yield shop


@sc.system("shop.guarded")
async def guarded(layers):
    """The shop that ships."""
    async for shop in opened(layers, guarded=True):
        yield shop


@sc.verb("order")
async def order(shop, user, product: str):
    """Order one; the answer is the status of the response."""
    answer = await shop.http.post(f"/products/{product}/orders")
    return answer.status_code


@sc.verb("orders")
async def orders(shop, user, product: str):
    """Count the orders."""
    return (await shop.http.get(f"/products/{product}/orders")).json()
