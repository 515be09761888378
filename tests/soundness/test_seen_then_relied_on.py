"""Near caches that rely on what they have seen: a length, a flight, a wake-up, a missing class."""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial, reduce

import pytest

from tests.soundness.truth import broken, right, systems_of


class Log:
    """Events, and a view that folds them when there are more than it has seen."""

    def __init__(self, redis):
        self.redis, self.events = redis, []
        self.view, self.length = {}, 0
        self.both = ({}, 0)

    def put(self, key, value):
        self.redis.set(key, value)
        self.events.append((key, value))

    def folded_then_counted(self):
        if self.length != len(self.events):
            self.view = reduce(_applied, self.events, {})
            self.length = len(self.events)
        return self.view

    def counted_then_folded(self):
        view, length = self.both
        if length != len(self.events):
            length = len(self.events)
            view = reduce(_applied, self.events[:length], {})
            self.both = view, length
        return view


def _applied(view, event):
    return view | dict([event])


def _logged(world, look):
    log = Log(world.existing_cache.client())
    log.put("k", 1)
    world.actor("reader", look, log)
    world.actor("writer", log.put, "k", 2)
    world.run()
    assert look(log) == {"k": 2}


@broken("an event comes after the fold and before the length is taken: it is never folded")
def a_view_that_is_folded_then_counted(world):
    _logged(world, Log.folded_then_counted)


@right("the length is taken first, and kept with the view")
def a_view_that_is_counted_then_folded(world):
    _logged(world, Log.counted_then_folded)


def _flown(world, *, looks_again):
    redis, rows, flights = world.existing_cache.client(), {}, {}

    def get(key):
        if key in rows:
            return rows[key]
        mine = Future()
        flight = flights.setdefault(key, mine)
        if flight is not mine:
            return flight.result()
        value = rows[key] if looks_again and key in rows else redis.incr(key)
        rows[key] = value
        mine.set_result(value)
        del flights[key]
        return value

    world.actor("x", get, "loads")
    world.actor("y", get, "loads")
    assert world.run() == {"x": 1, "y": 1}


@broken("one misses, the other one's flight begins and ends, and the first begins another")
def a_flight_after_a_look(world):
    _flown(world, looks_again=False)


@right(
    "the user that begins a flight looks again: a flight that has ended has stored its row first"
)
def a_flight_and_another_look(world):
    _flown(world, looks_again=True)


def _bounded(world, lock):
    redis, rows, order = world.existing_cache.client(), {}, deque()

    def get(key):
        value = redis.incr(key)
        with lock:
            if len(order) >= 1:
                rows.pop(order.popleft(), None)
            order.append(key)
            rows[key] = value

    world.actor("x", get, "a")
    world.actor("y", get, "b")
    world.run()
    assert len(rows) == len(order) == 1


@broken("both find the cache empty, and keep two rows where there is room for one")
def a_cache_with_room_for_one(world):
    _bounded(world, nullcontext())


@right("they look and store under one lock")
def a_cache_with_room_for_one_and_a_lock(world):
    _bounded(world, threading.Lock())


def _loaded_in_a_pool(world, load):
    redis, rows = world.existing_cache.client(), {}
    with ThreadPoolExecutor(1) as pool:
        world.actor("x", load, redis, rows, pool)
        assert world.run() == {"x": 1}


def _stored_by_a_callback(redis, rows, pool):
    future = pool.submit(redis.incr, "loads")
    future.add_done_callback(partial(_store, rows))
    future.result()
    return rows["loads"]


def _store(rows, future):
    rows["loads"] = future.result()


def _stored_by_the_job(redis, rows, pool):
    def job():
        rows["loads"] = redis.incr("loads")

    pool.submit(job).result()
    return rows["loads"]


@broken("a user that waits for the result may wake before the callback has stored it")
def a_row_stored_by_a_callback(world):
    _loaded_in_a_pool(world, _stored_by_a_callback)


@right("the job has stored it before it returns")
def a_row_stored_by_the_job(world):
    _loaded_in_a_pool(world, _stored_by_the_job)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()
