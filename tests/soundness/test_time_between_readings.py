"""Two readings of the clock by code under test: time may pass between them, or the verdict says no.

An early tick comes at switch points only. The code before an actor's first step is one with that
step, unless it reads the clock while a tick could come; readings in any other step are a bound.
"""

import threading
import time
from contextlib import nullcontext
from functools import partial

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


@pytest.mark.parametrize("is_locked", [False, True])
def test_the_verdict_says_where_two_users_are_shown_one_time(is_locked):
    """Both read the clock before they look: that the older stamp is stored last is not tried."""

    def body(world):
        redis = world.existing_cache.client()
        register = Register(redis)
        for name in "ab":
            world.actor(name, partial(register.set, name, is_locked=is_locked))
        stamps = world.run().values()
        assert float(redis.get("stamp")) == max(stamps)

    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert (EQUAL in result.coverage) is not is_locked
