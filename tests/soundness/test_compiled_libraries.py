"""Memory that users share through libraries that are compiled: encoders, views, memos."""

import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import cytoolz
import msgpack
import msgspec
import pytest
from multidict import MultiDict, MultiDictProxy
from propcache.api import cached_property, under_cached_property

from tests.soundness.truth import broken, right, systems_of


@dataclass
class Price:
    net: int = 100
    tax: int = 10


def _change(price):
    price.net = 200
    price.tax = 20


def _change_entries(price):
    price["net"] = 200
    price["tax"] = 20


def _encoded(world, encode, make, change, lock):
    redis, state = world.existing_cache.client(), {"price": make()}

    def write():
        redis.incr("writes")
        with lock:
            change(state["price"])

    def read():
        redis.incr("reads")
        with lock:
            return encode(state)

    world.actor("writer", write)
    world.actor("reader", read)
    assert world.run()["reader"] in {encode({"price": make()}), encode(state)}


@broken("the encoder reads the attributes of the price between the two changes")
def an_object_inside_of_what_is_encoded(world):
    _encoded(world, msgspec.json.encode, Price, _change, nullcontext())


@right("they hold one lock")
def an_object_inside_of_what_is_encoded_under_a_lock(world):
    _encoded(world, msgspec.json.encode, Price, _change, threading.Lock())


def _make_entries():
    return {"net": 100, "tax": 10}


@broken("the packer, a method that Cython has compiled, reads the entries between the two changes")
def entries_inside_of_what_is_packed(world):
    _encoded(world, msgpack.packb, _make_entries, _change_entries, nullcontext())


@right("they hold one lock")
def entries_inside_of_what_is_packed_under_a_lock(world):
    _encoded(world, msgpack.packb, _make_entries, _change_entries, threading.Lock())


def _cleared(world, look):
    redis, headers = world.existing_cache.client(), MultiDict(etag="1")

    def drop():
        redis.incr("drops")
        headers.clear()

    world.actor("reader", look, MultiDictProxy(headers))
    world.actor("keeper", drop)
    assert world.run()["reader"] in {"1", ""}


@broken("the headers are cleared between the two looks through the proxy")
def headers_looked_at_twice(world):
    _cleared(world, lambda headers: headers["etag"] if len(headers) else "")


@right("there is one look")
def headers_looked_at_once(world):
    _cleared(world, lambda headers: headers.get("etag", ""))


def _dumped(state):
    named = {"obj": state}
    return json.dumps(**named)


@broken("what is encoded is among the named arguments that are unpacked")
def entries_inside_of_what_is_given_by_name(world):
    _encoded(world, _dumped, _make_entries, _change_entries, nullcontext())


@right("they hold one lock")
def entries_inside_of_what_is_given_by_name_under_a_lock(world):
    _encoded(world, _dumped, _make_entries, _change_entries, threading.Lock())


def _loaded_by_two(world, lock):
    redis = world.existing_cache.client()
    load = cytoolz.memoize(lambda key: redis.incr(key))

    def ask():
        with lock:
            return load("loads")

    world.actor("x", ask)
    world.actor("y", ask)
    assert world.run() == {"x": 1, "y": 1}


@broken("both are called before either result is kept")
def a_memo_that_is_compiled(world):
    _loaded_by_two(world, nullcontext())


@right("they hold one lock")
def a_memo_that_is_compiled_under_a_lock(world):
    _loaded_by_two(world, threading.Lock())


def _loaded_and_cleared(world, lock):
    origin, kept = {"price": 1}, {}
    load = cytoolz.memoize(lambda key: origin[key], cache=kept)

    def ask():
        with lock:
            return load("price")

    def change():
        with lock:
            origin["price"] = 2
            kept.clear()

    world.actor("shop", ask)
    world.actor("change", change)
    world.run()
    assert load("price") == 2


@broken("the price of before is kept after the memo was cleared")
def a_compiled_memo_that_is_cleared(world):
    _loaded_and_cleared(world, nullcontext())


@right("they hold one lock")
def a_compiled_memo_that_is_cleared_under_a_lock(world):
    _loaded_and_cleared(world, threading.Lock())


class Product:
    def __init__(self, redis):
        self.redis, self.asked, self._cache = redis, 0, {}

    @cached_property
    def price(self):
        return self.redis.get("price")

    @under_cached_property
    def tax(self):
        return self.redis.get("tax")

    def _read_rate(self):
        self.asked += 1
        return self.redis.get("rate")

    rate = under_cached_property(_read_rate)
    weight = cached_property(partial(round, ndigits=0))
    size = under_cached_property(len)

    def __len__(self):
        return 3

    def __round__(self, ndigits):
        return ndigits

    def forget_price(self):
        self.__dict__.pop("price", None)

    def forget_tax(self):
        self._cache.pop("tax", None)

    def forget_rate(self):
        self._cache.pop("_read_rate", None)


def _changed(world, name, forget, lock):
    redis = world.existing_cache.client()
    redis.set(name, "old")
    product = Product(redis)

    def read():
        with lock:
            return getattr(product, name)

    def change():
        with lock:
            redis.set(name, "new")
            forget(product)

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert getattr(product, name) == b"new"


@broken("what the property has read is stored after the change")
def a_property_that_is_compiled(world):
    _changed(world, "price", Product.forget_price, nullcontext())


@right("they hold one lock")
def a_property_that_is_compiled_under_a_lock(world):
    _changed(world, "price", Product.forget_price, threading.Lock())


@broken("what the property has read is stored in the dict after the change")
def a_property_that_keeps_in_a_dict(world):
    _changed(world, "tax", Product.forget_tax, nullcontext())


@right("they hold one lock")
def a_property_that_keeps_in_a_dict_under_a_lock(world):
    _changed(world, "tax", Product.forget_tax, threading.Lock())


@broken("it is kept under the name of its function, after the change")
def a_property_that_keeps_under_another_name(world):
    _changed(world, "rate", Product.forget_rate, nullcontext())


@right("its function is called once, and nobody forgets what it said")
def a_property_that_keeps_under_another_name_for_good(world):
    product = Product(world.existing_cache.client())

    def read():
        return product.rate

    world.actor("reader", read)
    world.run()
    assert product.asked == 1


@right("both are made of what does not change, by functions that are no code of Python")
def properties_of_functions_in_c(world):
    redis = world.existing_cache.client()
    product = Product(redis)

    def read():
        redis.incr("reads")
        return product.size + product.weight

    world.actor("x", read)
    world.actor("y", read)
    assert world.run() == {"x": 3, "y": 3}


def _encoded_into(world, buffer_of):
    encoder, shared = msgspec.json.Encoder(), bytearray()

    def answer(user):
        buffer = buffer_of(shared)
        encoder.encode_into(user, buffer)
        return bytes(buffer)

    world.actor("x", answer, "x")
    world.actor("y", answer, "y")
    assert world.run() == {"x": b'"x"', "y": b'"y"'}


@broken("the encoder fills the buffer of both before the first has read its answer")
def a_buffer_that_an_encoder_fills(world):
    _encoded_into(world, lambda shared: shared)


@right("each has a buffer")
def a_buffer_each_that_an_encoder_fills(world):
    _encoded_into(world, bytearray)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()
