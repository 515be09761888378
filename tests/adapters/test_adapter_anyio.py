"""Synchronous endpoints run on a framework's threads under the loop: each call is an actor."""

import sqlite3
from contextvars import ContextVar

import anyio
import httpx
import pytest
from fastapi import FastAPI

from pytest_supercache import check
from tests.adapters.flows import is_conflict, judged
from tests.adapters.test_adapter_sqlite3 import (
    let_the_database_count,
    opened,
    read_then_write,
    value,
)


def shop(world, bump):
    """An application with one synchronous and one asynchronous endpoint."""
    app = FastAPI()

    @app.post("/bump")
    def bump_on_a_thread():
        bump(lambda: opened(world))
        return "done"

    @app.get("/count")
    async def count():
        return value(opened(world))

    return app


async def call(app, method, path):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return (await client.request(method, path)).json()


@pytest.mark.parametrize(
    ("bump", "conflict"), [(read_then_write, True), (let_the_database_count, False)]
)
def test_two_requests_to_a_synchronous_endpoint_lose_a_count(bump, conflict):
    async def body(world):
        opened(world)
        app = shop(world, bump)
        for name in "ab":
            world.actor(name, call, app, "POST", "/bump")
        await world.run()
        assert await call(app, "GET", "/count") == 2

    result = judged(body)
    assert is_conflict(result) is conflict
    assert conflict or result.exhausted


def outcomes(make, search):
    """Return what comes of two coroutines that use threads, in every order."""
    seen = set()

    async def body(world):
        log = []
        flow = make(world, log)
        for name in "ab":
            world.actor(name, flow, name)
        results = await world.run()
        seen.add((*results.values(), *log))

    assert judged(body, search=search, memory="declared").exhausted  # the list is the test's own
    return seen


def noting(limited):
    """Make flows that note their name twice, on a thread."""
    limiters = []

    def make(world, log):
        def on_a_thread(name):
            for _ in range(2):
                world.step("note", reads="log", writes="log")
                log.append(name)

        async def flow(name):
            if not limiters:
                limiters.append(anyio.CapacityLimiter(1) if limited else None)
            limiter = limiters[0]
            await anyio.to_thread.run_sync(on_a_thread, name, limiter=limiter)

        limiters.clear()
        return flow

    return make


def test_the_order_of_two_threads_is_open_and_the_reduction_loses_none():
    found = outcomes(noting(limited=False), "exhaustive")
    assert found == outcomes(noting(limited=False), "all-schedules")
    assert {"".join(one[2:]) for one in found} == {"aabb", "abab", "abba", "baab", "baba", "bbaa"}


def test_a_limiter_of_one_lets_one_thread_in_at_a_time():
    found = outcomes(noting(limited=True), "all-schedules")
    assert {"".join(one[2:]) for one in found} == {"aabb", "bbaa"}


def test_errors_context_and_answers_come_across():
    language = ContextVar("language", default="none")
    seen = []

    def fails():
        raise KeyError(language.get())

    async def flow():
        language.set("cs")
        assert await anyio.to_thread.run_sync(lambda: language.get()) == "cs"
        with pytest.raises(KeyError, match="cs"):
            await anyio.to_thread.run_sync(fails)
        seen.append(language.get())

    async def body(world):
        world.actor("a", flow)
        await world.run()

    assert check(body, guarantees=()).verdict.value == "holds"
    assert set(seen) == {"cs"}


def test_the_real_function_is_back_afterwards():
    real = anyio.to_thread.run_sync
    test_the_order_of_two_threads_is_open_and_the_reduction_loses_none()
    assert anyio.to_thread.run_sync is real
    assert sqlite3.connect is sqlite3.dbapi2.connect
