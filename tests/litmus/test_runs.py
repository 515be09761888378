"""How a run of the world ends: by a deadlock, beside a daemon, on a condition, without actors."""

import asyncio
import time

import pytest

from pytest_supercache import SupercacheError, Verdict, check


def test_a_second_run_does_not_forget_the_deadlock_of_the_first():
    def body(world):
        left, right = world.locks = (_lock(world), _lock(world))

        def cross(one, other):
            with one, other:
                pass

        world.actor("alice", cross, left, right)
        world.actor("bob", cross, right, left)
        world.run()
        world.actor("carol", world.existing_cache.client().get, "k")
        world.run()

    assert check(body).verdict is Verdict.VIOLATED


def test_the_body_does_not_wait_for_what_a_deadlock_holds():
    def body(world):
        left, right = world.locks = (_lock(world), _lock(world))
        cache = world.existing_cache.client()

        def cross(one, other, name):
            cache.set(name, "held")
            with one, other:
                cache.delete(name)

        world.actor("alice", cross, left, right, "alice's")
        world.actor("bob", cross, right, left, "bob's")
        world.run()
        while cache.exists("alice's", "bob's"):
            time.sleep(1)  # noqa: TID251 - code under test sleeps

    found = check(body).counterexample
    assert found is not None
    assert [violation.guarantee for violation in found.violations] == ["answers"]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_body_may_take_a_lock_that_a_race_cut_short_would_not_have_released(is_async):
    assert check(awaited_by_polling if is_async else locked_by_polling).verdict is Verdict.HOLDS


def locked_by_polling(world):
    cache = world.existing_cache.client()

    def enter():
        while not cache.set("lock", "held", nx=True):
            time.sleep(0.1)  # noqa: TID251 - code under test sleeps
        cache.delete("lock")

    world.actor("alice", enter)
    world.actor("bob", enter)
    world.run()
    enter()
    assert not cache.exists("lock")


async def awaited_by_polling(world):
    cache = world.existing_cache.aclient()

    async def enter():
        while not await cache.set("lock", "held", nx=True):
            await asyncio.sleep(0.1)
        await cache.delete("lock")

    world.actor("alice", enter)
    world.actor("bob", enter)
    await world.run()
    await enter()
    assert not await cache.exists("lock")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_body_that_polls_for_ever_is_named(moment):
    def body(world):
        cache = world.existing_cache.client()
        world.actor("alice", cache.set, "k", "1")
        if moment == "after":
            world.run()
        while not cache.get("ready"):
            time.sleep(1)  # noqa: TID251 - code under test sleeps

    found = check(body)
    assert found.verdict is Verdict.UNKNOWN
    assert "body took 10000 steps outside the race" in found.reasons[0]


def test_a_body_that_polls_until_a_key_has_run_out_goes_on():
    def body(world):
        cache = world.existing_cache.client()
        world.actor("alice", cache.set, "k", "1", px=2_500)
        world.run()
        for _ in range(3):
            assert cache.get("k") == b"1"
            time.sleep(1)  # noqa: TID251 - code under test sleeps
        assert cache.get("k") is None

    assert check(body, ticks=0).verdict is Verdict.HOLDS


def _lock(_world):
    from pytest_supercache.runtime.sync.locks import Lock

    return Lock()


def test_actors_that_never_ran_are_an_error_and_so_is_nobody():
    with pytest.raises(SupercacheError, match=r"world\.run\(\) was not called"):
        check(lambda world: world.actor("alice", lambda: 1))
    with pytest.raises(SupercacheError, match="registered no actor"):
        check(lambda world: None)  # noqa: ARG005 - a body takes a world


def test_a_daemon_with_a_period_may_end_waiting():
    def body(world):
        cache = world.existing_cache.client()

        def poll():
            while True:
                time.sleep(1)  # noqa: TID251 - code under test sleeps
                cache.get("k")

        world.actor("poller", poll, daemon=True)
        world.actor("alice", cache.set, "k", "1")
        world.run()

    assert check(body, ticks=0).verdict is Verdict.HOLDS


def test_a_condition_on_memory_is_seen_when_another_actor_ends():
    def body(world):
        done = []

        def work():
            world.existing_cache.client().get("k")
            done.append(1)

        world.actor("worker", work)
        world.actor("waiter", world.wait_until, lambda: done)
        world.run()

    assert check(body).verdict is Verdict.HOLDS
