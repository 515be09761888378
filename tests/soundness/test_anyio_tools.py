"""Coroutines that meet at a lock, a limiter, a guard or a stream of anyio, and look at it."""

import anyio
import pytest

from tests.soundness.truth import broken, right, systems_of


class _Refresh:
    """A job that a second caller leaves to the one that is at work, as it believes."""

    def __init__(self, tool):
        self.tool = tool
        self.left = 0

    async def held(self):
        async with self.tool:
            await anyio.sleep(0)

    async def by_locked(self):
        if self.tool.locked():
            self.left += 1
        else:
            await self.held()

    async def by_statistics(self):
        if self.tool.statistics().locked:
            self.left += 1
        else:
            await self.held()

    async def by_value(self):
        if not self.tool.value:
            self.left += 1
        else:
            await self.held()

    async def by_borrowed(self):
        if self.tool.borrowed_tokens:
            self.left += 1
        else:
            await self.held()

    async def by_available(self):
        if not self.tool.available_tokens:
            self.left += 1
        else:
            await self.held()

    async def guarded(self):
        try:
            with self.tool:
                await anyio.sleep(0)
        except anyio.BusyResourceError:
            self.left += 1

    async def by_scope(self):
        if not self.tool.cancel_called:
            await anyio.sleep(0)
            self.left += 1
            self.tool.cancel()


async def _refreshed_twice(world, refresh, flow):
    world.actor("a", flow)
    world.actor("b", flow)
    await world.run()
    return refresh.left


@broken("b comes while a holds the lock, and does nothing")
async def a_lock_that_is_looked_at(world):
    refresh = _Refresh(anyio.Lock())
    assert not await _refreshed_twice(world, refresh, refresh.by_locked)


@broken("as above, by the statistics of the lock")
async def statistics_of_a_lock(world):
    refresh = _Refresh(anyio.Lock())
    assert not await _refreshed_twice(world, refresh, refresh.by_statistics)


@broken("b comes while a has the only place")
async def the_value_of_a_semaphore(world):
    refresh = _Refresh(anyio.Semaphore(1))
    assert not await _refreshed_twice(world, refresh, refresh.by_value)


@broken("b comes while a has the only token")
async def borrowed_tokens_of_a_limiter(world):
    refresh = _Refresh(anyio.CapacityLimiter(1))
    assert not await _refreshed_twice(world, refresh, refresh.by_borrowed)


@broken("b comes while a has the only token")
async def available_tokens_of_a_limiter(world):
    refresh = _Refresh(anyio.CapacityLimiter(1))
    assert not await _refreshed_twice(world, refresh, refresh.by_available)


@broken("b enters the guard while a is inside")
async def a_guard_that_two_enter(world):
    refresh = _Refresh(anyio.ResourceGuard())
    assert not await _refreshed_twice(world, refresh, refresh.guarded)


@broken("both find the scope not cancelled, so both do the work")
async def a_scope_that_is_asked_whether_it_is_cancelled(world):
    refresh = _Refresh(anyio.CancelScope())
    assert await _refreshed_twice(world, refresh, refresh.by_scope) == 1


@right("b waits for the lock that a holds")
async def a_lock_that_is_waited_for(world):
    refresh = _Refresh(anyio.Lock())
    assert not await _refreshed_twice(world, refresh, refresh.held)


@right("a guard of its own for each")
async def guards_of_their_own(world):
    refreshes = [_Refresh(anyio.ResourceGuard()) for _ in range(2)]
    for name, refresh in zip("ab", refreshes, strict=True):
        world.actor(name, refresh.guarded)
    await world.run()
    assert not any(refresh.left for refresh in refreshes)


async def _numbered(world, *, is_locked):
    lock, numbers = anyio.Lock(), {"next": 0}

    async def take():
        found = numbers["next"]
        await anyio.sleep(0)
        numbers["next"] = found + 1

    async def take_alone():
        async with lock:
            await take()

    flow = take_alone if is_locked else take
    world.actor("a", flow)
    world.actor("b", flow)
    await world.run()
    assert numbers["next"] == 2


@broken("both read 0")
async def numbers_without_a_lock(world):
    await _numbered(world, is_locked=False)


@right("the second one reads what the first one wrote")
async def numbers_under_a_lock(world):
    await _numbered(world, is_locked=True)


async def _resized(world, *, across):
    limiter = anyio.CapacityLimiter(5)

    async def widen():
        tokens = limiter.total_tokens
        if across:
            await anyio.sleep(0)
            limiter.total_tokens = tokens + 1
        else:
            limiter.total_tokens = tokens + 1
            await anyio.sleep(0)

    world.actor("a", widen)
    world.actor("b", widen)
    await world.run()
    assert limiter.total_tokens == 7


@broken("both read 5 tokens")
async def a_limiter_widened_across_an_await(world):
    await _resized(world, across=True)


@right("nobody comes between the look and the store")
async def a_limiter_widened_without_an_await(world):
    await _resized(world, across=False)


async def _sent_once(world, *, across):
    send, receive = anyio.create_memory_object_stream(5)

    async def send_if_empty():
        if not receive.statistics().current_buffer_used:
            if across:
                await anyio.sleep(0)
            send.send_nowait("job")

    world.actor("a", send_if_empty)
    world.actor("b", send_if_empty)
    await world.run()
    sent = send.statistics().current_buffer_used
    send.close()
    receive.close()
    assert sent == 1


@broken("both find the stream empty")
async def a_stream_filled_across_an_await(world):
    await _sent_once(world, across=True)


@right("nobody comes between the look and the send")
async def a_stream_filled_without_an_await(world):
    await _sent_once(world, across=False)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
