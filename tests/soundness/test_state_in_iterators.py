"""State in iterators and generators, and in what calls methods of containers later."""

import csv
import itertools
import operator
import struct
import threading
from contextlib import ExitStack, nullcontext
from functools import partial

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _tested_and_read(near):
    if "k" not in near:
        return None
    return near["k"]


@broken("the second user may take the first number")
def numbers_are_given_in_the_order_of_users(world):
    numbers, got = itertools.count(1), {}

    def take(user):
        got[user] = next(numbers)

    _together(world, lambda: take("a"), lambda: take("b"))
    assert got["a"] < got["b"]


@right("a count gives every number to one user")
def numbers_are_given_once(world):
    numbers, got = itertools.count(1), {}

    def take(user):
        got[user] = next(numbers)

    _together(world, lambda: take("a"), lambda: take("b"))
    assert got["a"] != got["b"]


def _two_of_a_shorter_and_a_longer_one(world, lock):
    rows, got = itertools.zip_longest(range(9), []), []
    next(rows)  # the shorter one has ended

    def take_two():
        with lock:
            got.extend((next(rows), next(rows)))

    def take_one():
        with lock:
            next(rows)

    _together(world, take_two, take_one)
    assert got[1][0] == got[0][0] + 1


@broken("the other user takes a row between the two")
def two_rows_of_which_one_side_has_ended(world):
    _two_of_a_shorter_and_a_longer_one(world, nullcontext())


@right("the lock covers both")
def two_rows_of_which_one_side_has_ended_under_a_lock(world):
    _two_of_a_shorter_and_a_longer_one(world, threading.Lock())


@broken("the other user takes a host between the two that this one wants to be neighbours")
def two_hosts_of_a_cycle(world):
    hosts, pairs = itertools.cycle(["a", "b", "c"]), []

    def take_two():
        pairs.append(next(hosts) + next(hosts))

    _together(world, take_two, lambda: next(hosts))
    assert pairs[0] in ("ab", "bc")


@right("the lock covers both")
def two_hosts_of_a_cycle_under_a_lock(world):
    hosts, pairs, lock = itertools.cycle(["a", "b", "c"]), [], threading.Lock()

    def take_two():
        with lock:
            pairs.append(next(hosts) + next(hosts))

    def take_one():
        with lock:
            next(hosts)

    _together(world, take_two, take_one)
    assert pairs[0] in ("ab", "bc")


@broken("the other user takes the ticket that this one was promised")
def tickets_of_a_list_iterator(world):
    tickets, got = iter(["first", "second"]), {}

    def take(user):
        got[user] = next(tickets, None)

    _together(world, lambda: take("a"), lambda: take("b"))
    assert got["a"] == "first"


@right("each gets one ticket, whichever")
def tickets_of_a_list_iterator_in_any_order(world):
    tickets, got = iter(["first", "second"]), {}

    def take(user):
        got[user] = next(tickets, None)

    _together(world, lambda: take("a"), lambda: take("b"))
    assert sorted(got.values()) == ["first", "second"]


def _numbers():
    number = 0
    while True:
        number += 1
        step = yield number
        number += step or 0


@broken("the other's send moves the generator on between the two of this user")
def a_generator_driven_by_send(world):
    numbers, got = _numbers(), []
    next(numbers)

    def take_two():
        first = numbers.send(10)
        got.append(numbers.send(10) - first)

    _together(world, take_two, lambda: numbers.send(100))
    assert got == [11]


@right("each drives a generator of its own")
def a_generator_each_driven_by_send(world):
    got = []

    def take_two():
        numbers = _numbers()
        next(numbers)
        first = numbers.send(10)
        got.append(numbers.send(10) - first)

    _together(world, take_two, take_two)
    assert got == [11, 11]


@broken("the generator is resumed by one while it waits for the cache in the other: ValueError")
def a_generator_that_loads_is_drained_by_two(world):
    redis = world.existing_cache.client(decode_responses=True)
    values = (redis.get(key) for key in ("k1", "k2"))
    _together(world, lambda: list(values), lambda: list(values))


@right("each drains a generator of its own")
def a_generator_that_loads_is_drained_by_one(world):
    redis = world.existing_cache.client(decode_responses=True)

    def drain():
        values = (redis.get(key) for key in ("k1", "k2"))
        assert list(values) == [None, None]

    _together(world, drain, drain)


@broken("a key is dropped while yield from walks over the shared dict: RuntimeError")
def yield_from_a_shared_dict(world):
    redis = world.existing_cache.client(decode_responses=True)
    near = {"k1": 1, "k2": 2}

    def keys():
        yield from near

    def load():
        for key in keys():
            redis.get(key)

    _together(world, load, lambda: near.pop("k2"))


@right("yield from walks over a copy")
def yield_from_a_copy(world):
    redis = world.existing_cache.client(decode_responses=True)
    near = {"k1": 1, "k2": 2}

    def keys():
        yield from list(near)

    def load():
        for key in keys():
            redis.get(key)

    _together(world, load, lambda: near.pop("k2"))


@broken("a key is stored while the numbered loop walks over the shared dict: RuntimeError")
def a_numbered_loop_over_a_dict(world):
    redis = world.existing_cache.client(decode_responses=True)
    near = {"k1": 1, "k2": 2}

    def load():
        for _, key in enumerate(near):
            redis.get(key)

    _together(world, load, lambda: near.__setitem__("k3", 3))


@right("the numbered loop walks over the sorted keys, which are a list of their own")
def a_numbered_loop_over_sorted_keys(world):
    redis = world.existing_cache.client(decode_responses=True)
    near = {"k1": 1, "k2": 2}

    def load():
        for _, key in enumerate(sorted(near)):
            redis.get(key)

    _together(world, load, lambda: near.__setitem__("k3", 3))


@broken("map reads the entry at each next, and it is replaced between the two")
def a_get_called_by_map(world):
    near, seen = {"k": 1}, []

    def read():
        values = map(near.get, ["k", "k"])
        seen.append((next(values), next(values)))

    _together(world, read, lambda: near.update(k=2))
    assert seen[0][0] == seen[0][1]


@right("the entry is read by map once")
def a_get_called_by_map_once(world):
    near, seen = {"k": 1}, []
    _together(world, lambda: seen.extend(map(near.get, ["k"])), lambda: near.update(k=2))
    assert seen in ([1], [2])


@broken("the drop is the whole actor, and comes between the test and the read")
def a_method_of_a_dict_is_an_actor(world):
    near = {"k": 1}

    world.actor("reader", lambda: _tested_and_read(near))
    world.actor("dropper", near.pop, "k")
    world.run()


@right("the drop is the whole actor, and get looks and reads at once")
def a_method_of_a_dict_is_an_actor_beside_get(world):
    near, seen = {"k": 1}, []
    world.actor("reader", lambda: seen.append(near.get("k")))
    world.actor("dropper", near.pop, "k")
    world.run()
    assert seen in ([1], [None])


@broken("the bound pop is the actor by way of partial, between the test and the read")
def a_partial_of_a_method_is_an_actor(world):
    near = {"k": 1}

    world.actor("reader", lambda: _tested_and_read(near))
    world.actor("dropper", partial(near.pop, "k"))
    world.run()


@right("the bound pop drops another key")
def a_partial_of_a_method_drops_another_key(world):
    near = {"k": 1, "other": 2}

    world.actor("reader", lambda: _tested_and_read(near))
    world.actor("dropper", partial(near.pop, "other"))
    world.run()


@broken("the caller of the method drops the entry between the test and the read")
def a_methodcaller_drops(world):
    near = {"k": 1}
    drop = operator.methodcaller("pop", "k")
    _together(world, lambda: _tested_and_read(near), lambda: drop(near))


@right("the caller of the method drops from a copy")
def a_methodcaller_drops_from_a_copy(world):
    near = {"k": 1}
    drop = operator.methodcaller("pop", "k")
    _together(world, lambda: _tested_and_read(near), lambda: drop(dict(near)))


@broken("the stack drops the entry as it closes, between the test and the read")
def an_exit_stack_drops(world):
    near = {"k": 1}

    def work():
        with ExitStack() as stack:
            stack.callback(near.pop, "k")

    _together(world, lambda: _tested_and_read(near), work)


@right("the stack was emptied of what it would drop")
def an_exit_stack_is_emptied(world):
    near = {"k": 1}

    def work():
        with ExitStack() as stack:
            stack.callback(near.pop, "k")
            stack.pop_all()

    _together(world, lambda: _tested_and_read(near), work)


def _pairs_of(world, numbers, lock):
    """Two users take two numbers each, which belong together."""
    taken = []

    def pair():
        with lock:
            taken.append((*next(numbers), *next(numbers)))

    _together(world, pair, pair)
    assert sorted(taken) == [(0, 1), (2, 3)]


def _unpacked():
    return struct.iter_unpack("B", bytes(range(4)))


@broken("a number of the other one may come between the two")
def numbers_unpacked_one_by_one(world):
    _pairs_of(world, _unpacked(), nullcontext())


@right("they hold one lock")
def numbers_unpacked_one_by_one_under_a_lock(world):
    _pairs_of(world, _unpacked(), threading.Lock())


def _taken_by_zip(world, lock):
    numbers, taken = _unpacked(), []

    def pair():
        with lock:
            first = dict(zip("k", numbers, strict=False))
            taken.append((*first["k"], *dict(zip("k", numbers, strict=False))["k"]))

    _together(world, pair, pair)
    assert sorted(taken) == [(0, 1), (2, 3)]


@broken("a number of the other one may come between the two, each of which a zip takes")
def numbers_that_a_zip_takes(world):
    _taken_by_zip(world, nullcontext())


@right("they hold one lock")
def numbers_that_a_zip_takes_under_a_lock(world):
    _taken_by_zip(world, threading.Lock())


def _rows_of_csv():
    return csv.reader("0123", quoting=csv.QUOTE_NONNUMERIC)


@broken("a row of the other one may come between the two")
def rows_of_one_csv_reader(world):
    _pairs_of(world, _rows_of_csv(), nullcontext())


@right("they hold one lock")
def rows_of_one_csv_reader_under_a_lock(world):
    _pairs_of(world, _rows_of_csv(), threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
