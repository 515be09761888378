"""Attributes that are read, or set, through something that stands for what has them.

A method for its function, `Repo[int]` for the class `Repo`, a class for its metaclass, and the
`__dict__` of a function, or of a module that code has made, for it.
"""

import functools
import threading
from contextlib import nullcontext
from types import ModuleType
from typing import Generic, TypeVar

import pytest

from tests.soundness.truth import broken, right, systems_of

_Any = TypeVar("_Any")


def _by_a_method():
    class Shop:
        def view(self):
            return None

    Shop.view.count = 0
    shop = Shop()

    def count():
        Shop.view.count = shop.view.count + 1

    return count, lambda: Shop.view.count


def _by_an_alias():
    class Repo(Generic[_Any]):
        count = 0

    def count():
        Repo[int].count = Repo[str].count + 1

    return count, lambda: Repo.count


def _by_an_alias_of_a_list():
    class Repo(list):
        count = 0

    def count():
        Repo.count = Repo[int].count + 1

    return count, lambda: Repo.count


def _by_a_class():
    class Meta(type):
        count = 0

    class Shop(metaclass=Meta):
        pass

    def count():
        Meta.count = Shop.count + 1

    return count, lambda: Meta.count


def _by_the_dict_of_a_function():
    def shop():
        return None

    shop.count = 0

    def count():
        shop.count = vars(shop)["count"] + 1

    return count, lambda: shop.count


def _by_the_dict_of_a_partial():
    shop = functools.partial(print)
    shop.count = 0

    def count():
        shop.__dict__["count"] = shop.count + 1

    return count, lambda: shop.count


def _by_the_dict_of_a_module():
    shop = ModuleType("shop")
    shop.count = 0

    def count():
        shop.count = vars(shop)["count"] + 1

    return count, lambda: shop.count


WAYS = (
    _by_a_method, _by_an_alias, _by_an_alias_of_a_list, _by_a_class, _by_the_dict_of_a_function,
    _by_the_dict_of_a_partial, _by_the_dict_of_a_module,
)  # fmt: skip


def _counted(world, way, guard):
    count, counted = way()

    def use():
        with guard:
            count()

    world.actor("alice", use)
    world.actor("bob", use)
    world.run()
    assert counted() == 2


def _state(way):
    def unguarded(world):
        _counted(world, way, nullcontext())

    def guarded(world):
        _counted(world, way, threading.Lock())

    name = way.__name__.strip("_").replace("_", " ")
    unguarded.__name__, guarded.__name__ = name, f"{name}, under a lock"
    broken("both read the same number before either writes it")(unguarded)
    right("one counts after the other")(guarded)


for _way in WAYS:
    _state(_way)


@right("each user has a class of its own")
def aliases_of_classes_of_their_own(world):
    for name in "ab":
        count, counted = _by_an_alias()
        world.actor(name, lambda count=count, counted=counted: (count(), counted())[1])
    assert world.run() == {"a": 1, "b": 1}


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
