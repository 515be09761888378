"""Memory of coroutines that no plain attribute or item holds, or that C code reads."""

import asyncio
import contextvars
import itertools
import threading
from collections import UserDict

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _raced(world, read, change):
    await _far(world).set("k", "old")
    world.actor("reader", read, "k")
    world.actor("writer", change, "k", "new")
    await world.run()
    assert await read("k") == "new"


def _remembering(far, *, is_kept):
    async def read(key):
        if read.value is None:
            value = await far.get(key)
            if not is_kept:
                return value
            read.value = value
        return read.value

    async def change(key, value):
        await far.set(key, value)
        read.value = None

    read.value = None
    return read, change


@broken(LATE)
async def an_attribute_of_a_function(world):
    await _raced(world, *_remembering(_far(world), is_kept=True))


@right("the function's attribute is only ever emptied")
async def an_attribute_of_a_function_that_keeps_nothing(world):
    await _raced(world, *_remembering(_far(world), is_kept=False))


class Near(UserDict):
    """A dict with a name of its own."""


@broken(LATE)
async def a_user_dict(world):
    far, near = _far(world), Near()

    async def read(key):
        if key not in near:
            near[key] = await far.get(key)
        return near[key]

    async def change(key, value):
        await far.set(key, value)
        near.pop(key, None)

    await _raced(world, read, change)


@right("each of the two has a dict of its own")
async def two_user_dicts(world):
    far = _far(world)

    def made():
        near = Near()

        async def read(key):
            if key not in near:
                near[key] = await far.get(key)
            return near[key]

        async def change(key, value):
            await far.set(key, value)
            near.pop(key, None)

        return read, change

    await far.set("k", "old")
    world.actor("reader", made()[0], "k")
    world.actor("writer", made()[1], "k", "new")
    await world.run()
    assert await made()[0]("k") == "new"


async def _numbered(world, take):
    far = _far(world)

    async def publish():
        number = take()
        await far.set("last", number)

    world.actor("a", publish)
    world.actor("b", publish)
    await world.run()
    assert await far.get("last") == "2"


@broken("a takes 1, b takes 2 and publishes it, and then a publishes 1")
async def numbers_of_itertools_count(world):
    await _numbered(world, itertools.count(1).__next__)


@broken("a takes 1, b takes 2 and publishes it, and then a publishes 1")
async def numbers_that_next_takes(world):
    numbers = itertools.count(1)
    await _numbered(world, lambda: next(numbers))


@broken("a takes 1, b takes 2 and publishes it, and then a publishes 1")
async def numbers_of_one_iterator_of_a_list(world):
    numbers = iter([1, 2])
    await _numbered(world, lambda: next(numbers))


@broken("a takes 1, b takes 2 and publishes it, and then a publishes 1")
async def numbers_of_a_generator(world):
    numbers = (number for number in (1, 2))
    await _numbered(world, lambda: next(numbers))


@right("Redis counts and publishes in one command")
async def numbers_of_redis(world):
    far = _far(world)
    world.actor("a", far.incr, "last")
    world.actor("b", far.incr, "last")
    await world.run()
    assert await far.get("last") == "2"


async def _served(world, keep, find):
    far = _far(world)

    async def handle(user):
        keep(user)
        await far.get("x")
        return find()

    world.actor("ann", handle, "ann")
    world.actor("bob", handle, "bob")
    assert await world.run() == {"ann": "ann", "bob": "bob"}


@broken("all tasks run on one thread, so ann is answered what bob has put there while she waited")
async def the_user_in_a_local_of_the_thread(world):
    local = threading.local()
    await _served(world, lambda user: setattr(local, "user", user), lambda: local.user)


@right("every task has a context of its own")
async def the_user_in_a_context_variable(world):
    user = contextvars.ContextVar("user")
    await _served(world, user.set, user.get)


@broken("the two tasks were given one context: the second sets what the first will get")
async def the_user_in_one_context_for_two_tasks(world):
    far, user = _far(world), contextvars.ContextVar("user")

    async def handle(name):
        user.set(name)
        await far.get(name)
        return user.get()

    async def serve():
        context = contextvars.copy_context()
        tasks = [asyncio.create_task(handle(name), context=context) for name in ("ann", "bob")]
        return await asyncio.gather(*tasks)

    world.actor("server", serve)
    assert await world.run() == {"server": ["ann", "bob"]}


@right("a task that is given no context gets a copy")
async def the_user_in_a_context_for_each_task(world):
    far, user = _far(world), contextvars.ContextVar("user")

    async def handle(name):
        user.set(name)
        await far.get(name)
        return user.get()

    async def serve():
        tasks = [asyncio.create_task(handle(name)) for name in ("ann", "bob")]
        return await asyncio.gather(*tasks)

    world.actor("server", serve)
    assert await world.run() == {"server": ["ann", "bob"]}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
