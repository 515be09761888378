"""Attributes and globals that are looked for before anybody makes them; classes made by calls."""

import abc
import functools
import sys
import threading
import types

import pytest

from tests.soundness.truth import broken, right, systems_of

LOCK = threading.Lock()


class NoLock:
    """It excludes nobody."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def _made_once(world, make):
    """Let two users ask for what the first of them makes."""
    world.actor("alice", make)
    world.actor("bob", make)
    result = world.run()
    assert result["alice"] is result["bob"]


def _counted(world, count, total):
    """Let two users count, each once."""
    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert total() == 2


def _on_a_function(world, lock):
    def connect():
        with lock:
            if not hasattr(connect, "made"):
                connect.made = object()
            return connect.made

    _made_once(world, connect)


@broken("both find no attribute and make one")
def a_singleton_kept_on_its_function(world):
    _on_a_function(world, NoLock())


@right("the second finds what the first has made under the lock")
def a_singleton_kept_on_its_function_under_a_lock(world):
    _on_a_function(world, threading.Lock())


def _with_a_default(world, lock):
    def count():
        with lock:
            count.calls = getattr(count, "calls", 0) + 1

    _counted(world, count, lambda: count.calls)


@broken("both count from the default")
def calls_counted_on_a_function(world):
    _with_a_default(world, NoLock())


@right("one counts after the other")
def calls_counted_on_a_function_under_a_lock(world):
    _with_a_default(world, threading.Lock())


def once(function, lock):
    """Keep the result on the wrapper."""

    @functools.wraps(function)
    def wrapper():
        with lock:
            try:
                return wrapper.result
            except AttributeError:
                wrapper.result = result = function()
                return result

    return wrapper


@broken("both find no result")
def a_decorator_that_keeps_a_result(world):
    _made_once(world, once(object, NoLock()))


@right("the second finds the result")
def a_decorator_that_keeps_a_result_under_a_lock(world):
    _made_once(world, once(object, threading.Lock()))


def _on_a_partial(world, lock):
    partial = functools.partial(int)

    def count():
        with lock:
            partial.calls = getattr(partial, "calls", 0) + 1

    _counted(world, count, lambda: partial.calls)


@broken("both count from the default")
def calls_counted_on_a_partial(world):
    _on_a_partial(world, NoLock())


@right("one counts after the other")
def calls_counted_on_a_partial_under_a_lock(world):
    _on_a_partial(world, threading.Lock())


def _as_a_global(world, lock):
    def connect():
        global CONNECTION
        with lock:
            try:
                return CONNECTION
            except NameError:
                CONNECTION = object()
                return CONNECTION

    _made_once(world, connect)


@broken("both find no global")
def a_global_that_is_made_when_it_is_needed(world):
    _as_a_global(world, NoLock())


@right("the second finds the global")
def a_global_that_is_made_under_a_lock(world):
    _as_a_global(world, LOCK)


def _in_a_module(world, lock):
    this = sys.modules[__name__]

    def pool():
        with lock:
            if not hasattr(this, "pool_of_all"):
                this.pool_of_all = object()
            return this.pool_of_all

    _made_once(world, pool)


@broken("both find no attribute")
def an_attribute_that_a_module_lacks(world):
    _in_a_module(world, NoLock())


@right("the second finds the attribute")
def an_attribute_that_a_module_lacks_under_a_lock(world):
    _in_a_module(world, LOCK)


class Base:
    """It gets a registry when one is needed."""


class Derived(Base):
    pass


def _in_a_base(world, lock):
    def registry():
        with lock:
            if not hasattr(Derived, "registry"):
                Base.registry = object()
            return Derived.registry

    _made_once(world, registry)


@broken("both find no attribute in any of the classes")
def an_attribute_that_a_base_lacks(world):
    _in_a_base(world, NoLock())


@right("the second finds the attribute of the base")
def an_attribute_that_a_base_lacks_under_a_lock(world):
    _in_a_base(world, LOCK)


def _of_a_class(world, made, lock):
    def count():
        with lock:
            made.calls += 1

    _counted(world, count, lambda: made.calls)


@broken("both read the same number")
def a_class_with_an_abstract_base_that_a_call_makes(world):
    _of_a_class(world, type("Counted", (abc.ABC,), {"calls": 0}), NoLock())


@right("one counts after the other")
def a_class_with_an_abstract_base_that_a_call_makes_under_a_lock(world):
    _of_a_class(world, type("Counted", (abc.ABC,), {"calls": 0}), threading.Lock())


@broken("both read the same number")
def a_class_that_types_makes(world):
    _of_a_class(world, types.new_class("Counted", (), {}, lambda s: s.update(calls=0)), NoLock())


@right("one counts after the other")
def a_class_that_types_makes_under_a_lock(world):
    made = types.new_class("Counted", (), {}, lambda space: space.update(calls=0))
    _of_a_class(world, made, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
