"""What the loop itself keeps: futures, callbacks, generators that are shared, contexts, timers."""

import asyncio
import contextvars

import pytest

from tests.soundness.truth import broken, right, systems_of


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _settled(world, *, looks_last):
    far, outcome = _far(world), asyncio.get_running_loop().create_future()

    async def decide(key):
        if outcome.done():
            return
        await far.get(key)
        if not looks_last or not outcome.done():
            outcome.set_result(None)

    world.actor("a", decide, "x")
    world.actor("b", decide, "y")
    await world.run()
    assert outcome.done()


@right("the look and set_result come in one turn")
async def a_future_that_two_look_at_again(world):
    await _settled(world, looks_last=True)


async def _streamed(world, *, is_shared):
    far = _far(world)

    async def numbers():
        for number in range(4):
            await far.get("x")
            yield number

    one = numbers()

    async def take():
        await anext(one if is_shared else numbers())

    world.actor("a", take)
    world.actor("b", take)
    await world.run()


@broken("b asks the generator for its next while it waits for a's, which is a RuntimeError")
async def an_async_generator_for_two(world):
    await _streamed(world, is_shared=True)


@right("each has a generator of its own")
async def an_async_generator_for_each(world):
    await _streamed(world, is_shared=False)


async def _ordered(world, take):
    far = _far(world)

    async def publish():
        await far.set("last", await take())

    world.actor("a", publish)
    world.actor("b", publish)
    await world.run()
    assert await far.get("last") == "1"


@broken("a takes 0, b takes 1 and publishes it, and then a publishes 0")
async def numbers_of_an_async_generator_are_published_late(world):
    async def numbers():
        for number in range(2):
            yield number

    await _ordered(world, numbers().__anext__)


class Numbers:
    """Counts for whoever iterates."""

    def __init__(self):
        self.number = -1

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.number += 1
        return self.number


@broken("a takes 0, b takes 1 and publishes it, and then a publishes 0")
async def numbers_of_an_async_iterator_are_published_late(world):
    numbers = Numbers()

    async def take():
        async for number in numbers:
            return number
        return None

    await _ordered(world, take)


@right("the number is taken and published under one lock")
async def numbers_of_an_async_iterator_are_published_under_a_lock(world):
    far, numbers, lock = _far(world), Numbers(), asyncio.Lock()

    async def publish():
        async with lock:
            await far.set("last", await anext(numbers))

    world.actor("a", publish)
    world.actor("b", publish)
    await world.run()
    assert await far.get("last") == "1"


async def _called_back(world, *, is_counted_inside):
    far, near = _far(world), {"hits": 0}

    async def serve(key):
        hits = near["hits"]
        task = asyncio.ensure_future(far.get(key))

        def count(_):
            near["hits"] = (near["hits"] if is_counted_inside else hits) + 1

        task.add_done_callback(count)
        await task

    world.actor("a", serve, "x")
    world.actor("b", serve, "y")
    await world.run()
    assert near["hits"] == 2


@broken("both read the hits before the callback of either writes them")
async def a_callback_that_writes_what_was_read_before(world):
    await _called_back(world, is_counted_inside=False)


@right("the callback reads and writes in one turn")
async def a_callback_that_reads_and_writes(world):
    await _called_back(world, is_counted_inside=True)


async def _soon(world, *, is_checked_inside):
    far, near = _far(world), {"k": "v"}

    async def use():
        loop = asyncio.get_running_loop()
        await far.get("x")

        def drop():
            if is_checked_inside and "k" not in near:
                return
            del near["k"]

        if "k" in near:
            loop.call_later(1, drop)
        await asyncio.sleep(2)

    world.actor("a", use)
    world.actor("b", use)
    await world.run()


@broken("both plan to drop the entry, and the second finds none: a KeyError in a callback")
async def a_planned_callback_that_does_not_look(world):
    await _soon(world, is_checked_inside=False)


@right("the callback looks and drops in one turn")
async def a_planned_callback_that_looks(world):
    await _soon(world, is_checked_inside=True)


class Stamp:
    """What is known of one request."""

    def __init__(self, user):
        self.user = user


NOBODY = Stamp(None)
_stamp = contextvars.ContextVar("stamp", default=NOBODY)


@broken("both change the one object that is the default of the variable")
async def a_context_variable_whose_default_is_changed(world):
    far = _far(world)

    async def handle(user):
        _stamp.get().user = user
        await far.get("x")
        assert _stamp.get().user == user

    world.actor("ann", handle, "ann")
    world.actor("bob", handle, "bob")
    await world.run()


@right("each puts an object of its own into its context")
async def a_context_variable_that_is_set(world):
    far = _far(world)

    async def handle(user):
        _stamp.set(Stamp(user))
        await far.get("x")
        assert _stamp.get().user == user

    world.actor("ann", handle, "ann")
    world.actor("bob", handle, "bob")
    await world.run()


async def _used_by_a_child(world, *, is_handed_over):
    far, near = _far(world), {"k": "v"}

    async def use(value):
        assert (value if is_handed_over else near.get("k")) == "v"

    async def serve():
        await far.get("x")
        if "k" in near:
            await asyncio.create_task(use(near["k"]))

    async def drop():
        await far.set("k", "new")
        near.pop("k", None)

    world.actor("server", serve)
    world.actor("dropper", drop)
    await world.run()


@right("the child is given the value")
async def a_child_that_is_given_what_its_parent_saw(world):
    await _used_by_a_child(world, is_handed_over=True)


async def _woken(world, *, looks_again):
    far, box, full = _far(world), [], asyncio.Event()

    async def wait():
        await full.wait()
        if box or not looks_again:
            box.pop()

    async def fill():
        await far.get("x")
        box.append("item")
        full.set()

    async def steal():
        await far.get("y")
        box.clear()

    waiting = asyncio.create_task(wait())
    await world.settle()
    world.actor("filler", fill)
    world.actor("thief", steal)
    await world.run()
    await waiting


@right("the woken task checks the condition again")
async def an_event_after_which_one_looks_again(world):
    await _woken(world, looks_again=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
