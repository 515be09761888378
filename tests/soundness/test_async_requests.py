"""What belongs to one request, what is counted, and what is limited, in coroutines."""

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar

import pytest

from tests.soundness.truth import broken, right, systems_of

ACROSS = "both read the same number before either writes it back"
ONE_TURN = "what is read is written back in one turn, which nothing suspends"

current_user = None
_user = ContextVar("user")


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


@contextmanager
def _as_global(user):
    global current_user
    before, current_user = current_user, user
    try:
        yield lambda: current_user
    finally:
        current_user = before


@contextmanager
def _as_context(user):
    token = _user.set(user)
    try:
        yield _user.get
    finally:
        _user.reset(token)


async def _served(world, entered):
    far = _far(world)

    async def handle(user):
        with entered(user) as asked:
            await far.get("session")
            assert asked() == user

    world.actor("ann", handle, "ann")
    world.actor("bob", handle, "bob")
    await world.run()


@broken("ann asks for the global after bob has put himself there")
async def the_user_in_a_global(world):
    await _served(world, _as_global)


@right("each task has a context of its own")
async def the_user_in_a_context_variable(world):
    await _served(world, _as_context)


class Application:
    """Handles requests with itself as the state, or with a state of each request."""

    def __init__(self, far):
        self.far = far
        self.user = None

    @asynccontextmanager
    async def request(self, user):
        self.user = user
        await self.far.get("session")
        try:
            yield self
        finally:
            self.user = None

    async def by_attribute(self, user):
        async with self.request(user) as state:
            assert state.user == user

    async def by_own_object(self, user):
        async with Application(self.far).request(user) as state:
            assert state.user == user


@broken("bob enters while ann waits for her session")
async def the_user_in_an_attribute_of_the_application(world):
    app = Application(_far(world))
    world.actor("ann", app.by_attribute, "ann")
    world.actor("bob", app.by_attribute, "bob")
    await world.run()


@right("each request has an object of its own")
async def the_user_in_an_object_of_the_request(world):
    app = Application(_far(world))
    world.actor("ann", app.by_own_object, "ann")
    world.actor("bob", app.by_own_object, "bob")
    await world.run()


class Counter:
    """Counts in an attribute."""

    def __init__(self, far):
        self.far = far
        self.count = 0
        self.lock = asyncio.Lock()

    async def across(self):
        count = self.count
        await self.far.get("x")
        self.count = count + 1

    async def operand_across(self):
        self.count += int(await self.far.get("one") or 1)

    async def operand_before(self):
        number = int(await self.far.get("one") or 1)
        self.count += number

    async def _one(self):
        return 1

    async def operand_that_never_suspends(self):
        await self.far.get("x")
        self.count += await self._one()

    async def asleep(self):
        count = self.count
        await asyncio.sleep(0)
        self.count = count + 1

    async def locked(self):
        async with self.lock:
            await self.across()


async def _counted(world, how):
    counter = Counter(_far(world))
    world.actor("a", getattr(counter, how))
    world.actor("b", getattr(counter, how))
    await world.run()
    assert counter.count == 2


@broken(ACROSS)
async def a_count_across_an_await(world):
    await _counted(world, "across")


@right("the lock is held from the read to the write")
async def a_count_across_an_await_under_a_lock(world):
    await _counted(world, "locked")


@broken("`+=` reads its left side before the right side is awaited")
async def an_operand_that_is_awaited(world):
    await _counted(world, "operand_across")


@right(ONE_TURN)
async def an_operand_that_was_awaited_before(world):
    await _counted(world, "operand_before")


@right("the awaited method never suspends, so its await is no place to switch")
async def an_operand_that_never_suspends(world):
    await _counted(world, "operand_that_never_suspends")


@broken("sleep(0) lets the other read the same number")
async def a_count_across_a_sleep_of_nothing(world):
    await _counted(world, "asleep")


class Limit:
    """Lets one in at a time."""

    def __init__(self, far):
        self.far = far
        self.free = 1
        self.inside = 0

    async def enter_late(self):
        if self.free:
            await self.far.get("x")
            self.free -= 1
            await self.work()

    async def enter_at_once(self):
        if self.free:
            self.free -= 1
            await self.far.get("x")
            await self.work()

    async def work(self):
        self.inside += 1
        assert self.inside == 1
        await self.far.get("y")
        self.inside -= 1
        self.free += 1


@broken("both see the free place before either takes it")
async def a_limit_that_is_taken_after_an_await(world):
    limit = Limit(_far(world))
    world.actor("a", limit.enter_late)
    world.actor("b", limit.enter_late)
    await world.run()


@right("the place is taken in the turn in which it was seen")
async def a_limit_that_is_taken_at_once(world):
    limit = Limit(_far(world))
    world.actor("a", limit.enter_at_once)
    world.actor("b", limit.enter_at_once)
    await world.run()


async def _leaked(world, *, has_finally):
    far, places = _far(world), asyncio.Semaphore(1)
    await far.set("k", "text")

    async def work(command):
        await places.acquire()
        if not has_finally:
            await command("k")
            places.release()
            return
        try:
            await command("k")
        finally:
            places.release()

    async def fail():
        with suppress(Exception):
            await work(far.incr)

    world.actor("a", fail)
    world.actor("b", work, far.get)
    await world.run()


@broken("a fails while it has the only place and never gives it back, so b waits for ever")
async def a_semaphore_that_an_error_leaks(world):
    await _leaked(world, has_finally=False)


@right("finally gives the place back")
async def a_semaphore_that_finally_releases(world):
    await _leaked(world, has_finally=True)


async def _batched(world, *, swaps):
    far, waiting, told = _far(world), [], []

    async def flush():
        nonlocal waiting
        if swaps:
            batch, waiting = waiting, []
            await far.rpush("log", *batch)
            return
        await far.rpush("log", *waiting)
        waiting.clear()

    async def tell(text):
        told.append(text)
        waiting.append(text)
        await far.get("x")
        if waiting:
            await flush()

    world.actor("a", tell, "one")
    world.actor("b", tell, "two")
    await world.run()
    assert sorted(await far.lrange("log", 0, -1)) == sorted(told)


@broken("b adds its line, or pushes the same ones, while a waits for its push and then clears all")
async def a_batch_that_is_cleared_after_the_push(world):
    await _batched(world, swaps=False)


@right("the batch is taken away in the turn in which it was looked at")
async def a_batch_that_is_swapped_before_the_push(world):
    await _batched(world, swaps=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
