"""dogpile.cache: an invalidation misses a creator that is at work; its lock holds others back."""

import pytest
from dogpile.cache import make_region

from tests.adapters.flows import is_conflict, judged, refreshing


def memory(_world):
    return make_region().configure("dogpile.cache.memory")


def redis(_world):
    return make_region().configure(
        "dogpile.cache.redis", arguments={"host": "production", "distributed_lock": False}
    )


@pytest.mark.parametrize("configure", [memory, redis])
def test_a_value_read_before_a_hard_invalidation_is_stamped_after_it(configure):
    def make(world):
        region = configure(world)

        def read():
            return region.get_or_create("k", lambda: world.origin.get("k"))

        return read, lambda: region.invalidate(hard=True)

    assert is_conflict(refreshing(make))


def test_two_who_miss_the_same_key_create_it_once():
    def body(world):
        region, calls = memory(world), []

        def create():
            calls.append(world.origin.get("k"))
            return 1

        for name in "ab":
            world.actor(name, region.get_or_create, "k", create)
        world.run()
        assert len(calls) == 1

    assert not is_conflict(judged(body))
