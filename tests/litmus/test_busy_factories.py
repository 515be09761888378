"""Systems whose factory is at work before the race have a verdict, and it is never VIOLATED."""

import asyncio
import threading
from typing import Any

import pytest

from pytest_supercache import Verdict, check
from tests.busy_factories import mistakes
from tests.selection import either

SEEDS = either(5, 200)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_factory_at_work_before_the_race_ends_in_a_verdict(seed: int) -> None:
    assert list(mistakes(seed, 1)) == []


def test_a_lock_that_a_task_of_the_factory_takes_before_the_first_choice_is_before_the_race() -> (
    None
):
    seen = []

    async def body(world: Any) -> None:
        lock, client = threading.Lock(), world.existing_cache.aclient()

        async def warm() -> None:
            with lock:
                pass

        async def factory() -> None:
            seen.append(asyncio.create_task(warm()))

        await factory()
        world.actor("reader", client.get, "k")
        world.actor("writer", client.set, "k", 1)
        await world.run()
        assert await client.get("k") is None  # to see the steps

    result = check(body)
    assert result.counterexample is not None
    steps = result.counterexample.execution.steps
    assert [(step.phase, step.choice) for step in steps if step.actor == "body/1"] == [
        ("before", None)
    ] * 2
    assert all(step.choice is not None for step in result.counterexample.execution.race)


def test_a_lock_that_a_task_of_the_factory_still_holds_when_the_race_begins_is_waited_for() -> None:
    async def body(world: Any) -> None:
        lock, client = threading.Lock(), world.existing_cache.aclient()

        async def warm() -> None:
            lock.acquire()
            await client.set("k", 1)
            lock.release()

        async def read() -> None:
            with lock:
                assert await client.get("k") == b"1"

        asyncio.create_task(warm())  # noqa: RUF006 - asyncio keeps it while it is awaited
        world.actor("reader", read)
        await world.run()

    result = check(body)
    assert result.verdict is not Verdict.HOLDS


@pytest.mark.parametrize("waits", [0.1, 0])
def test_a_body_may_await_a_task_of_its_factory_that_still_sleeps_after_the_race(
    waits: float,
) -> None:
    async def body(world: Any) -> None:
        client = world.existing_cache.aclient()

        async def serve() -> None:
            await asyncio.sleep(waits)
            await client.set("served", 1)

        serving = asyncio.create_task(serve())
        world.actor("reader", client.get, "k")
        world.actor("writer", client.set, "k", 1)
        await world.run()
        await serving
        assert await client.get("served") == b"1"

    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert result.notes == ()  # with the reduction


def test_a_body_that_awaits_what_nobody_will_do_is_told_so() -> None:
    async def body(world: Any) -> None:
        client = world.existing_cache.aclient()

        async def serve() -> None:
            await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        world.actor("reader", client.get, "k")
        await world.run()
        await serving

    result = check(body)
    assert result.verdict is Verdict.VIOLATED
    assert "the body waits for ever" in str(result.counterexample.violation.summary)
