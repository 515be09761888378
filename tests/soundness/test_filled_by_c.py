"""What one call of C does at once, though it asks for several things or makes what is missing."""

import operator
import queue
import threading
from collections import defaultdict, deque
from contextlib import nullcontext
from functools import partial
from time import perf_counter

import pytest

from tests.soundness.truth import broken, right, systems_of

IN_C = "the look, the factory and the store are one call of C"
IN_PYTHON = "both miss, and the factory is code of Python"


def _new():
    return object()


def _made_for_both(world, factory):
    known = defaultdict(factory)
    world.actor("one", lambda: known["k"])
    world.actor("two", lambda: known["k"])
    made = world.run()
    assert made["one"] is made["two"]


class ByKey(defaultdict):
    """Gives its factory the key, as many projects have it."""

    def __missing__(self, key):
        value = self[key] = self.default_factory(key)
        return value


def _made_by_key(world, made, lock):
    known = ByKey(lambda key: made.append(key) or _new())

    def ask():
        with lock:
            return known["k"]

    world.actor("one", ask)
    world.actor("two", ask)
    world.run()
    assert made == ["k"]


@broken("both miss, and each makes one")
def a_factory_that_gets_the_key(world):
    _made_by_key(world, [], nullcontext())


@right("one of them finds what the other one has made")
def a_factory_that_gets_the_key_under_a_lock(world):
    _made_by_key(world, [], threading.Lock())


class Bounded(defaultdict):
    """Keeps the newest entry."""

    def __setitem__(self, key, value):
        self.clear()
        super().__setitem__(key, value)


def _kept(world, size):
    newest = Bounded(_new, {"first": 1})
    world.actor("asks", lambda: newest["second"])
    world.actor("looks", lambda: newest.get("first"))
    world.run()
    assert len(newest) == size


@right("the missing entry is stored by its own method, which drops the first one")
def a_dict_that_keeps_the_newest(world):
    _kept(world, 1)


@broken("there is one entry, never two")
def a_dict_that_is_said_to_keep_both(world):
    _kept(world, 2)


@right(IN_C)
def a_lock_for_each_key(world):
    _made_for_both(world, threading.Lock)


@broken(IN_PYTHON)
def a_condition_for_each_key(world):
    _made_for_both(world, threading.Condition)


@right(IN_C)
def a_partial_of_a_container_for_each_key(world):
    _made_for_both(world, partial(deque, maxlen=3))


@broken(IN_PYTHON)
def a_partial_of_a_function_for_each_key(world):
    _made_for_both(world, partial(_new))


@right(IN_C)
def a_simple_queue_for_each_key(world):
    _made_for_both(world, queue.SimpleQueue)


@broken(IN_PYTHON)
def a_queue_for_each_key(world):
    _made_for_both(world, queue.Queue)


@right(IN_C)
def the_time_of_each_key(world):
    _made_for_both(world, perf_counter)


@broken(IN_PYTHON)
def a_function_for_each_key(world):
    _made_for_both(world, lambda: object())


class _Pair:
    def __init__(self):
        self.left = self.right = 0


class _Computed:
    def __init__(self):
        self.left = self._right = 0

    @property
    def right(self):
        return self._right


def _both_got(world, pair, **new):
    get = operator.attrgetter("left", "right")
    world.actor("reader", get, pair)
    world.actor("writer", lambda: vars(pair).update(new))
    assert world.run()["reader"] in {(0, 0), (1, 1)}


@right("both attributes are got in one call of C, and set in another one")
def two_attributes_got_at_once(world):
    _both_got(world, _Pair(), left=1, right=1)


@broken("the second attribute is computed by code of Python after the first was got")
def an_attribute_and_a_property_got(world):
    _both_got(world, _Computed(), left=1, _right=1)


@pytest.mark.parametrize("system", systems_of(__name__))
def test_verdicts_are_the_truth(system):
    system.must_be_told()
