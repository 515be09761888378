"""What a super cache keeps: for how long, and which of the values that it is sent."""

import threading
import time

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Faults, Verdict, check


@pytest.mark.parametrize(("ttl", "found"), [(1, None), (3, 7), (None, 7)])
def test_an_entry_is_gone_when_its_time_has_passed_and_not_before(ttl, found):
    def body(world):
        near = world.super_cache

        def flow():
            near.put("k", 7, ttl)
            time.sleep(2)  # noqa: TID251 - what code under test does
            assert near.get("k") == near.peek("k") == found
            assert near.content() == ({} if found is None else {"k": found})

        world.actor("alice", flow)
        world.run()

    assert check(body, ticks=0).verdict is Verdict.HOLDS


@pytest.mark.parametrize("ttl", [1, 9])
def test_an_end_that_comes_after_the_race_heals_nothing(ttl):
    """A daemon's timer is not waited for past the end of an entry: the old value is found."""

    def body(world):
        world.origin.set("k", 1)
        world.super_cache.put("k", 1, ttl)

        def change():
            world.origin.set("k", 2)
            timer = threading.Timer(5, world.super_cache.get, ("k",))
            timer.daemon = True
            timer.start()

        world.actor("bob", change)
        world.run()
        world.settle()

    result = check(body, guarantees=[COHERENT_WHEN_SETTLED], ticks=0)
    assert result.verdict is Verdict.VIOLATED


def sending(versions):
    def body(world):
        caches = [world.node(node).super_cache for node in "ab"]

        def change():
            for value in (1, 2):
                version = world.origin.set("k", value)
                caches[0].send("k", value, version if versions else None)

        world.actor("bob", change)
        world.run()
        world.settle()
        assert [cache.peek("k") for cache in caches] == [2, 2]

    return body


@pytest.mark.parametrize("versions", [False, True])
def test_values_that_are_sent_arrive_in_order_on_every_node(versions):
    assert check(sending(versions), stop_at_first=False).verdict is Verdict.HOLDS


@pytest.mark.parametrize("versions", [False, True])
def test_a_message_that_overtakes_another_does_harm_only_without_versions(versions):
    result = check(sending(versions), faults=Faults(kinds=("reorder_invalidations",)))
    assert result.verdict is (Verdict.HOLDS if versions else Verdict.VIOLATED)


def test_coroutines_send_the_same():
    async def body(world):
        near = world.super_cache

        async def change():
            await near.aio.put("k", 0, 60)
            version = await world.origin.aio.set("k", 1)
            assert await world.origin.aio.replace("k", 2, version)
            assert not await world.origin.aio.replace("k", 3, version)
            await near.aio.send("k", 2, version + 1)

        world.actor("bob", change)
        await world.run()
        await world.settle()
        assert (near.peek("k"), world.origin.peek("k")) == (2, 2)

    assert check(body).verdict is Verdict.HOLDS


def test_the_origin_replaces_only_the_version_that_is_named():
    def body(world):
        def change():
            assert world.origin.set("k", 1) == 1
            assert not world.origin.replace("k", 2, 0)
            assert world.origin.replace("k", 2, 1)
            assert world.origin.delete("k") == 3

        world.actor("bob", change)
        world.run()

    assert check(body).verdict is Verdict.HOLDS


def test_a_balancer_reaches_the_super_cache_of_another_node():
    def body(world):
        other = world.layers.at("b").super_cache
        world.actor("alice", other.put, "k", 1)
        world.run()
        assert world.node("b").super_cache.peek("k") == 1
        assert world.super_cache.peek("k") is None

    assert check(body).verdict is Verdict.HOLDS
