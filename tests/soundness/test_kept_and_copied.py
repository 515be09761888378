"""What is made on a miss, kept by slots and copied, or dropped out of a container."""

import collections
import copy
import dataclasses
import functools
import sys
import threading
import weakref

import pytest

from tests.soundness.truth import broken, right, systems_of


@dataclasses.dataclass(slots=True)
class _Pair:
    first: str = "old"
    second: str = "old"


def _changed_and_read(world, read, lock=None):
    pair, seen = _Pair(), []
    lock = lock or threading.Semaphore(2)

    def change():
        with lock:
            pair.first = "new"
            pair.second = "new"

    def look():
        with lock:
            seen.append(read(pair))

    world.actor("change", change)
    world.actor("look", look)
    world.run()
    return seen[0]


@broken("asdict comes between the two stores")
def slots_read_by_asdict(world):
    seen = _changed_and_read(world, dataclasses.asdict)
    assert seen["first"] == seen["second"]


@right("both hold the lock")
def slots_read_by_asdict_under_a_lock(world):
    seen = _changed_and_read(world, dataclasses.asdict, threading.Lock())
    assert seen["first"] == seen["second"]


@broken("the copy is made between the two stores")
def slots_copied(world):
    seen = _changed_and_read(world, copy.copy)
    assert seen.first == seen.second


@right("one slot alone is read")
def a_slot_read(world):
    assert _changed_and_read(world, lambda pair: pair.first) in {"old", "new"}


@broken("both call the factory, and one list is kept")
def a_factory_in_python_called_on_a_miss(world):
    lists, got = collections.defaultdict(lambda: [None]), []
    world.actor("one", lambda: got.append(lists["k"]))
    world.actor("two", lambda: got.append(lists["k"]))
    world.run()
    assert got[0] is got[1]


@right("the factory is C code: look, call and store are one")
def a_factory_in_c_called_on_a_miss(world):
    lists, got = collections.defaultdict(list), []
    world.actor("one", lambda: got.append(lists["k"]))
    world.actor("two", lambda: got.append(lists["k"]))
    world.run()
    assert got[0] is got[1]


class _Product:
    @functools.cached_property
    def parts(self):
        return object()


def _two_looks(world, product):
    got = []
    world.actor("one", lambda: got.append(product.parts))
    world.actor("two", lambda: got.append(product.parts))
    world.run()
    assert got[0] is got[1]


HAS_LOCK = sys.version_info < (3, 12)


@(right if HAS_LOCK else broken)("from 3.12 on nothing keeps two threads from computing it")
def a_cached_property_computed_by_two(world):
    _two_looks(world, _Product())


@right("it is there before the race")
def a_cached_property_computed_before(world):
    product = _Product()
    assert product.parts
    _two_looks(world, product)


class _Thing:
    pass


def _dropped(world, holder, drop):
    reference = weakref.ref(next(iter(holder)))

    def look():
        if reference() is not None:
            assert reference() is not None

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@broken("the list lets it go between the two calls of the reference")
def the_last_of_a_list_popped(world):
    things = [_Thing()]

    def drop():
        things.pop()

    _dropped(world, things, drop)


@right("another one is put in, and none goes")
def another_put_into_a_list(world):
    things = [_Thing()]
    _dropped(world, things, lambda: things.append(1))


@broken("the set lets it go between the two calls of the reference")
def a_set_cleared(world):
    things = {_Thing()}
    _dropped(world, things, things.clear)


@right("somebody else holds it, too")
def a_set_cleared_of_what_another_holds(world):
    thing = _Thing()
    things = {thing}
    _dropped(world, things, things.clear)
    assert thing


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
