"""Code that goes through the attributes of an object reads them, whichever function does it.

Two users look whether something was loaded, load it, and set the attribute. The twin of each does
so under one lock.
"""

import copy
import functools
import heapq
import inspect
import itertools
import operator
import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Protocol, runtime_checkable

import pytest

from tests.soundness import empty_module
from tests.soundness.truth import broken, right, systems_of


class _Shop:
    pass


def _a_class():
    class Shop:
        pass

    return Shop


def _with_slots():
    class Shop:
        __slots__ = ("price",)

    return Shop()


@runtime_checkable
class _Priced(Protocol):
    price: int


@runtime_checkable
class _Sold(_Priced, Protocol): ...


def _listed(shop):
    return any(name == "price" for name, _ in inspect.getmembers(shop))


def _listed_statically(shop):
    return any(name == "price" for name, _ in inspect.getmembers_static(shop))


def _has(shop):
    return inspect.getattr_static(shop, "price", None) == 1


def _is_put_into(text, method, what):
    try:
        return getattr(text, method)(what) == "1"
    except AttributeError:
        return False


def _is_formatted(shop):
    return _is_put_into("{0.price:d}", "format", shop)


def _is_formatted_within(shop):
    return _is_put_into("{a.shop.price}", "format_map", {"a": SimpleNamespace(shop=shop)})


def _is_got(shop):
    try:
        return operator.attrgetter("price")(shop) == 1
    except AttributeError:
        return False


def _gets(way):
    """Return what looks by code of C that gets the attribute of each element."""

    def is_loaded(shop):
        try:
            way(operator.attrgetter("price"), shop)
        except AttributeError:
            return False
        return True

    return is_loaded


LOOKS = {
    "reduce": _gets(lambda _, shop: functools.reduce(getattr, ["price", "real"], shop)),
    "reduce of a list": _gets(lambda _, shop: functools.reduce(getattr, [shop, "price"])),
    "a partial": _gets(lambda price, shop: sorted([shop], key=functools.partial(price))),
    "sorted": _gets(lambda price, shop: sorted([shop], key=price)),
    "sort": _gets(lambda price, shop: [shop].sort(key=price)),
    "max of values": _gets(lambda price, shop: max({"a": shop}.values(), key=price)),
    "min of two": _gets(lambda price, shop: min(shop, shop, key=price)),
    "nlargest": _gets(lambda price, shop: heapq.nlargest(1, [shop], key=price)),
    "map": _gets(lambda price, shop: list(map(price, [shop]))),
    "filter": _gets(lambda price, shop: list(filter(price, [shop]))),
    "groupby": _gets(lambda price, shop: list(itertools.groupby([shop], key=price))),
    "dir": lambda shop: "price" in dir(shop),
    "dir of map": lambda shop: any("price" in names for names in map(dir, [shop])),
    "getmembers": _listed,
    "getmembers_static": _listed_statically,
    "getattr_static": _has,
    "a field of a text": _is_formatted,
    "a field of what a field has": _is_formatted_within,
    "attrgetter": _is_got,
    "a protocol": lambda shop: isinstance(shop, _Priced),
    "one of several protocols": lambda shop: isinstance(shop, (int, (_Sold, str))),
    "a union": lambda shop: isinstance(shop, int | _Sold),
}
HOLDERS = {
    "an object": _Shop,
    "a namespace": SimpleNamespace,
    "a class": _a_class,
    "a function": lambda: lambda: None,
    "a module": lambda: empty_module,
}


def _loads(world, shop, is_loaded, guard):
    loads = []

    def use():
        with guard:
            if not is_loaded(shop):
                loads.append(1)
                shop.price = 1

    world.actor("alice", use)
    world.actor("bob", use)
    world.run()
    assert len(loads) == 1


def _state(name, made, is_loaded):
    def unguarded(world):
        _loads(world, made(), is_loaded, nullcontext())

    def guarded(world):
        _loads(world, made(), is_loaded, threading.Lock())

    unguarded.__name__, guarded.__name__ = name, f"{name}, under a lock"
    broken("both find it missing")(unguarded)
    right("the second one finds it")(guarded)


for _holder, _made in HOLDERS.items():
    for _way, _is_loaded in LOOKS.items():
        _state(f"{_way} of {_holder}", _made, _is_loaded)


@broken("both find it missing")
def slots_that_are_listed(world):
    def is_loaded(shop):
        return ("price", 1) in inspect.getmembers(shop)

    _loads(world, _with_slots(), is_loaded, nullcontext())


@right("the second one finds it")
def slots_that_are_listed_under_a_lock(world):
    def is_loaded(shop):
        return ("price", 1) in inspect.getmembers(shop)

    _loads(world, _with_slots(), is_loaded, threading.Lock())


@broken("both find it missing")
def a_copy_that_is_looked_at(world):
    """What `copy` puts into the dict of its copy is no other dict."""
    _loads(world, SimpleNamespace(), lambda shop: "price" in vars(copy.copy(shop)), nullcontext())


def _look_twice(world, guard):
    """One user reads the price of the shops by code of C, and then their class's."""

    class Shop:
        price = 1

    shops, seen = [Shop(), Shop()], []

    def look():
        with guard:
            seen.append((max(map(operator.attrgetter("price"), shops)), Shop.price))

    def raise_prices():
        with guard:
            Shop.price = 2

    world.actor("alice", look)
    world.actor("bob", raise_prices)
    world.run()
    assert seen[0] in {(1, 1), (2, 2)}


@broken("the shops have another price than their class")
def an_attribute_of_the_class_got_of_instances(world):
    _look_twice(world, nullcontext())


@right("both are of one time")
def an_attribute_of_the_class_got_of_instances_under_a_lock(world):
    _look_twice(world, threading.Lock())


def _source(): ...


_source.price = 1


def _take_over(world, guard):
    """Two users give one function the attributes of another, unless it has them."""
    taken, shop = [], _taking()

    def use():
        with guard:
            if not hasattr(shop, "price"):
                taken.append(functools.update_wrapper(shop, _source))

    world.actor("alice", use)
    world.actor("bob", use)
    world.run()
    assert len(taken) == 1


def _taking():
    return lambda: None


@broken("both find it without")
def a_wrapper_that_is_given_attributes(world):
    _take_over(world, nullcontext())


@right("the second one finds them")
def a_wrapper_that_is_given_attributes_under_a_lock(world):
    _take_over(world, threading.Lock())


def _is_taken_over(function):
    return hasattr(functools.wraps(function)(lambda: None), "price")


@broken("both find it missing")
def what_a_wrapper_takes_over(world):
    _loads(world, lambda: None, _is_taken_over, nullcontext())


@right("the second one finds it")
def what_a_wrapper_takes_over_under_a_lock(world):
    _loads(world, lambda: None, _is_taken_over, threading.Lock())


@right("each looks at an object of its own")
def what_others_set_on_objects_of_their_own(world):
    found = []

    def use():
        shop = _Shop()
        shop.price = 1
        found.extend([dir(shop).count("price"), isinstance(shop, _Priced)])

    world.actor("alice", use)
    world.actor("bob", use)
    world.run()
    assert found == [1, True] * 2


@pytest.mark.parametrize("system", systems_of(__name__, every=4), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
