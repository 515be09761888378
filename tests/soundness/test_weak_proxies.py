"""What is done to a weak proxy is done to the object behind it: items, operators, loops, texts."""

import threading
import weakref
from collections import deque
from contextlib import nullcontext

import pytest

from tests.soundness.truth import broken, right, systems_of


class Items(list):
    pass


class Prices(dict):
    pass


class Stock:
    left = 0


def _add_if(is_empty):
    def act(items):
        if is_empty(items):
            items.append(1)

    return act


def _is_empty_in_a_loop(items):
    for _ in items:
        return False
    return True


def _count_item(prices):
    prices["k"] = prices["k"] + 1


def _count_in_place(prices):
    prices["k"] += 1


def _count_by_method(prices):
    prices.update(k=prices.get("k") + 1)


def _count_in_vars(stock):
    of = vars(stock)
    of["left"] = of.get("left", 0) + 1


def _is_one(items):
    return len(items) == 1


def _is_two(prices):
    return prices["k"] == 2


def _is_counted(stock):
    return stock.left == 2


CASES = {
    "truth": (Items, _add_if(lambda items: not items), _is_one),
    "length": (Items, _add_if(lambda items: len(items) == 0), _is_one),
    "length_of_a_deque": (deque, _add_if(lambda items: len(items) == 0), _is_one),
    "membership": (Items, _add_if(lambda items: 1 not in items), _is_one),
    "stars": (Items, _add_if(lambda items: [*items] == []), _is_one),
    "a_loop": (Items, _add_if(_is_empty_in_a_loop), _is_one),
    "a_text": (Items, _add_if(lambda items: str(items) == "[]"), _is_one),
    "an_operator": (Items, _add_if(lambda items: items * 2 == []), _is_one),
    "an_item": (lambda: Prices(k=0), _count_item, _is_two),
    "an_item_in_place": (lambda: Prices(k=0), _count_in_place, _is_two),
    "an_item_by_a_method": (lambda: Prices(k=0), _count_by_method, _is_two),
    "attributes": (Stock, _count_in_vars, _is_counted),
}


def _two_act(world, make, act, is_well, guard):
    held = make()
    proxy = weakref.proxy(held)

    def use():
        with guard:
            act(proxy)

    world.actor("one", use)
    world.actor("two", use)
    world.run()
    assert is_well(held)


def _state(name, case):
    def body(world):
        _two_act(world, *case, nullcontext())

    def body_with_a_lock(world):
        _two_act(world, *case, threading.Lock())

    body.__name__, body_with_a_lock.__name__ = name, f"{name}_under_a_lock"
    broken("both look before either changes it")(body)
    right("they hold one lock")(body_with_a_lock)


for _name, _case in CASES.items():
    _state(_name, _case)


@right("what is behind a proxy is gone for both")
def a_proxy_of_nothing(world):
    proxy = weakref.proxy(Items())

    def ask():
        try:
            return len(proxy)
        except ReferenceError:
            return "gone"

    world.actor("one", ask)
    world.actor("two", ask)
    assert set(world.run().values()) == {"gone"}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
