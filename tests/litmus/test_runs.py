"""How a run of the world ends: by a deadlock, beside a daemon, on a condition, without actors."""

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
