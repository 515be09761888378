"""What is read through a getter, a weak proxy, or an object that stands for another."""

import operator
import threading
import weakref

import pytest

from tests.soundness.truth import broken, systems_of


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


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
