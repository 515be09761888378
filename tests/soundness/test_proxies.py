"""What is read through a getter, a weak proxy, or an object that stands for another."""

import operator
import threading
import weakref
from contextlib import nullcontext
from contextvars import ContextVar

import pytest
from django.utils.functional import SimpleLazyObject
from flask import Flask, current_app, g
from werkzeug.local import Local, LocalProxy

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


class Bucket:
    __slots__ = ("lock", "tokens")

    def __init__(self, tokens):
        self.tokens, self.lock = tokens, threading.Lock()

    def take(self):
        if self.tokens > 0:
            self.tokens -= 1
            return True
        return False

    def take_under_the_lock(self):
        with self.lock:
            return self.take()


class Switch:
    def __init__(self):
        self.inner = Bucket(1)


@broken("the tokens of the inner bucket are looked at between the two writes")
def a_getter_with_a_dot(world):
    switch = Switch()
    tokens = operator.attrgetter("inner.tokens")

    def use():
        switch.inner.tokens = 0
        switch.inner.tokens = 1

    assert _both(world, use, lambda: tokens(switch))["second"] == 1


@broken("the proxy reads the tokens between the two writes")
def a_weak_proxy(world):
    bucket = Bare()
    proxy = weakref.proxy(bucket)

    def use():
        bucket.tokens = 0
        bucket.tokens = 1

    assert _both(world, use, lambda: proxy.tokens)["second"] == 1


class Bare:
    tokens = 1


class Lazy:
    """Stands for what it makes when it is first asked."""

    def __init__(self, make):
        object.__setattr__(self, "_make", make)
        object.__setattr__(self, "_target", None)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "_target"), name)

    def switch(self, target):
        object.__setattr__(self, "_target", None)
        object.__setattr__(self, "_target", target)


@broken("the proxy is asked between the two writes, when it stands for None")
def a_proxy_that_looks_below(world):
    lazy = Lazy(Bare)
    lazy.switch(Bare())
    _both(world, lambda: lazy.switch(Bare()), lambda: lazy.tokens)


@right("nobody switches what the proxy stands for")
def a_proxy_that_nobody_switches(world):
    lazy = Lazy(Bare)
    lazy.switch(Bare())
    assert set(_both(world, lambda: lazy.tokens, lambda: lazy.tokens).values()) == {1}


def _begun_once(world, mine, yours, lock):
    begun = []

    def begin(stock):
        with lock:
            if stock["left"] == 1:
                stock["left"] = 0
                begun.append(1)

    _both(world, lambda: begin(mine), lambda: begin(yours))
    assert begun == [1]


@broken("both find one item left in the dict behind the proxy")
def an_item_of_a_local_proxy(world):
    stock = {"left": 1}
    proxy = LocalProxy(lambda: stock)
    _begun_once(world, proxy, proxy, nullcontext())


@right("both hold one lock")
def an_item_of_a_local_proxy_under_a_lock(world):
    stock = {"left": 1}
    proxy = LocalProxy(lambda: stock)
    _begun_once(world, proxy, proxy, threading.Lock())


@broken("one looks into the dict itself, the other one through a proxy")
def an_item_of_a_lazy_object(world):
    stock = {"left": 1}
    lazy = SimpleLazyObject(lambda: stock)
    assert lazy["left"] == 1
    _begun_once(world, lazy, stock, nullcontext())


@right("both hold one lock")
def an_item_of_a_lazy_object_under_a_lock(world):
    stock = {"left": 1}
    lazy = SimpleLazyObject(lambda: stock)
    assert lazy["left"] == 1
    _begun_once(world, lazy, stock, threading.Lock())


def _counted(world, proxy, put, stocks):
    def count(stock):
        put(stock)
        proxy["hits"] = proxy["hits"] + 1

    _both(world, lambda: count(stocks[0]), lambda: count(stocks[1]))
    assert [stock["hits"] for stock in stocks] == [2 if stocks[0] is stocks[1] else 1] * 2


@broken("both read the same number in the dict that both contexts lead to")
def an_item_behind_a_variable_of_the_context(world):
    current, stock = ContextVar("current"), {"hits": 0}
    _counted(world, LocalProxy(current), current.set, [stock, stock])


@right("each context leads to a dict of its own")
def items_behind_a_variable_of_the_context(world):
    current = ContextVar("current")
    _counted(world, LocalProxy(current), current.set, [{"hits": 0}, {"hits": 0}])


@broken("both read the same number in the dict that both locals lead to")
def an_item_behind_a_local(world):
    local, stock = Local(), {"hits": 0}
    _counted(world, local("stock"), lambda one: setattr(local, "stock", one), [stock, stock])


@right("each user has a dict of its own in the local")
def items_behind_a_local(world):
    local = Local()
    stocks = [{"hits": 0}, {"hits": 0}]
    _counted(world, local("stock"), lambda one: setattr(local, "stock", one), stocks)


def _asked_with_a_default(world, entries):
    current = ContextVar("current")
    view, redis = LocalProxy(current, "view"), world.existing_cache.client()

    def ask():
        current.set(entries)
        redis.incr("requests")
        return getattr(view, "size", None)

    return _both(world, ask, ask)


@right("nothing is behind the proxy, and both have a default for that")
def a_proxy_of_what_is_not_there(world):
    assert _asked_with_a_default(world, object()) == {"first": None, "second": None}


@right("the twin: the object behind the proxy is there")
def a_proxy_of_what_is_there(world):
    assert _asked_with_a_default(world, Hits()) == {"first": 1, "second": 1}


class Disguised:
    """Says the module of what it stands for, as proxies that are written in Python do."""

    def __init__(self):
        self.hits = 0

    @property
    def __module__(self):
        return "shop"

    def __call__(self):
        self.hits = self.hits + 1


def _called_by_both(world, lock):
    counter, redis = Disguised(), world.existing_cache.client()

    def count():
        redis.incr("requests")
        with lock:
            counter()

    _both(world, count, count)
    assert counter.hits == 2


@broken("both read the same number of hits")
def an_object_that_says_another_module(world):
    _called_by_both(world, nullcontext())


@right("both hold one lock")
def an_object_that_says_another_module_under_a_lock(world):
    _called_by_both(world, threading.Lock())


class Hits:
    """Makes a view of its entries whenever it is asked for one."""

    def __init__(self):
        self.entries = {"hits": 0}

    @property
    def view(self):
        return View(self)


class View:
    size = 1

    def __init__(self, of):
        self.entries = of.entries

    def __getitem__(self, key):
        return self.entries[key]

    def __setitem__(self, key, value):
        self.entries[key] = value


def _counted_in_views(world, hits):
    current = ContextVar("current")
    view = LocalProxy(current, "view")

    def count(one):
        current.set(one)
        view["hits"] = view["hits"] + 1

    _both(world, lambda: count(hits[0]), lambda: count(hits[1]))
    assert hits[0].entries["hits"] == (2 if hits[0] is hits[1] else 1)


@broken("both read the same number, each through views that are made for it")
def an_item_behind_a_proxy_of_views(world):
    hits = Hits()
    _counted_in_views(world, [hits, hits])


@right("each context has entries of its own")
def items_behind_a_proxy_of_views(world):
    _counted_in_views(world, [Hits(), Hits()])


class Counter:
    seen = 0


def _count(holder):
    seen = holder.seen
    holder.seen = seen + 1
    return seen


@broken("one user counts in the application, the other one in what stands for it")
def an_application_and_its_proxy(world):
    app = Flask("shop")
    app.seen = 0

    def by_proxy():
        with app.app_context():
            return _count(current_app)

    told = _both(world, by_proxy, lambda: _count(app))
    assert sorted(told.values()) == [0, 1]


@right("what an application context keeps belongs to one user")
def what_contexts_keep(world):
    app = Flask("shop")

    def count():
        with app.app_context():
            g.seen = 0
            return _count(g)

    told = _both(world, count, count)
    assert set(told.values()) == {0}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
