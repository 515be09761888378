"""A function or a method that one user replaces while another one calls it.

Methods that replace themselves keep what they have computed; others are switched over. The twin of
each reads and replaces under one lock.
"""

import sys
import threading
from contextlib import nullcontext
from functools import partial

import pytest

from tests.soundness.truth import broken, right, systems_of

HERE = sys.modules[__name__]


class _Two:
    """Something to call that is no function."""

    def __call__(self, *_shop):
        return 2


def _two(*_shop):
    return 2


OTHERS = {"a function": _two, "an object": _Two(), "a partial": partial(_two)}


class _Base:
    def price(self):
        return 2


def _shop():
    class Shop(_Base):
        def price(self):
            return 1

    return Shop()


def price():
    return 1


def _one():
    return 1


def replace_attribute(other):
    shop = _shop()

    def replace():
        shop.price = other

    return lambda: shop.price(), replace


def replace_by_name(other):
    shop = _shop()
    name = "price"
    return lambda: getattr(shop, name)(), lambda: setattr(shop, name, other)


def replace_past_the_class(other):
    shop = _shop()
    return lambda: shop.price(), lambda: object.__setattr__(shop, "price", other)


def replace_in_the_dict(other):
    shop = _shop()

    def replace():
        shop.__dict__["price"] = other

    return lambda: shop.price(), replace


def update_the_dict(other):
    shop = _shop()
    return lambda: shop.price(), lambda: vars(shop).update(price=other)


def set_the_dict(other):
    shop = _shop()

    def replace():
        shop.__dict__ = {"price": other}

    return lambda: shop.price(), replace


def delete_attribute(other):
    shop = _shop()
    shop.price = other

    def replace():
        del shop.price

    return lambda: shop.price(), replace


def delete_by_name(other):
    shop = _shop()
    shop.price = other
    return lambda: shop.price(), lambda: delattr(shop, "price")


def take_out_of_the_dict(other):
    shop = _shop()
    shop.price = other
    return lambda: shop.price(), lambda: vars(shop).pop("price")


def replace_in_the_class(other):
    shop = _shop()
    kind = type(shop)

    def replace():
        kind.price = other

    return lambda: shop.price(), replace


def replace_in_the_class_by_name(other):
    shop = _shop()
    return lambda: type(shop).price(shop), lambda: setattr(type(shop), "price", other)


def delete_from_the_class(_other):
    shop = _shop()
    kind = type(shop)

    def replace():
        del kind.price

    return lambda: shop.price(), replace


def replace_global(other):
    HERE.price = _one

    def replace():
        global price
        price = other

    return lambda: price(), replace


def replace_in_globals(other):
    HERE.price = _one

    def replace():
        globals()["price"] = other

    return lambda: price(), replace


def replace_in_the_module(other):
    HERE.price = _one
    return lambda: HERE.price(), lambda: setattr(HERE, "price", other)


def replace_in_the_closure(other):
    price = _one

    def replace():
        nonlocal price
        price = other

    return lambda: price(), replace


WAYS = [
    replace_attribute, replace_by_name, replace_past_the_class, replace_in_the_dict,
    update_the_dict, set_the_dict, delete_attribute, delete_by_name, take_out_of_the_dict,
    replace_in_the_class, replace_in_the_class_by_name, delete_from_the_class, replace_global,
    replace_in_globals, replace_in_the_module, replace_in_the_closure,
]  # fmt: skip


def _call_twice(world, way, other, guard):
    call, replace = way(OTHERS[other])
    answers = []

    def user():
        with guard:
            answers.extend([call(), call()])

    def change():
        with guard:
            replace()

    world.actor("user", user)
    world.actor("change", change)
    world.run()
    assert answers in ([1, 1], [2, 2])


def _state(way, other):
    name = f"{way.__name__}_with_{other.replace(' ', '_')}"

    def racy(world):
        _call_twice(world, way, other, nullcontext())

    def locked(world):
        _call_twice(world, way, other, threading.Lock())

    racy.__name__, locked.__name__ = name, f"{name}_under_a_lock"
    broken("it is replaced between two calls")(racy)
    right("calls and the change exclude each other")(locked)


for _way in WAYS:
    for _other in OTHERS:
        _state(_way, _other)


def _prices(world, guard):
    class Shop:
        price = property(lambda self: 1)

    shop, answers = Shop(), []

    def user():
        with guard:
            answers.extend([shop.price, shop.price])

    def change():
        with guard:
            Shop.price = property(lambda self: 2)

    world.actor("user", user)
    world.actor("change", change)
    world.run()
    assert answers in ([1, 1], [2, 2])


@broken("it is replaced between two looks")
def a_property_that_is_replaced(world):
    _prices(world, nullcontext())


@right("looks and the change exclude each other")
def a_property_that_is_replaced_under_a_lock(world):
    _prices(world, threading.Lock())


class _Kept:
    def price(self):
        answer = object()
        self.price = lambda: answer
        return answer


@broken("two users compute, and are told different objects")
def a_method_that_keeps_its_answer(world):
    kept, answers = _Kept(), []
    for name in "ab":
        world.actor(name, lambda: answers.append(kept.price()))
    world.run()
    assert answers[0] is answers[1]


@right("one computes while the other one waits")
def a_method_that_keeps_its_answer_under_a_lock(world):
    kept, answers, lock = _Kept(), [], threading.Lock()

    def ask():
        with lock:
            answers.append(kept.price())

    for name in "ab":
        world.actor(name, ask)
    world.run()
    assert answers[0] is answers[1]


@pytest.mark.parametrize("system", systems_of(__name__, every=4), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
