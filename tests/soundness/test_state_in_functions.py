"""State in functions: their attributes, defaults, memories, and the names that stand for them."""

import functools
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _hit():
    _hit.count += 1


@broken("both read the same number of the function before either writes")
def a_function_counts_its_calls(world):
    _hit.count = 0
    _together(world, _hit, _hit)
    assert _hit.count == 2


def _hit_under_a_lock(lock):
    with lock:
        _hit_under_a_lock.count += 1


@right("the lock covers the read and the write")
def a_function_counts_its_calls_under_a_lock(world):
    _hit_under_a_lock.count = 0
    lock = threading.Lock()
    _together(world, lambda: _hit_under_a_lock(lock), lambda: _hit_under_a_lock(lock))
    assert _hit_under_a_lock.count == 2


def _counted(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        wrapper.calls = wrapper.calls + 1
        return function(*arguments)

    wrapper.calls = 0
    return wrapper


@broken("both read the same number of calls of the wrapper before either writes")
def a_decorator_counts_on_its_wrapper(world):
    @_counted
    def load(key):
        return key

    _together(world, lambda: load("a"), lambda: load("b"))
    assert load.calls == 2


@right("the wrapped function has a wrapper for each user")
def a_decorator_makes_a_wrapper_each(world):
    def load(key):
        return key

    mine, yours = _counted(load), _counted(load)
    _together(world, lambda: mine("a"), lambda: yours("b"))
    assert (mine.calls, yours.calls) == (1, 1)


@broken("both see the default list shorter than the other makes it, and one slot is given twice")
def a_default_argument_gives_slots(world):
    def next_slot(taken=[]):  # noqa: B006 - sharing the default is the bug under test
        slot = len(taken)
        taken.append(slot)
        return slot

    got = []
    _together(world, lambda: got.append(next_slot()), lambda: got.append(next_slot()))
    assert sorted(got) == [0, 1]


@right("no default is shared: each gives the list")
def an_argument_gives_slots(world):
    def next_slot(taken=None):
        taken = [] if taken is None else taken
        taken.append(len(taken))
        return taken[-1]

    got = []
    _together(world, lambda: got.append(next_slot()), lambda: got.append(next_slot()))
    assert got == [0, 0]


@broken("the load is under way when the memory is cleared, and is remembered after that")
def a_memo_cleared_while_it_loads(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    load = functools.cache(redis.get)

    def change():
        redis.set("k", "new")
        load.cache_clear()

    _together(world, lambda: load("k"), change)
    assert load("k") == "new"


@right("the lock covers the load with its memory, and the change with the clearing")
def a_memo_cleared_under_a_lock(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    load, lock = functools.cache(redis.get), threading.Lock()

    def read():
        with lock:
            return load("k")

    def change():
        with lock:
            redis.set("k", "new")
            load.cache_clear()

    _together(world, read, change)
    assert read() == "new"


@right("a function that remembers nothing is called by map")
def no_memo_called_by_map(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")

    def load(key):
        return redis.get(key)

    _together(world, lambda: list(map(load, ["k"])), lambda: redis.set("k", "new"))
    assert load("k") == "new"


class _Product:
    def __init__(self, load):
        self.load = load

    @functools.cached_property
    def price(self):
        return self.load("k")


@broken("the price is loaded before the change and kept after it was forgotten")
def a_cached_property_forgotten_while_it_loads(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    product = _Product(redis.get)

    def change():
        redis.set("k", "new")
        product.__dict__.pop("price", None)

    _together(world, lambda: product.price, change)
    assert product.price == "new"


@right("the change makes a new product, which has kept nothing")
def a_cached_property_of_a_new_product(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    products = {"k": _Product(redis.get)}

    def change():
        redis.set("k", "new")
        products["k"] = _Product(redis.get)

    _together(world, lambda: products["k"].price, change)
    assert products["k"].price == "new"


def _cheap():
    return 1


def _dear():
    return 2


_price = _cheap


def _switch(function):
    global _price
    _price = function


@broken("another function takes the global name between the two calls")
def a_global_name_of_a_function_is_switched(world):
    _switch(_cheap)
    seen = []
    _together(world, lambda: seen.append((_price(), _price())), lambda: _switch(_dear))
    assert seen[0][0] == seen[0][1]


@right("the function is taken from the name once")
def a_global_name_of_a_function_is_read_once(world):
    _switch(_cheap)
    seen = []

    def ask():
        price = _price
        seen.append((price(), price()))

    _together(world, ask, lambda: _switch(_dear))
    assert seen[0][0] == seen[0][1]


@broken("another function takes the place of the method between the two calls")
def a_method_is_switched(world):
    class Shop:
        def price(self):
            return 1

    shop, seen = Shop(), []

    def switch():
        Shop.price = lambda _self: 2

    _together(world, lambda: seen.append((shop.price(), shop.price())), switch)
    assert seen[0][0] == seen[0][1]


@right("the bound method is taken once")
def a_method_is_taken_once(world):
    class Shop:
        def price(self):
            return 1

    shop, seen = Shop(), []

    def switch():
        Shop.price = lambda _self: 2

    def ask():
        price = shop.price
        seen.append((price(), price()))

    _together(world, ask, switch)
    assert seen[0][0] == seen[0][1]


@right("the lock covers both dispatches, and the registration")
def a_dispatcher_learns_a_type_under_a_lock(world):
    @functools.singledispatch
    def shown(value):
        return "any"

    seen, lock = [], threading.Lock()

    def ask():
        with lock:
            seen.append((shown(1), shown(1)))

    def register():
        with lock:
            shown.register(int, lambda _value: "int")

    _together(world, ask, register)
    assert seen[0][0] == seen[0][1]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
