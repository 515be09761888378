"""What fails when users take turns: a broken invalidation, a leftover, a race. At every grain."""

import asyncio
import contextlib
import inspect
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Verdict, check
from pytest_supercache.core.verdict import Label
from pytest_supercache.reference import FixedShop, NaiveShop
from tests.selection import few

KEY = "product:42"


class Forgetful(FixedShop):
    """Right in every race, but it invalidates another key than the one it has changed."""

    def _invalidate(self, key):
        super()._invalidate(f"{key}:price")


def price_change(make, *, is_warm):
    """A reader and a writer; a warm cache leaves the reader nothing to fill."""

    def body(world):
        world.origin.set(KEY, {"price": 100})
        shop = make(world.node("a"))
        if is_warm:
            shop.get(KEY)
        world.actor("alice", shop.get, KEY)
        world.actor("bob", shop.set, KEY, {"price": 120})
        world.run()
        world.settle()

    return body


class Leftover:
    """Keeps, as redis-py 5.2 did, the last key on the connection that all commands share."""

    def __init__(self, redis, *, is_fixed):
        self.redis = redis
        self.is_fixed = is_fixed
        self.cached = {}
        self.current = None

    def get(self, key):
        self.current = key
        if key not in self.cached:
            self.cached[key] = self.redis.get(key)
        return self.cached[key]

    def pipeline(self, key):
        if self.is_fixed:
            return self.redis.get(key)
        answer = self.redis.get(key)
        return self.cached.get(self.current, answer)


def two_users(*, is_fixed):
    def body(world):
        redis = world.existing_cache.client(decode_responses=True)
        for name in ("alice", "bob"):
            redis.set(name, f"{name}-secret")
        client = Leftover(redis, is_fixed=is_fixed)
        world.actor("alice", client.get, "alice")
        world.actor("bob", client.pipeline, "bob")
        assert world.run()["bob"] == "bob-secret"

    return body


@pytest.mark.parametrize("grain", few(["command", "wire"], 1))
@pytest.mark.parametrize(
    ("body", "label"),
    [
        (price_change(Forgetful, is_warm=True), Label.PLAIN_BUG),
        (two_users(is_fixed=False), Label.ORDER_BUG),
        (price_change(NaiveShop, is_warm=False), Label.CONFLICT),
    ],
    ids=["broken invalidation", "leftover", "race"],
)
def test_a_label_says_whether_it_takes_concurrency(body, label, grain):
    found = check(body, guarantees=[COHERENT_WHEN_SETTLED], grain=grain, memory="declared")
    assert (found.verdict, found.label) == (Verdict.VIOLATED, label)


def test_without_the_leftover_it_holds():
    assert check(two_users(is_fixed=True)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("is_warm", [False, True])
def test_with_the_right_invalidation_it_holds(is_warm):
    body = price_change(FixedShop, is_warm=is_warm)
    result = check(body, guarantees=[COHERENT_WHEN_SETTLED])
    assert result.verdict is Verdict.HOLDS, result.reasons


def in_a_pool(job, *, waits):
    """Let a user have a job done, and look at what it was to do once it is done, or at once."""

    def body(world):
        state = {"is_done": False}

        def flow():
            with ThreadPoolExecutor(1) as pool:
                future = pool.submit(job, state)
                if waits:
                    future.result()
                assert state["is_done"]

        world.actor("alice", flow)
        world.run()

    return body


def do_it(state):
    state["is_done"] = True


def fail(_state):
    raise ValueError("whatever the schedule")


@pytest.mark.parametrize(
    ("job", "waits", "label"),
    [(do_it, False, Label.CONFLICT), (do_it, True, None), (fail, True, Label.PLAIN_BUG)],
)
def test_a_job_that_comes_too_late_races_with_who_has_submitted_it(job, waits, label):
    assert check(in_a_pool(job, waits=waits)).label is label


def with_pauses(change):
    """Let two coroutines pause before they write what they have made of what they read."""

    async def body(world):
        state = {"count": 0}

        async def flow():
            before = state["count"]
            await asyncio.sleep(0.1)
            state["count"] = change(before)

        world.actor("alice", flow)
        world.actor("bob", flow)
        await world.run()
        assert state["count"] == 2

    return body


@pytest.mark.parametrize(
    ("change", "label"),
    [(lambda before: before + 1, Label.CONFLICT), (lambda before: before, Label.PLAIN_BUG)],
    ids=["counts", "forgets to count"],
)
def test_users_who_go_on_while_another_one_pauses_do_not_take_turns(change, label):
    assert check(with_pauses(change)).label is label


class Coalesced:
    """Users wait for one load; a user's timeout cancels it, unless it is shielded."""

    def __init__(self, *, fails):
        self.fails = fails
        self.load = None

    async def loaded(self):
        await asyncio.sleep(0.3)
        return None if self.fails else 7

    async def get(self, timeout):
        if self.load is None:
            self.load = asyncio.create_task(self.loaded())
            self.load.add_done_callback(lambda _: setattr(self, "load", None))
        return await asyncio.wait_for(self.load, timeout)


def coalesced(*, fails):
    async def body(world):
        cache = Coalesced(fails=fails)

        async def hurry():
            with contextlib.suppress(TimeoutError):
                await cache.get(0.1)

        async def wait():
            return await cache.get(None)

        world.actor("alice", hurry)
        world.actor("bob", wait)
        assert (await world.run())["bob"] == 7

    return body


def test_a_user_who_begins_while_another_one_waits_does_not_take_a_turn():
    assert check(coalesced(fails=False)).label is Label.CONFLICT


def test_what_fails_whoever_waits_is_a_plain_bug():
    assert check(coalesced(fails=True)).label is Label.PLAIN_BUG


class Slow:
    """A writer that sleeps before it does anything, as one that retries later."""

    def __init__(self, redis):
        self.redis = redis

    def get(self, key):
        return self.redis.get(key)

    def set(self, key, value):
        time.sleep(0.5)  # noqa: TID251 - what code under test does
        self.redis.set(key, value)


def slow_writer(world, expected):
    shop = Slow(world.existing_cache.client())
    world.actor("alice", shop.set, KEY, "new")
    world.actor("bob", shop.get, KEY)
    assert world.run()["bob"] in expected


def slow_writer_in_operations(world, expected):
    shop = Slow(world.existing_cache.client())
    world.actor("alice", world.user("alice", shop).write, KEY, "new")
    world.actor("bob", world.user("bob", shop).read, KEY)
    assert world.run()["bob"] in expected


async def slow_writer_of_asyncio(world, expected):
    redis = world.existing_cache.aclient()

    async def write():
        await asyncio.sleep(0.5)
        await redis.set(KEY, "new")

    world.actor("alice", write)
    world.actor("bob", redis.get, KEY)
    assert (await world.run())["bob"] in expected


@pytest.mark.parametrize(
    "body",
    [slow_writer, slow_writer_in_operations, slow_writer_of_asyncio],
    ids=lambda b: b.__name__,
)
@pytest.mark.parametrize(
    ("expected", "label"), [({b"new"}, Label.ORDER_BUG), ({"other"}, Label.PLAIN_BUG)]
)
def test_who_begins_with_a_sleep_is_not_overtaken_in_turns(body, expected, label):
    if inspect.iscoroutinefunction(body):

        async def flow(world):
            await body(world, expected)
    else:

        def flow(world):
            body(world, expected)

    assert check(flow).label is label
