"""Cached properties of Django, and derived ones, that two users ask at once; what fills a dict."""

import functools
import threading
from collections import defaultdict
from typing import Any

import pytest
from django.utils import functional

from tests.soundness.truth import broken, right, systems_of

pytestmark = pytest.mark.python


class _OfPython(functools.cached_property):
    """A class that a project derives, to give its type."""


class _OfDjango(functional.cached_property):
    """The same for Django's."""


def _product_of(cached: Any) -> Any:
    class Product:
        def __init__(self, costs):
            self.costs = costs
            self.loads = []

        @cached
        def price(self):
            self.loads.append("price")
            return self.costs["tea"] * 2

        def forget(self):
            self.costs["tea"] = 120
            vars(self).pop("price", None)

    return Product


def _asked_twice(world, ask, other):
    world.actor("a", ask)
    world.actor("b", other)
    world.run()


def _both_load(world, cached):
    product = _product_of(cached)({"tea": 100})
    _asked_twice(world, lambda: product.price, lambda: product.price)
    assert len(product.loads) == 1


@broken("both find nothing, so both load")
def a_cached_property_of_django_that_two_load(world):
    _both_load(world, functional.cached_property)


@broken("as above, in a class derived from it")
def a_cached_property_derived_from_that_of_django(world):
    _both_load(world, _OfDjango)


@broken("the price is worked out before the change, and kept after it was forgotten")
def a_derived_cached_property_forgotten_while_it_loads(world):
    product = _product_of(_OfPython)({"tea": 100})
    _asked_twice(world, lambda: product.price, product.forget)
    assert product.price == 240


@broken("as above, with that of Django")
def a_cached_property_of_django_forgotten_while_it_loads(world):
    product = _product_of(functional.cached_property)({"tea": 100})
    _asked_twice(world, lambda: product.price, product.forget)
    assert product.price == 240


@right("it was loaded before, and neither forgets it")
def a_cached_property_of_django_that_is_there(world):
    product = _product_of(functional.cached_property)({"tea": 100})
    assert product.price == 200
    _asked_twice(world, lambda: product.price, lambda: product.price)
    assert len(product.loads) == 1


@right("each has a product of its own")
def cached_properties_of_two_products(world):
    one, other = (_product_of(_OfDjango)({"tea": 100}) for _ in range(2))
    _asked_twice(world, lambda: one.price, other.forget)
    assert one.price == 200


class Counting:
    def __init__(self):
        self.asked = 0
        self.lock = threading.Lock()

    def ask(self, *_):
        asked = self.asked
        self.asked = asked + 1
        return asked

    def ask_under_a_lock(self, *_):
        with self.lock:
            return self.ask()


def _made_by_two(world, ask_of):
    """Let a product of each user call a function that counts, the first time it has its price."""
    counting = Counting()

    class Product:
        @_OfDjango
        def price(self):
            return ask_of(counting)()

    one, other = Product(), Product()
    _asked_twice(world, lambda: one.price, lambda: other.price)
    assert counting.asked == 2


@broken("both functions count from the same number, though no property is shared")
def functions_of_two_cached_properties_that_count(world):
    _made_by_two(world, lambda counting: counting.ask)


@right("they count under a lock")
def functions_of_two_cached_properties_that_count_under_a_lock(world):
    _made_by_two(world, lambda counting: counting.ask_under_a_lock)


def _filled_by_two(world, ask_of):
    counting = Counting()
    one, other = defaultdict(ask_of(counting)), defaultdict(ask_of(counting))
    _asked_twice(world, lambda: one["tea"], lambda: other["tea"])
    assert counting.asked == 2


@broken("both factories count from the same number, though no dict is shared")
def factories_of_two_dicts_that_count(world):
    _filled_by_two(world, lambda counting: counting.ask)


@right("they count under a lock")
def factories_of_two_dicts_that_count_under_a_lock(world):
    _filled_by_two(world, lambda counting: counting.ask_under_a_lock)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
