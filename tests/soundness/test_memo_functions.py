"""Memo functions that are cleared while their function runs: what it returns is stored afterwards.

The truth in one line: code of C, or of a library, looks at what is remembered, calls the function,
and stores what it has returned, whatever was cleared since; only code of C that calls code of C is
one operation.
"""

import contextlib
import functools
import operator
import threading

import cachetools
import pytest

from tests.soundness.truth import broken, right, systems_of


def _changed(world, read, change, *, lock=None):
    """Let one read while another one changes what is read, and compare what is read afterwards."""
    if lock is not None:
        read, change = _held(lock, read), _held(lock, change)
    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    return read()


def _held(lock, function):
    def locked():
        with lock:
            return function()

    return locked


def _price_list():
    prices = {"tea": 100}

    @functools.lru_cache(maxsize=128)
    def price(name):
        return prices[name] * 2

    def change():
        prices["tea"] = 120
        price.cache_clear()

    return price, change


@broken("the price is read before the change, and stored after the memo was cleared")
def a_memo_cleared_while_its_function_returns(world):
    price, change = _price_list()
    assert _changed(world, lambda: price("tea"), change) == 240


@right("one lock covers the call and the change")
def a_memo_cleared_under_the_lock_of_its_calls(world):
    price, change = _price_list()
    assert _changed(world, lambda: price("tea"), change, lock=threading.Lock()) == 240


class _Shop:
    def __init__(self):
        self.rate = 2
        self.price = functools.lru_cache(maxsize=8)(self._price)
        self.price_at = functools.lru_cache(maxsize=8)(self._price_at)

    def _price(self, cents):
        return cents * self.rate

    def _price_at(self, cents, rate):
        return cents * rate

    def change(self):
        self.rate = 3
        self.price.cache_clear()


@broken("the old rate is read, and what it gives is remembered after the memo was cleared")
def a_memo_of_a_method_cleared_by_another(world):
    shop = _Shop()
    assert _changed(world, lambda: shop.price(10), shop.change) == 30


@right("the rate is a part of the key, so what is stored late is true of its key")
def a_memo_whose_key_names_what_it_read(world):
    shop = _Shop()
    assert _changed(world, lambda: shop.price_at(10, shop.rate), shop.change) == 30


def _looked_up(make):
    prices = {"tea": 100}
    price = functools.cache(make(prices))

    def change():
        prices["tea"] = 120
        price.cache_clear()

    return lambda: price("tea"), change


@broken("a function of Python looks the price up, and others come in before it has returned")
def a_memo_of_a_look_in_python(world):
    read, change = _looked_up(lambda prices: lambda name: prices.get(name))
    assert _changed(world, read, change) == 120


@right("look, call and store are one operation of C")
def a_memo_of_a_look_in_c(world):
    read, change = _looked_up(lambda prices: prices.get)
    assert _changed(world, read, change) == 120


def _tried_out(world, price, prices):
    def try_out():
        prices["tea"] = 120
        prices["tea"] = 100

    seen = []
    world.actor("reader", lambda: seen.append(price("tea")))
    world.actor("writer", try_out)
    world.run()
    return seen


@broken("what the memo looks up is the price of the moment, and is remembered")
def a_memo_of_a_look_in_c_at_the_wrong_moment(world):
    prices = {"tea": 100}
    assert _tried_out(world, functools.cache(prices.get), prices) == [100]


@right("the memo looks into a copy")
def a_memo_of_a_look_in_c_at_a_copy(world):
    prices = {"tea": 100}
    assert _tried_out(world, functools.cache(dict(prices).get), prices) == [100]


def _tree():
    weight = {"root": 1, "leaf": 1}

    @functools.lru_cache
    def total(name):
        return weight[name] + (total("leaf") if name == "root" else 0)

    def change():
        weight["leaf"] = 5
        total.cache_clear()

    return total, change


@broken("the leaf is summed up before the change, and what the root makes of it is stored after")
def a_recursive_memo_cleared_while_it_sums(world):
    total, change = _tree()
    assert _changed(world, lambda: total("root"), change) == 6


@right("only the leaf is asked for, and the writer does so again after its change")
def a_recursive_memo_cleared_before_anybody_asks(world):
    total, change = _tree()
    change()
    assert _changed(world, lambda: total("root"), lambda: total("leaf")) == 6


def _stock(missing):
    stock = {}

    @functools.cache
    def count(name):
        return missing(stock, name)

    def fill():
        stock["tea"] = 3
        count.cache_clear()

    def read():
        try:
            return count("tea")
        except KeyError:
            return 0

    return read, fill


@broken("that nothing is there is remembered after the memo was cleared")
def a_memo_that_remembers_a_miss(world):
    read, fill = _stock(lambda stock, name: stock.get(name, 0))
    assert _changed(world, read, fill) == 3


@right("an error is not remembered")
def a_memo_whose_function_raises(world):
    read, fill = _stock(lambda stock, name: stock[name])
    assert _changed(world, read, fill) == 3


class _Settings:
    limit = 10

    def __init__(self, name):
        self.name = name
        self.limit = _Settings.limit


def _limits(make):
    _Settings.limit = 10
    remembered = functools.lru_cache(make)

    def change():
        _Settings.limit = 20
        remembered.cache_clear()

    return remembered, change


@broken("the object is made with the old limit, and stored after the memo was cleared")
def a_memo_of_a_class(world):
    settings, change = _limits(_Settings)
    assert _changed(world, lambda: settings("web").limit, change) == 20


@right("the limit is asked for when it is wanted, not kept in the object")
def a_memo_of_objects_that_hold_no_limit(world):
    names, change = _limits(str.upper)
    assert _changed(world, lambda: (names("web"), _Settings.limit)[1], change) == 20


class _Product:
    def __init__(self, costs):
        self.costs = costs

    @functools.cached_property
    def price(self):
        return self.costs["tea"] * 2

    def forget(self):
        self.costs["tea"] = 120
        vars(self).pop("price", None)


@broken("the price is worked out before the change, and kept after it was forgotten")
def a_cached_property_forgotten_while_its_function_returns(world):
    product = _Product({"tea": 100})
    assert _changed(world, lambda: product.price, product.forget) == 240


@right("another product is changed")
def a_cached_property_of_another_product(world):
    product, other = _Product({"tea": 100}), _Product({"tea": 100})
    assert _changed(world, lambda: product.price, other.forget) == 200


class _Loader:
    def __init__(self):
        self.source, self.near, self.loads = {"tea": 100}, {}, []

    @cachetools.cachedmethod(operator.attrgetter("near"))
    def price(self, name):
        self.loads.append(name)
        return self.source[name]


def _decorated(world, *, lock=None):
    source, near = {"tea": 100}, {}

    @cachetools.cached(near)
    def price(name):
        return source[name]

    def change():
        source["tea"] = 120
        near.clear()

    assert _changed(world, lambda: price("tea"), change, lock=lock) == 120


@broken("the price is read before the change, and put into the dict after it was cleared")
def a_function_decorated_with_a_plain_dict(world):
    _decorated(world)


@right("one lock covers the call and the change")
def a_function_decorated_with_a_plain_dict_under_a_lock(world):
    _decorated(world, lock=threading.Lock())


def _loaded(world, *users, lock=None):
    for number, loader in enumerate(users):
        flow = functools.partial(loader.price, "tea")
        world.actor(f"user-{number}", flow if lock is None else _held(lock, flow))
    world.run()
    assert len(users[0].loads) == 1


@broken("both find no price in the dict of the object, and each loads it")
def a_decorated_method_called_by_two(world):
    loader = _Loader()
    _loaded(world, loader, loader)


@right("each user has an object with a dict of its own")
def a_decorated_method_of_two_objects(world):
    _loaded(world, _Loader(), _Loader())


class Failing:
    def __init__(self):
        self.tries = 0

    @functools.cached_property
    def value(self):
        self.tries += 1
        raise ValueError


def _tried(world, times):
    failing = Failing()

    def ask():
        for _ in range(times):
            with contextlib.suppress(ValueError):
                failing.value  # noqa: B018 - to ask is all

    world.actor("asks", ask)
    world.actor("looks", lambda: vars(failing).get("value"))
    world.run()
    assert failing.tries == 1


@right("a property that fails is tried once")
def a_cached_property_that_fails(world):
    _tried(world, 1)


@broken("nothing is kept of a failure, so it is tried again")
def a_cached_property_that_fails_and_is_asked_again(world):
    _tried(world, 2)


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
