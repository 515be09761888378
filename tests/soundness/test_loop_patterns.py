"""The same patterns on an event loop: what is right there only because nobody awaits in between."""

import asyncio
import contextlib
import contextvars
import itertools
from collections import defaultdict

import pytest

from tests.soundness.truth import broken, right, systems_of


async def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return await world.run()


class Prices:
    def __init__(self, redis):
        self.redis = redis
        self.near = {}
        self.loads = 0
        self.stamps = itertools.count(1)
        self.kept = (0, None)
        self.flying = {}
        self.locks = defaultdict(asyncio.Lock)

    async def load(self, key):
        self.loads += 1
        return await self.redis.get(key)

    async def get(self, key):
        if key not in self.near:
            self.near[key] = await self.load(key)
        return self.near[key]

    async def get_alone(self, key):
        async with self.locks[key]:
            return await self.get(key)

    async def get_in_one_flight(self, key):
        if key not in self.flying:
            self.flying[key] = asyncio.ensure_future(self.load(key))
        return await self.flying[key]

    def keep(self, stamp, value):
        if stamp > self.kept[0]:
            self.kept = stamp, value

    async def keep_with_an_early_stamp(self):
        stamp = next(self.stamps)
        self.keep(stamp, await self.redis.get("k"))

    async def keep_with_a_late_stamp(self):
        value = await self.redis.get("k")
        self.keep(next(self.stamps), value)

    async def change(self, value):
        await self.redis.set("k", value)
        self.keep(next(self.stamps), value)


async def _prices(world, value):
    redis = world.existing_cache.aclient(decode_responses=True)
    await redis.set("k", value)
    return Prices(redis)


@broken("both miss, and the second one loads while the first awaits its answer")
async def a_stampede_of_tasks(world):
    prices = await _prices(world, "old")
    await _twice(world, prices.get)
    assert prices.loads == 1


async def _twice(world, method):
    world.actor("first", method, "k")
    world.actor("second", method, "k")
    return await world.run()


@right("the look is under the lock of the key, which a defaultdict makes without awaiting")
async def tasks_that_load_under_a_lock(world):
    prices = await _prices(world, "old")
    await _twice(world, prices.get_alone)
    assert prices.loads == 1


@right("the flight is looked for and entered without awaiting")
async def tasks_in_one_flight(world):
    prices = await _prices(world, "old")
    answers = await _twice(world, prices.get_in_one_flight)
    assert set(answers.values()) == {"old"}
    assert prices.loads == 1


@broken("old is loaded, the change takes stamp 1, and the answer comes and takes stamp 2")
async def a_task_that_takes_its_stamp_late(world):
    prices = await _prices(world, "old")
    world.actor("first", prices.keep_with_a_late_stamp)
    world.actor("second", prices.change, "new")
    await world.run()
    assert prices.kept[1] == "new"


@right("what was loaded with a lower stamp does not replace the change")
async def a_task_that_takes_its_stamp_early(world):
    prices = await _prices(world, "old")
    world.actor("first", prices.keep_with_an_early_stamp)
    world.actor("second", prices.change, "new")
    await world.run()
    assert prices.kept[1] == "new"


class Counter:
    value = 0

    async def add(self):
        self.value += 1

    async def add_after_a_pause(self):
        before = self.value
        await asyncio.sleep(0)
        self.value = before + 1

    async def add_what_is_awaited(self):
        self.value += await self._one()

    async def _one(self):
        await asyncio.sleep(0)
        return 1

    async def add_what_needs_no_waiting(self):
        self.value += await self._one_at_once()

    async def _one_at_once(self):
        return 1


async def _counts_two(world, add):
    counter = Counter()
    world.actor("first", add, counter)
    world.actor("second", add, counter)
    await world.run()
    assert counter.value == 2


@right("nothing is awaited between the read and the write")
async def a_count_without_awaiting(world):
    await _counts_two(world, Counter.add)


@broken("the other runs in the pause between the read and the write")
async def a_count_with_a_pause(world):
    await _counts_two(world, Counter.add_after_a_pause)


@broken("the left side is read before the right side is awaited")
async def a_count_of_what_is_awaited(world):
    await _counts_two(world, Counter.add_what_is_awaited)


@right("what is awaited has its answer without suspending")
async def a_count_of_what_is_there_at_once(world):
    await _counts_two(world, Counter.add_what_needs_no_waiting)


class Current:
    user = None


variable = contextvars.ContextVar("variable", default=None)


@broken("the other request sets its user in the pause")
async def a_user_kept_on_a_class_by_tasks(world):
    async def serve(user):
        Current.user = user
        await asyncio.sleep(0)
        return Current.user

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert await world.run() == {"ann": "ann", "bob": "bob"}


@right("each task has a context of its own")
async def a_user_kept_in_a_context_variable_by_tasks(world):
    async def serve(user):
        variable.set(user)
        await asyncio.sleep(0)
        return variable.get()

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert await world.run() == {"ann": "ann", "bob": "bob"}


@contextlib.asynccontextmanager
async def turn(state):
    state["depth"] += 1
    try:
        yield
    finally:
        state["depth"] -= 1


@broken("both are inside at once: the second enters in the pause of the first")
async def a_block_that_lets_others_in(world):
    state, seen = {"depth": 0}, []

    async def work():
        async with turn(state):
            await asyncio.sleep(0)
            seen.append(state["depth"])

    await _both(world, work, work)
    assert seen == [1, 1]


@right("nobody awaits inside of the block")
async def a_block_in_which_nobody_awaits(world):
    state, seen = {"depth": 0}, []

    async def work():
        async with turn(state):
            seen.append(state["depth"])

    await _both(world, work, work)
    assert seen == [1, 1]


@broken("the task of the first drops the entry in the pause between the look and the read")
async def a_task_started_by_another(world):
    near = {"k": 1}

    async def look():
        task = asyncio.create_task(drop())
        if "k" in near:
            await asyncio.sleep(0)
            near["k"]
        await task

    async def drop():
        del near["k"]

    world.actor("first", look)
    await world.run()


@right("the task only runs when it is awaited, after the read")
async def a_task_that_is_awaited_after_the_read(world):
    near = {"k": 1}

    async def look():
        task = asyncio.create_task(drop())
        if "k" in near:
            near["k"]
        await task

    async def drop():
        del near["k"]

    world.actor("first", look)
    await world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
