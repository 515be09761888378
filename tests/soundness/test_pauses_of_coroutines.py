"""Coroutines that let others in (``sleep(0)``) until something has come, or a few times only."""

import asyncio
import itertools
import time

import pytest

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.soundness.truth import broken, right, systems_of


async def _told(world, wait, tell):
    """One writes a price and tells so, in some order; the other one waits for that, and reads."""
    redis, near = world.existing_cache.aclient(decode_responses=True), {}

    async def read():
        await wait(near)
        return await redis.get("price")

    world.actor("alice", read)
    world.actor("bob", tell, redis, near)
    assert (await world.run())["alice"] == "1"


async def _until_ready(near):
    while "ready" not in near:
        await asyncio.sleep(0)


async def _before(redis, near):
    near["ready"] = True
    await redis.set("price", 1)


async def _afterwards(redis, near):
    await redis.set("price", 1)
    near["ready"] = True


@broken("it is said to be there before it is")
async def a_flag_before_the_price(world):
    await _told(world, _until_ready, _before)


@right("it is there when it is said to be")
async def a_flag_after_the_price(world):
    await _told(world, _until_ready, _afterwards)


@broken("after ten pauses it goes on without")
async def ten_pauses(world):
    async def wait(near):
        for _ in itertools.repeat(None, 10):
            if "ready" in near:
                return
            await asyncio.sleep(0)

    await _told(world, wait, _afterwards)


@right("after ten pauses it goes on to wait")
async def ten_pauses_and_more(world):
    async def wait(near):
        for _ in itertools.repeat(None, 10):
            await asyncio.sleep(0)
        await _until_ready(near)

    await _told(world, wait, _afterwards)


async def _rung(world, *, is_early):
    rung = asyncio.Event()

    async def wait(_):
        while not rung.is_set():
            await asyncio.sleep(0)

    async def tell(redis, _):
        if is_early:
            rung.set()
        await redis.set("price", 1)
        rung.set()

    await _told(world, wait, tell)


@broken("the event is set before the price is there")
async def an_event_asked_between_pauses(world):
    await _rung(world, is_early=True)


@right("the event is set when the price is there")
async def an_event_asked_between_pauses_and_set_late(world):
    await _rung(world, is_early=False)


async def _ended(world, *, joins):
    """A worker is cancelled when its queue has no more jobs."""
    redis = world.existing_cache.aclient()
    near, jobs = {"price": "old"}, asyncio.Queue()

    async def work():
        while True:
            key = await jobs.get()
            await redis.set(key, "new")
            near.pop(key, None)
            jobs.task_done()

    async def flow():
        worker = asyncio.create_task(work())
        await jobs.put("price")
        if joins:
            await jobs.join()
        while not jobs.empty():
            await asyncio.sleep(0)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    world.actor("alice", flow)
    await world.run()
    assert not near


@broken("the queue is empty while its last job is being done")
async def a_worker_cancelled_when_its_queue_is_empty(world):
    await _ended(world, joins=False)


@right("the last job is done when the queue is joined")
async def a_worker_cancelled_when_its_queue_is_joined(world):
    await _ended(world, joins=True)


async def _locked(world, *, reads_first):
    redis, held = world.existing_cache.aclient(decode_responses=True), {}
    await redis.set("n", 0)

    async def add():
        before = await redis.get("n") if reads_first else None
        while "lock" in held:
            await asyncio.sleep(0)
        held["lock"] = True
        await redis.set("n", int(before or await redis.get("n")) + 1)
        del held["lock"]

    world.actor("alice", add)
    world.actor("bob", add)
    await world.run()
    assert await redis.get("n") == "2"


@broken("both read the number before one of them has the lock")
async def a_lock_by_hand_taken_too_late(world):
    await _locked(world, reads_first=True)


@right("who finds the lock free takes it before anybody else comes in")
async def a_lock_by_hand(world):
    await _locked(world, reads_first=False)


def _until_ready_or(now):
    async def wait(near):
        end = now() + 3_600
        while now() < end and "ready" not in near:
            await asyncio.sleep(0)

    return wait


ENDLESS = "steps without an end"


@broken("it gives up after an hour", unknown=ENDLESS)
async def pauses_until_a_time(world):
    await _told(world, _until_ready_or(time.monotonic), _afterwards)


@broken("it gives up after an hour of its loop", unknown=ENDLESS)
async def pauses_until_a_time_of_the_loop(world):
    loop = asyncio.get_running_loop()
    await _told(world, _until_ready_or(lambda: loop.time()), _afterwards)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()


@pytest.mark.parametrize("body", [a_worker_cancelled_when_its_queue_is_empty, ten_pauses])
def test_a_token_that_leaves_a_loop_early_is_replayed_where_nothing_was_searched(body):
    server, settings = start_server("fakeredis"), Exploration(odds=Simulation(runs=0))
    found = check_on(server, body, settings, guarantees=()).counterexample

    _, schedule = read_token(found.token)
    again = check_on(server, body, settings, guarantees=(), replay=schedule)

    assert again.verdict is Verdict.VIOLATED
    assert again.counterexample.violation.summary == found.violation.summary
