"""Tasks that a framework, or a task group of anyio, makes for one request: each system's truth.

A middleware of starlette runs the endpoint in a task of its own, and a streaming response its
iterator in another one. They share what only the framework knows, so that their steps depend on
each other; steps of different requests are compared as ever.
"""

import asyncio

import anyio
import fastapi
import httpx
import pytest
from starlette.responses import StreamingResponse

from pytest_supercache import check
from pytest_supercache.core.verdict import Verdict
from tests.soundness.truth import broken, right, systems_of


class Shop:
    """An application with a middleware, and what its endpoints share."""

    def __init__(self, world):
        self.redis = world.existing_cache.aclient(decode_responses=True)
        self.near, self.lock, self.limit = {}, asyncio.Lock(), anyio.Lock()
        self.app = fastapi.FastAPI()
        self.app.middleware("http")(self.timed)
        for name in ("read_then_write", "increase", "load", "load_alone", "load_in_turn"):
            self.app.get(f"/{name}")(getattr(self, name))
        self.app.post("/bill")(self.bill)
        self.app.get("/report")(self.report)
        self.app.get("/gathered")(self.gathered)
        self.app.get("/grouped")(self.grouped)

    async def timed(self, request, call_next):
        response = await call_next(request)
        response.headers["x-time"] = "1"
        return response

    async def read_then_write(self):
        await self.redis.set("n", int(await self.redis.get("n") or 0) + 1)

    async def increase(self):
        await self.redis.incr("n")

    async def load(self):
        if "k" not in self.near:
            self.near["k"] = await self.redis.incr("n")

    async def load_alone(self):
        async with self.lock:
            await self.load()

    async def load_in_turn(self):
        async with self.limit:
            await self.load()

    async def bill(self, request: fastapi.Request):
        total = (await request.json())["total"]
        self.near["total"] = self.near.get("total", 0) + total

    async def report(self):
        async def lines():
            seen = self.near.get("lines", 0)
            yield "first"
            await self.redis.incr("n")
            self.near["lines"] = seen + 1
            yield "last"

        return StreamingResponse(lines())

    async def bump(self):
        self.near["lines"] = self.near.get("lines", 0) + 1

    async def gathered(self):
        await asyncio.gather(self.redis.incr("n"), self.redis.incr("m"))

    async def grouped(self):
        async with anyio.create_task_group() as group:
            group.start_soon(self.redis.incr, "n")
            group.start_soon(self.redis.incr, "m")

    async def ask(self, path, method="GET", **content):
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answer = await client.request(method, f"/{path}", **content)
            assert answer.status_code == 200

    async def asked_by_two(self, world, path, method="GET", *, other=None, **content):
        world.actor("alice", self.ask, path, method, **content)
        world.actor("bob", self.ask, other or path, method, **content)
        await world.run()


@broken("both read 0")
async def a_count_is_read_and_then_written(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "read_then_write")
    assert await shop.redis.get("n") == "2"


@right("the server counts")
async def a_count_is_increased(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "increase")
    assert await shop.redis.get("n") == "2"


@broken("both find the near cache empty")
async def a_near_cache_is_filled(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "load")
    assert await shop.redis.get("n") == "1"


@right("one fills it under a lock")
async def a_near_cache_is_filled_under_a_lock(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "load_alone")
    assert await shop.redis.get("n") == "1"


@right("one fills it under a lock of anyio")
async def a_near_cache_is_filled_under_a_lock_of_anyio(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "load_in_turn")
    assert await shop.redis.get("n") == "1"


@broken("both have seen no line")
async def a_stream_counts_its_lines_in_the_end(world):
    shop = Shop(world)
    world.actor("alice", shop.ask, "report")
    world.actor("bob", shop.bump)
    await world.run()
    assert shop.near["lines"] == 2


@right("the total grows without an await")
async def bodies_are_added_up(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "bill", "POST", json={"total": 2})
    assert shop.near["total"] == 4


@right("each count is the server's")
async def tasks_are_gathered(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "gathered", other="increase")
    assert (await shop.redis.get("n"), await shop.redis.get("m")) == ("2", "1")


@right("each count is the server's")
async def tasks_are_grouped(world):
    shop = Shop(world)
    await shop.asked_by_two(world, "grouped", other="increase")
    assert (await shop.redis.get("n"), await shop.redis.get("m")) == ("2", "1")


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()


def test_a_middleware_adds_no_interleaving():
    result = check(a_count_is_increased, guarantees=())
    assert (result.verdict, result.executions) == (Verdict.HOLDS, 2)
    assert not any("reduction is off" in note for note in result.notes)
