"""An answer comes to one task; what follows from it is done in another, or in a callback."""

import asyncio

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the old answer has come, the writer changes and drops, and only then it is stored"
GUARDED = "what was asked for before a change ended is not stored"


class Shop:
    """Reads through a dict; how a miss is filled is said by a method's name."""

    def __init__(self, of):
        self.far = of.existing_cache.aclient(decode_responses=True)
        self.near = {}
        self.version = 0
        self.is_guarded = False

    async def read(self, key, fill):
        if key not in self.near:
            await getattr(self, fill)(key)

    async def change(self, key, value):
        await self.far.set(key, value)
        self.near.pop(key, None)
        self.version += 1

    def keep(self, key, value, version):
        if not self.is_guarded or version == self.version:
            self.near[key] = value

    async def _keep(self, key, value, version):
        self.keep(key, value, version)

    async def plainly(self, key):
        version = self.version
        self.keep(key, await self.far.get(key), version)

    async def by_a_task(self, key):
        version = self.version
        task = asyncio.create_task(self.far.get(key))
        self.keep(key, await task, version)

    async def by_a_gather(self, key):
        version = self.version
        value, _ = await asyncio.gather(self.far.get(key), self.far.get("other"))
        self.keep(key, value, version)

    async def by_a_gather_of_one(self, key):
        version = self.version
        (value,) = await asyncio.gather(self.far.get(key))
        self.keep(key, value, version)

    async def by_a_group(self, key):
        version = self.version
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.far.get(key))
        self.keep(key, task.result(), version)

    async def by_a_wait(self, key):
        version = self.version
        done, _ = await asyncio.wait([asyncio.create_task(self.far.get(key))])
        self.keep(key, done.pop().result(), version)

    async def by_the_first_completed(self, key):
        version = self.version
        for first in asyncio.as_completed([self.far.get(key)]):
            self.keep(key, await first, version)

    async def by_a_callback(self, key):
        version = self.version
        task = asyncio.ensure_future(self.far.get(key))
        task.add_done_callback(lambda done: self.keep(key, done.result(), version))
        await task

    async def stored_by_a_task(self, key):
        version = self.version
        value = await self.far.get(key)
        await asyncio.create_task(self._keep(key, value, version))

    async def stored_soon(self, key):
        version = self.version
        value = await self.far.get(key)
        asyncio.get_running_loop().call_soon(self.keep, key, value, version)
        await asyncio.sleep(0)

    async def stored_in_a_while(self, key):
        version = self.version
        value = await self.far.get(key)
        asyncio.get_running_loop().call_later(1, self.keep, key, value, version)
        await asyncio.sleep(2)

    async def by_a_pipeline(self, key):
        version = self.version
        async with self.far.pipeline() as commands:
            commands.get(key)
            value = (await commands.execute())[0]
        self.keep(key, value, version)

    async def by_a_timeout(self, key):
        version = self.version
        self.keep(key, await asyncio.wait_for(self.far.get(key), None), version)


async def _raced(world, fill, *, is_guarded=False):
    shop = Shop(world)
    shop.is_guarded = is_guarded
    await shop.far.set("k", "old")
    world.actor("reader", shop.read, "k", fill)
    world.actor("writer", shop.change, "k", "new")
    await world.run()
    assert shop.near.get("k", "new") == "new"


def _pair(fill):
    async def loose(world):
        await _raced(world, fill)

    async def guarded(world):
        await _raced(world, fill, is_guarded=True)

    loose.__name__ = f"{fill}_kept"
    guarded.__name__ = f"{fill}_guarded"
    return broken(LATE)(loose), right(GUARDED)(guarded)


PAIRS = [
    _pair(fill)
    for fill in (
        "plainly",
        "by_a_task",
        "by_a_gather",
        "by_a_gather_of_one",
        "by_a_group",
        "by_a_wait",
        "by_the_first_completed",
        "by_a_callback",
        "stored_by_a_task",
        "stored_soon",
        "stored_in_a_while",
        "by_a_pipeline",
        "by_a_timeout",
    )
]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
