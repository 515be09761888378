"""The routes. `uvicorn shop.app:from_environment --factory` serves them."""

import os
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException
from redis.asyncio import Redis

from shop.catalog import Catalog, GuardedCatalog
from shop.database import Database
from shop.near import NearCache


def create_app(database: Database, redis: Redis, *, guarded: bool) -> FastAPI:
    """Make the application."""
    app = FastAPI(title="shop")
    kind = GuardedCatalog if guarded else Catalog
    catalog = kind(NearCache(), redis, database)
    sell = database.order_if_there if guarded else database.order_after_a_look

    @app.get("/products/{product}/price")
    async def show(product: str) -> int:
        price = await catalog.price(product)
        if price is None:
            raise HTTPException(404)
        return price

    @app.put("/products/{product}/price", status_code=204)
    async def change(product: str, price: Annotated[int, Body()]) -> None:
        await catalog.change(product, price)

    @app.post("/products/{product}/orders", status_code=201)
    def order(product: str) -> str:  # not async: FastAPI runs it on one of its threads
        if not sell(product):
            raise HTTPException(409, "sold out")
        return "ordered"

    @app.get("/products/{product}/orders")
    def count(product: str) -> int:
        return database.orders(product)

    return app


def from_environment() -> FastAPI:
    """Make the application that production runs."""
    return create_app(
        Database(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db")),
        Redis.from_url(
            os.environ.get("SHOP_REDIS", "redis://localhost:6379"), decode_responses=True
        ),
        guarded=True,
    )
