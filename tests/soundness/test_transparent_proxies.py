"""Objects behind proxies of wrapt and lazy_object_proxy, which instrumentation puts before them."""

import threading
from contextlib import nullcontext

import lazy_object_proxy
import pytest
import wrapt

from tests.soundness.truth import broken, right, systems_of


class Stats:
    def __init__(self):
        self.hits = 0


def _one_more_hit(stats):
    stats.hits += 1


def _one_more_row(rows):
    rows["n"] = rows["n"] + 1


def _counted_by_two(world, proxies, use, lock):
    redis = world.existing_cache.client()

    def count(proxy):
        redis.incr("requests")
        with lock:
            use(proxy)

    world.actor("x", count, proxies[0])
    world.actor("y", count, proxies[1])
    world.run()


def _hit_by_two(world, make, lock):
    stats = Stats()
    _counted_by_two(world, [make(stats), make(stats)], _one_more_hit, lock)
    assert stats.hits == 2


@broken("each has a proxy of its own, and both read the hits of the one object behind")
def an_attribute_behind_two_proxies(world):
    _hit_by_two(world, wrapt.ObjectProxy, nullcontext())


@right("they hold one lock")
def an_attribute_behind_two_proxies_and_a_lock(world):
    _hit_by_two(world, wrapt.ObjectProxy, threading.Lock())


def _made(proxy):
    assert proxy.hits == 0  # that makes its object
    return proxy


@broken("the object that was made lazily is one and the same")
def an_attribute_behind_lazy_proxies(world):
    _hit_by_two(world, lambda o: _made(wrapt.LazyObjectProxy(lambda: o)), nullcontext())


@right("they hold one lock")
def an_attribute_behind_lazy_proxies_and_a_lock(world):
    _hit_by_two(world, lambda o: _made(wrapt.LazyObjectProxy(lambda: o)), threading.Lock())


@broken("the object that was made lazily is one and the same")
def an_attribute_behind_lazy_object_proxies(world):
    _hit_by_two(world, lambda o: _made(lazy_object_proxy.Proxy(lambda: o)), nullcontext())


@right("they hold one lock")
def an_attribute_behind_lazy_object_proxies_and_a_lock(world):
    _hit_by_two(world, lambda o: _made(lazy_object_proxy.Proxy(lambda: o)), threading.Lock())


@broken("one goes to the dict itself, the other one through a proxy")
def an_item_behind_a_proxy(world):
    rows = {"n": 0}
    _counted_by_two(world, [wrapt.ObjectProxy(rows), rows], _one_more_row, nullcontext())
    assert rows == {"n": 2}


@right("there is a dict for each")
def an_item_behind_each_proxy(world):
    mine, yours = {"n": 0}, {"n": 0}
    proxies = [wrapt.ObjectProxy(mine), wrapt.ObjectProxy(yours)]
    _counted_by_two(world, proxies, _one_more_row, nullcontext())
    assert mine == yours == {"n": 1}


def _emptied(world, look):
    rows = {"k": 1}
    redis = world.existing_cache.client()

    def drop():
        redis.incr("drops")
        rows.clear()

    world.actor("reader", look, wrapt.ObjectProxy(rows))
    world.actor("keeper", drop)
    assert world.run()["reader"] in {1, None}


@broken("the dict is cleared after the proxy has told its length")
def the_length_of_a_proxy(world):
    _emptied(world, lambda proxy: proxy["k"] if len(proxy) else None)


@right("one look at the entry")
def an_entry_got_from_a_proxy(world):
    _emptied(world, lambda proxy: proxy.get("k"))


@broken("the dict is cleared after the proxy was found to be true")
def the_truth_of_a_proxy(world):
    _emptied(world, lambda proxy: proxy["k"] if proxy else None)


@right("what is true is kept, and its entry is got once")
def the_truth_of_a_proxy_and_one_look(world):
    _emptied(world, lambda proxy: proxy.get("k") if proxy else None)


def _renewed(world, look):
    proxy = wrapt.ObjectProxy({"k": 1})
    redis = world.existing_cache.client()

    def renew():
        redis.incr("renewals")
        proxy.__wrapped__ = {}

    world.actor("reader", look, proxy)
    world.actor("keeper", renew)
    assert world.run()["reader"] == 1


@broken("another dict is put behind the proxy between the two looks")
def what_is_behind_a_proxy_looked_at_twice(world):
    _renewed(world, lambda proxy: proxy["k"] if len(proxy) else 1)


@right("there is one look")
def what_is_behind_a_proxy_looked_at_once(world):
    _renewed(world, lambda proxy: proxy.get("k", 1))


class Counting(wrapt.ObjectProxy):
    def __init__(self, wrapped):
        super().__init__(wrapped)
        self._self_calls = 0

    def hit(self):
        self._self_calls += 1


def _called_by_two(world, proxies):
    redis = world.existing_cache.client()

    def hit(proxy):
        redis.incr("requests")
        proxy.hit()

    world.actor("x", hit, proxies[0])
    world.actor("y", hit, proxies[1])
    world.run()


@broken("both read the calls that the proxy keeps for itself")
def what_a_proxy_keeps_for_itself(world):
    proxy = Counting(Stats())
    _called_by_two(world, [proxy, proxy])
    assert proxy._self_calls == 2


@right("each proxy keeps its own, though the object is one")
def what_two_proxies_keep_for_themselves(world):
    stats = Stats()
    mine, yours = Counting(stats), Counting(stats)
    _called_by_two(world, [mine, yours])
    assert mine._self_calls == yours._self_calls == 1


def _made_in_the_race(world, lock):
    proxy = wrapt.LazyObjectProxy(Stats)
    _counted_by_two(world, [proxy, proxy], _one_more_hit, lock)
    assert proxy.hits == 2


@broken("both read the hits of the object that the first one of them makes")
def an_object_that_is_made_in_the_race(world):
    _made_in_the_race(world, nullcontext())


@right("they hold one lock, also while the object is made")
def an_object_that_is_made_in_the_race_under_a_lock(world):
    _made_in_the_race(world, threading.Lock())


class Box:
    full = 0


def _fill_class(proxy):
    proxy.full = proxy.full + 1


def _class_filled(world, lock):
    class Mine(Box):
        pass

    proxy = wrapt.ObjectProxy(Mine)
    _counted_by_two(world, [proxy, proxy], _fill_class, lock)
    assert Mine.full == 2


@broken("a proxy of a class: both read its attribute")
def a_class_behind_a_proxy(world):
    _class_filled(world, nullcontext())


@right("they hold the lock that wrapt makes for a class")
def a_class_behind_a_proxy_and_a_lock_of_wrapt(world):
    _class_filled(world, wrapt.synchronized(Stats))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()
