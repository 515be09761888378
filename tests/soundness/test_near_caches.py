"""Near caches in front of Redis, as teams write them: stamps, negatives, layers, lives, tenants."""

import itertools
import threading
import time
from dataclasses import dataclass

import pytest

from tests.soundness.truth import broken, right, systems_of

MISSING = object()


def _client(world, **values):
    redis = world.existing_cache.client(decode_responses=True)
    for key, value in values.items():
        redis.set(key, value)
    return redis


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


class Catalog:
    """Loads on a miss; who changes a price says in which order it writes and forgets."""

    def __init__(self, redis):
        self.redis = redis
        self._near: dict[str, str] = {}

    def price(self, key):
        try:
            return self._near[key]
        except KeyError:
            return self._near.setdefault(key, self.redis.get(key))

    def forget_then_write(self, key, value):
        del self._near[key]
        self.redis.set(key, value)

    def write_then_forget(self, key, value):
        self.redis.set(key, value)
        del self._near[key]


@broken("the reader misses after the forgetting and keeps the old price before the write")
def forgetting_before_writing(world):
    catalog = Catalog(_client(world, k="old"))
    catalog.price("k")
    _both(world, lambda: catalog.price("k"), lambda: catalog.forget_then_write("k", "new"))
    assert catalog.price("k") == "new"


@right("the entry is warm until the write is done, so no reader loads an old price after it")
def forgetting_after_writing_a_warm_entry(world):
    catalog = Catalog(_client(world, k="old"))
    catalog.price("k")
    _both(world, lambda: catalog.price("k"), lambda: catalog.write_then_forget("k", "new"))
    assert catalog.price("k") == "new"


class Stamped:
    """Keeps the value with the highest stamp."""

    def __init__(self, redis):
        self.redis = redis
        self.stamps = itertools.count(1)
        self.lock = threading.Lock()
        self.near = (0, None)

    def _keep(self, stamp, value):
        with self.lock:
            if stamp > self.near[0]:
                self.near = (stamp, value)

    def stamp_before_loading(self):
        stamp = next(self.stamps)
        self._keep(stamp, self.redis.get("k"))

    def stamp_after_loading(self):
        value = self.redis.get("k")
        self._keep(next(self.stamps), value)

    def change(self, value):
        self.redis.set("k", value)
        self._keep(next(self.stamps), value)


@broken("old is loaded, the change takes stamp 1, and the old value is kept with stamp 2")
def a_stamp_taken_after_the_load(world):
    cache = Stamped(_client(world, k="old"))
    _both(world, cache.stamp_after_loading, lambda: cache.change("new"))
    assert cache.near[1] == "new"


@right("an old value was loaded after its stamp was taken, so the change has the higher stamp")
def a_stamp_taken_before_the_load(world):
    cache = Stamped(_client(world, k="old"))
    _both(world, cache.stamp_before_loading, lambda: cache.change("new"))
    assert cache.near[1] == "new"


@dataclass
class Generation:
    number: int = 0


@broken("the reader takes the number after its load, so it does not see that it is outdated")
def a_generation_taken_too_late(world):
    redis, near, generation, lock = _client(world, k="old"), {}, Generation(), threading.Lock()

    def load():
        value = redis.get("k")
        seen = generation.number
        with lock:
            if generation.number == seen:
                near["k"] = value

    def change():
        redis.set("k", "new")
        with lock:
            generation.number += 1
            near.pop("k", None)

    _both(world, load, change)
    assert near.get("k", "new") == "new"


@right("a load that began before the change finds another number, and keeps nothing")
def a_generation_taken_first(world):
    redis, near, generation, lock = _client(world, k="old"), {}, Generation(), threading.Lock()

    def load():
        seen = generation.number
        value = redis.get("k")
        with lock:
            if generation.number == seen:
                near["k"] = value

    def change():
        redis.set("k", "new")
        with lock:
            generation.number += 1
            near.pop("k", None)

    _both(world, load, change)
    assert near.get("k", "new") == "new"


class Users:
    def __init__(self, redis, forgets_negatives):
        self.redis, self.known, self.unknown = redis, {}, set()
        self.forgets_negatives = forgets_negatives

    def find(self, name):
        if name in self.unknown:
            return None
        found = self.redis.get(name)
        if found is None:
            self.unknown.add(name)
        return found

    def sign_up(self, name):
        self.redis.set(name, "here")
        if self.forgets_negatives:
            self.unknown.discard(name)


@broken("the search finds nobody, the user signs up, and then nobody is what is remembered")
def a_negative_answer_remembered_too_late(world):
    users = Users(_client(world), forgets_negatives=True)
    _both(world, lambda: users.find("ann"), lambda: users.sign_up("ann"))
    assert users.find("ann") == "here"


@right("other names are remembered as unknown, never the one that signs up")
def a_negative_answer_of_another_name(world):
    users = Users(_client(world), forgets_negatives=True)
    _both(world, lambda: users.find("bob"), lambda: users.sign_up("ann"))
    assert users.find("ann") == "here"


def _layered(world, outer_first):
    redis = _client(world, k="new")
    inner, outer = {"k": "old"}, {}

    def read():
        if (value := outer.get("k", MISSING)) is MISSING:
            if (value := inner.get("k", MISSING)) is MISSING:
                value = redis.get("k")
            outer["k"] = value
        return value

    def forget():
        for layer in (outer, inner) if outer_first else (inner, outer):
            layer.pop("k", None)

    _both(world, read, forget)
    return read()


@broken("the outer layer is emptied first and filled again from the inner one")
def two_layers_emptied_from_the_outside(world):
    assert _layered(world, outer_first=True) == "new"


@broken("a read that saw the inner layer before still fills the outer one at the end")
def two_layers_emptied_from_the_inside(world):
    assert _layered(world, outer_first=False) == "new"


@right("each goes through both layers under one lock")
def two_layers_under_one_lock(world):
    redis, lock = _client(world, k="new"), threading.RLock()
    inner, outer = {"k": "old"}, {}

    def read():
        with lock:
            return outer.setdefault("k", inner.get("k") or redis.get("k"))

    def forget():
        with lock:
            outer.pop("k", None)
            inner.pop("k", None)

    _both(world, read, forget)
    assert read() == "new"


class Expiring:
    def __init__(self, redis, life):
        self.redis, self.life, self.entry = redis, life, None

    def get(self):
        entry = self.entry
        if entry is None or entry[1] <= time.monotonic():
            value = self.redis.get("k")
            self.entry = entry = (value, time.monotonic() + self.life)
        return entry[0]


@broken("the entry lives for ten seconds, and the reader looks again after one")
def a_life_longer_than_the_patience(world):
    redis = _client(world, k="old")
    cache = Expiring(redis, life=10)

    def look():
        cache.get()
        time.sleep(1)  # noqa: TID251 - the check moves a virtual clock
        assert cache.get() == "new"

    _both(world, look, lambda: redis.set("k", "new") and None)


@right("what was kept before the change has ended when ten seconds are over")
def a_life_that_is_waited_for(world):
    redis = _client(world, k="old")
    cache = Expiring(redis, life=10)

    def change():
        redis.set("k", "new")

    _both(world, cache.get, change)
    time.sleep(30)  # noqa: TID251 - the check moves a virtual clock
    assert cache.get() == "new"


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
