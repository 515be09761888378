"""Two readings of the clock by code under test: time may pass between them, or the verdict says no.

An early tick comes at switch points only. The code before an actor's first step is one with that
step, unless it reads the clock while a tick could come; readings in any other step are a bound.
"""

import asyncio
import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import pytest

from pytest_supercache import Verdict, check

SAID = "no time passing between readings of the clock in one step (tests.soundness."
SLEEP = time.sleep  # noqa: TID251 - what code under test does


class Kept:
    """A value that lives for five seconds."""

    def __init__(self):
        self.until = time.monotonic() + 5

    def is_fresh(self):
        return time.monotonic() < self.until

    def value(self):
        if not self.is_fresh():
            raise KeyError
        return 1


def look_then_use(kept, between):
    if kept.is_fresh():
        between("k")
        kept.value()


def checked(*, is_step_between, sleeps=True, **options):
    def body(world):
        kept, redis = Kept(), world.existing_cache.client()
        between = redis.get if is_step_between else str
        world.actor("alice", look_then_use, kept, between)
        world.actor("bob", SLEEP if sleeps else redis.get, 5)
        world.run()

    return check(body, **{"ticks": 1, **options})


@pytest.mark.parametrize("memory", ["auto", "declared", "shared"])
@pytest.mark.parametrize("ticks", [1, "auto"])
def test_time_passes_between_code_that_reads_the_clock_and_its_first_step(memory, ticks):
    result = checked(is_step_between=True, memory=memory, ticks=ticks)
    assert result.verdict is Verdict.VIOLATED
    assert SAID not in result.coverage


def test_that_start_is_a_step_where_a_tick_could_come_only():
    found = [
        checked(is_step_between=True, stop_at_first=False, **options)
        for options in ({}, {"search": "all-schedules"}, {"ticks": 0}, {"sleeps": False})
    ]
    assert [bool(result.violating) for result in found] == [True, True, False, False]
    assert [result.executions for result in found[2:]] == [1, 1]


def test_in_one_step_it_does_not_pass_and_the_verdict_says_so():
    result = checked(is_step_between=False)
    assert (result.verdict, SAID in result.coverage) == (Verdict.HOLDS, True)


@pytest.mark.parametrize("options", [{"ticks": 0}, {"sleeps": False}])
def test_nothing_is_said_where_no_tick_could_come(options):
    result = checked(is_step_between=False, **options)
    assert (result.verdict, SAID in result.coverage) == (Verdict.HOLDS, False)


@pytest.mark.parametrize("seconds", [5, None])
def test_time_after_a_reply_is_a_bound_where_an_entry_has_a_time_to_live(seconds):
    def body(world):
        redis = world.existing_cache.client()
        redis.set("k", 1, ex=seconds)
        until = time.monotonic() + 5

        def use():
            assert redis.get("k") is None or time.monotonic() < until

        world.actor("alice", use)
        world.actor("bob", redis.get, "other")
        world.run()

    result = check(body, ticks=1)
    said = "no time passing after a step until the clock is read (tests.soundness."
    assert (result.verdict, said in result.coverage) == (Verdict.HOLDS, seconds is not None)


# -- of two users ----------------------------------------------------------------------------------

EQUAL = (
    "no difference between readings of the clock by users who know nothing of each other (tests."
)


class Register:
    """The value with the latest stamp, which two users set."""

    def __init__(self, redis):
        self.redis = redis
        self.lock = threading.Lock()

    def set(self, value, *, is_locked):
        with self.lock if is_locked else nullcontext():
            stamp = time.monotonic()
            if float(self.redis.get("stamp") or 0) < stamp:
                self.redis.mset({"stamp": stamp, "value": value})
            return stamp


def registered(*, is_locked=False, users="ab", before=0, **options):
    """Check users who set the register; each has looked at the clock so often before."""

    def user(register):
        for _ in range(before):
            time.monotonic()
        return register.set("new", is_locked=is_locked)

    def body(world):
        redis = world.existing_cache.client()
        register = Register(redis)
        for name in users:
            world.actor(name, user, register)
        stamps = world.run().values()
        assert float(redis.get("stamp")) == max(stamps)

    return check(body, **options)


@pytest.mark.parametrize("is_locked", [False, True])
def test_that_the_older_stamp_is_stored_last_is_tried(is_locked):
    result = registered(is_locked=is_locked)
    assert result.verdict is (Verdict.HOLDS if is_locked else Verdict.VIOLATED)
    assert EQUAL not in result.coverage


class AsyncRegister:
    """The same, for coroutines; the server may compare and store in one step."""

    NEWER = (
        "if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then "
        "redis.call('SET', KEYS[1], ARGV[1]) end"
    )

    def __init__(self, redis):
        self.redis = redis

    async def set(self, *, is_atomic):
        stamp = time.time_ns() // 1000
        if is_atomic:
            await self.redis.eval(self.NEWER, 1, "stamp", stamp)
        elif int(await self.redis.get("stamp") or 0) < stamp:
            await self.redis.set("stamp", stamp)
        return stamp


@pytest.mark.parametrize("is_atomic", [False, True])
def test_that_the_older_stamp_of_a_coroutine_is_stored_last_is_tried(is_atomic):
    async def body(world):
        redis = world.existing_cache.aclient()
        for name in "ab":
            world.actor(name, partial(AsyncRegister(redis).set, is_atomic=is_atomic))
        stamps = (await world.run()).values()
        assert int(await redis.get("stamp")) == max(stamps)
        assert time.time_ns() // 1000 >= max(stamps)

    result = check(body)
    assert result.verdict is (Verdict.HOLDS if is_atomic else Verdict.VIOLATED)
    assert EQUAL not in result.coverage


def test_a_callback_of_the_loop_reads_no_earlier_time_than_what_it_looks_at():
    async def body(world):
        redis = world.existing_cache.aclient()
        stamps, earlier = [], []

        def look():
            earlier.extend(stamp for stamp in stamps if time.monotonic() < stamp)

        async def set_stamp():
            await redis.incr("n")
            stamps.append(time.monotonic())
            asyncio.get_running_loop().call_soon(look)

        async def read():
            time.monotonic()
            await redis.incr("n")
            look()

        world.actor("a", set_stamp)
        world.actor("b", read)
        await world.run()
        assert not earlier

    assert check(body).verdict is Verdict.HOLDS


def test_readings_are_steps_only_where_two_users_were_shown_one_time():
    def steps(**options):
        result = registered(**options)
        found = result.counterexample
        return () if found is None else tuple(step.label for step in found.trace)

    assert any(label.startswith("read the clock (tests.") for label in steps())
    assert registered(is_locked=True).executions == 2


def test_the_verdict_says_where_two_users_are_shown_one_time_nevertheless():
    result = registered(memory="declared")
    assert (result.verdict, EQUAL in result.coverage) == (Verdict.HOLDS, True)


@pytest.mark.parametrize(("users", "before"), [("ab", 1), ("abc", 0)])
def test_the_first_four_readings_of_all_users_are_steps(users, before):
    assert registered(users=users, before=before).verdict is Verdict.VIOLATED


def test_a_loop_that_reads_the_clock_until_a_deadline_ends():
    def wait(redis):
        until = time.time_ns() // 1000 + 50
        while time.time_ns() // 1000 < until:
            pass
        redis.incr("n")

    def body(world):
        redis = world.existing_cache.client()
        for name in "ab":
            world.actor(name, wait, redis)
        world.run()
        assert redis.get("n") == b"2"

    result = check(body)
    assert (result.verdict, EQUAL in result.coverage) == (Verdict.HOLDS, True)


class Document:
    """Is stamped under its lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stamp = datetime.min.replace(tzinfo=UTC)

    def save(self):
        with self.lock:
            self.stamp = datetime.now(UTC)
            return self.stamp


@pytest.mark.parametrize("as_answer", [datetime.timestamp, datetime.isoformat])
def test_a_time_in_an_answer_is_no_other_answer_than_in_the_first_run(as_answer):
    """What is known of the steps decides by how many microseconds readings differ."""

    def body(world):
        document = Document()
        for name in "ab":
            world.actor(name, lambda: as_answer(document.save()))
        world.run()

    assert check(body).verdict is Verdict.HOLDS


def test_nanoseconds_are_shown_as_exactly_as_microseconds():
    def read():
        return [time.time_ns() for _ in range(20)]

    def body(world):
        world.actor("a", read)
        shown = world.run()["a"]
        assert [later - earlier for earlier, later in pairwise(shown)] == [1000] * 19

    assert check(body).verdict is Verdict.HOLDS


def test_the_clock_of_the_loop_is_the_monotonic_one_as_in_production():
    async def body(world):
        redis = world.existing_cache.aclient()
        early = []

        async def wait():
            loop, done, start = asyncio.get_running_loop(), asyncio.Event(), time.monotonic()
            await redis.incr("n")
            early.append(loop.time() < start)
            loop.call_at(start + 5, done.set)
            await done.wait()
            early.append(not start + 5 <= time.monotonic() < start + 5.1)

        world.actor("a", wait)
        world.actor("b", wait)
        await world.run()
        assert not any(early)

    assert check(body).verdict is Verdict.HOLDS


def kept_by_stamp(*, reads_first):
    """Return a body in which tasks keep a value only if its stamp of the loop is the latest."""

    async def body(world):
        redis, lock = world.existing_cache.aclient(), asyncio.Lock()
        loop = asyncio.get_running_loop()

        async def keep(value):
            stamp = loop.time()
            await redis.get("before")
            async with lock:
                stamp = stamp if reads_first else loop.time()
                known = await redis.get("stamp")
                assert known is None or float(known) < stamp, "the value is dropped"
                await redis.mset({"stamp": repr(stamp), "value": value})

        for name in "ab":
            world.actor(name, keep, name)
        await world.run()

    return body


@pytest.mark.parametrize("reads_first", [True, False])
def test_two_stamps_of_a_loop_are_never_one_and_may_come_in_the_other_order(reads_first):
    verdict = check(kept_by_stamp(reads_first=reads_first), guarantees=()).verdict
    assert verdict is (Verdict.VIOLATED if reads_first else Verdict.HOLDS)
