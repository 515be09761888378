"""Code that registers an implementation with `functools.singledispatch` while others call it."""

import functools
import threading
from contextlib import nullcontext

import pytest

from pytest_supercache import Verdict, check
from tests.soundness.truth import broken, right, systems_of


def _price():
    @functools.singledispatch
    def price(_article):
        return "none"

    return price


def _registered_once(world, is_missing, guard):
    price, loads = _price(), []

    def use():
        with guard:
            if is_missing(price):
                loads.append(1)
                price.register(int, lambda _: "an int")

    world.actor("alice", use)
    world.actor("bob", use)
    world.run()
    assert len(loads) == 1


def _by_call(price):
    return price(1) == "none"


def _by_dispatch(price):
    return price.dispatch(int)(1) == "none"


def _by_registry(price):
    return int not in price.registry


@broken("both find it missing")
def implementations_that_are_called(world):
    _registered_once(world, _by_call, nullcontext())


@right("the second one finds it")
def implementations_that_are_called_under_a_lock(world):
    _registered_once(world, _by_call, threading.Lock())


@broken("both find it missing")
def implementations_that_are_looked_up(world):
    _registered_once(world, _by_dispatch, nullcontext())


@right("the second one finds it")
def implementations_that_are_looked_up_under_a_lock(world):
    _registered_once(world, _by_dispatch, threading.Lock())


@broken("both find it missing")
def implementations_that_are_listed(world):
    _registered_once(world, _by_registry, nullcontext())


@right("the second one finds it")
def implementations_that_are_listed_under_a_lock(world):
    _registered_once(world, _by_registry, threading.Lock())


@broken("one call comes before it is registered, and one after it")
def calls_around_a_registration(world):
    price, answers = _price(), []
    world.actor("alice", lambda: answers.extend([price(1), price(1)]))
    world.actor("bob", lambda: price.register(int)(lambda _: "an int"))
    world.run()
    assert answers[0] == answers[1]


@right("each user has a function of its own")
def calls_of_functions_of_their_own(world):
    def use():
        price = _price()
        price.register(int, lambda _: "an int")
        return price(1)

    world.actor("alice", use)
    world.actor("bob", use)
    assert set(world.run().values()) == {"an int"}


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


def test_calls_alone_are_no_steps():
    """Nobody registers anything: there is nothing to race, whatever the library remembers."""
    price = _price()

    def body(world):
        for name in "ab":
            world.actor(name, lambda: (price(1), price(2)))
        world.run()

    result = check(body, guarantees=[])
    assert result.verdict is Verdict.HOLDS
    assert "shared memory" not in result.coverage
    assert result.schedules == 2
