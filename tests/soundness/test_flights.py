"""Stampedes, single flights, updates that fail halfway, and what C code fills by callbacks."""

import contextlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from tests.soundness.truth import broken, right, systems_of


def _client(world, **values):
    redis = world.existing_cache.client(decode_responses=True)
    for key, value in values.items():
        redis.set(key, value)
    return redis


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


class Flights:
    """The second caller waits for the first caller's answer."""

    def __init__(self):
        self.lock = threading.Lock()
        self.flying: dict[str, Future] = {}
        self.loads = 0

    def load(self):
        self.loads += 1
        return "value"

    def without_a_lock(self, key):
        flight = self.flying.get(key)
        if flight is None:
            flight = self.flying[key] = Future()
            flight.set_result(self.load())
        return flight.result()

    def with_a_lock(self, key):
        with self.lock:
            is_mine = key not in self.flying
            flight = self.flying.setdefault(key, Future())
        if is_mine:
            flight.set_result(self.load())
        return flight.result()

    def by_setdefault(self, key):
        mine = Future()
        flight = self.flying.setdefault(key, mine)
        if flight is mine:
            flight.set_result(self.load())
        return flight.result()

    def that_fails(self, key):
        mine = Future()
        flight = self.flying.setdefault(key, mine)
        if flight is mine:
            with contextlib.suppress(ValueError):
                raise ValueError
            return "value"
        return flight.result()

    def that_lands(self, key):
        mine = Future()
        flight = self.flying.setdefault(key, mine)
        if flight is mine:
            try:
                flight.set_result(self.load())
            finally:
                del self.flying[key]
        return flight.result()


def _flies_once(world, fly):
    flights = Flights()
    answers = _both(world, lambda: fly(flights, "k"), lambda: fly(flights, "k"))
    assert set(answers.values()) == {"value"}
    assert flights.loads == 1


@broken("both find no flight and load")
def a_flight_without_a_lock(world):
    _flies_once(world, Flights.without_a_lock)


@right("the flight is found or entered under the lock")
def a_flight_with_a_lock(world):
    _flies_once(world, Flights.with_a_lock)


@right("setdefault enters one flight, and who finds another's waits for it")
def a_flight_entered_by_setdefault(world):
    _flies_once(world, Flights.by_setdefault)


@broken("the first gives no answer to its flight, and the second waits for ever")
def a_flight_that_never_lands(world):
    flights = Flights()
    _both(world, lambda: flights.that_fails("k"), lambda: flights.that_fails("k"))


@broken("the first has landed and left when the second comes, so the second loads too")
def a_flight_that_leaves_nothing(world):
    _flies_once(world, Flights.that_lands)


@dataclass
class Order:
    items: list = field(default_factory=list)
    total: int = 0

    def add(self, name, price):
        self.items.append(name)
        if price < 0:
            raise ValueError(name)
        self.total += price

    def add_or_undo(self, name, price):
        try:
            self.add(name, price)
        except ValueError:
            self.items.remove(name)


@broken("the item of the failed update is seen before it is taken back")
def an_update_that_is_undone(world):
    order = Order()
    seen = _both(world, lambda: order.add_or_undo("a", -1), lambda: list(order.items))["second"]
    assert seen == []


@right("the reader holds the same lock as the failed update and its rollback")
def an_update_that_is_undone_under_a_lock(world):
    order, lock = Order(), threading.Lock()

    def add():
        with lock:
            order.add_or_undo("a", -1)

    def look():
        with lock:
            return list(order.items)

    assert _both(world, add, look)["second"] == []


@contextlib.contextmanager
def busy(state):
    before, state.is_busy = state.is_busy, True
    try:
        yield
    finally:
        state.is_busy = before


@broken("the second saves busy, the first ends, and the second puts busy back at its end")
def a_flag_put_back_by_finally(world):
    state = SimpleNamespace(is_busy=False)

    def work():
        with busy(state):
            pass

    _both(world, work, work)
    assert not state.is_busy


@right("only one is busy at a time")
def a_flag_put_back_by_finally_under_a_lock(world):
    state, lock = SimpleNamespace(is_busy=False), threading.Lock()

    def work():
        with lock, busy(state):
            pass

    _both(world, work, work)
    assert not state.is_busy


def _keeps_nothing_old(world, warm):
    redis = _client(world, k="old")
    near = {}

    def change():
        redis.set("k", "new")
        near.pop("k", None)

    _both(world, lambda: warm(near, redis), change)
    assert near.get("k", "new") == "new"


@broken("update stores what the generator has loaded before the change, after the dropping")
def a_dict_updated_by_a_generator(world):
    _keeps_nothing_old(world, lambda near, redis: near.update((k, redis.get(k)) for k in ["k"]))


@broken("update stores what the map has loaded before the change, after the dropping")
def a_dict_updated_by_a_map(world):
    def warm(near, redis):
        near.update(zip(["k"], map(redis.get, ["k"]), strict=True))

    _keeps_nothing_old(world, warm)


@broken("the pair is loaded before the change and stored after the dropping")
def a_dict_updated_by_a_list(world):
    _keeps_nothing_old(world, lambda near, redis: near.update([("k", redis.get("k"))]))


@right("nothing that was loaded is stored, but what was stored is dropped")
def a_dict_that_is_only_read(world):
    _keeps_nothing_old(world, lambda near, redis: near.get("k") or redis.get("k"))


@broken("the list is extended by what was loaded before the change, after it was cleared")
def a_list_extended_by_a_generator(world):
    redis, near = _client(world, k="old"), []

    def change():
        redis.set("k", "new")
        near.clear()

    _both(world, lambda: near.extend(redis.get(k) for k in ["k"]), change)
    assert near in (["new"], [])


class Configuration:
    def __init__(self):
        self.values = {"low": 1, "high": 2}
        self.lock = threading.Lock()

    def replace(self, **changes):
        with self.lock:
            self.values = {**self.values, **changes}

    def replace_without_a_lock(self, **changes):
        self.values = {**self.values, **changes}

    def spread(self):
        return self.values["high"] - self.values["low"]

    def spread_of_a_snapshot(self):
        values = self.values
        return values["high"] - values["low"]


@broken("the dict is replaced between the two reads")
def a_configuration_read_twice(world):
    config = Configuration()
    seen = _both(world, lambda: config.replace(low=11, high=12), config.spread)["second"]
    assert seen == 1


@right("a snapshot is never changed")
def a_configuration_read_once(world):
    config = Configuration()

    def move():
        return config.replace(low=11, high=12)

    assert _both(world, move, config.spread_of_a_snapshot)["second"] == 1


@broken("both copy the same dict, and the later one drops what the earlier one has changed")
def a_configuration_copied_by_two(world):
    config = Configuration()
    change = config.replace_without_a_lock
    _both(world, lambda: change(low=0), lambda: change(high=9))
    assert config.values == {"low": 0, "high": 9}


@right("the copy is made and put in place under the lock")
def a_configuration_copied_by_two_under_the_lock(world):
    config = Configuration()
    _both(world, lambda: config.replace(low=0), lambda: config.replace(high=9))
    assert config.values == {"low": 0, "high": 9}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
