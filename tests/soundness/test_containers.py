"""A near cache in front of one command, held in every kind of container."""

import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _read_and_change(world, get, put, drop):
    """One user reads through the near cache while another changes the value and drops the entry."""
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")

    def read():
        value = get("k")
        if value is None:
            value = redis.get("k")
            put("k", value)
        return value

    def change():
        redis.set("k", "new")
        drop("k")

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert read() == "new"


@broken("the reader loads before the change and stores after the entry was dropped")
def a_dict(world):
    near = {}
    _read_and_change(world, near.get, near.__setitem__, lambda key: near.pop(key, None))


@right("nothing is kept")
def no_container(world):
    _read_and_change(world, lambda _key: None, lambda _key, _value: None, lambda _key: None)


@right("the reader holds the lock from the load to the store, and the writer while it changes")
def a_dict_under_a_lock(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near, lock = {}, threading.Lock()

    def read():
        with lock:
            if "k" not in near:
                near["k"] = redis.get("k")
            return near["k"]

    def change():
        with lock:
            redis.set("k", "new")
            near.pop("k", None)

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert read() == "new"


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
