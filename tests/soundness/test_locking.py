"""Locks as teams use them: too late, too short, too many, the wrong one, or in the right way."""

import threading
from collections import UserDict, defaultdict
from weakref import WeakValueDictionary

import attrs
import pytest

from tests.soundness.truth import broken, right, systems_of


def _twice(world, function, *arguments):
    world.actor("first", function, *arguments)
    world.actor("second", function, *arguments)
    return world.run()


class Pool:
    """Opened by the first caller."""

    def __init__(self):
        self.opened = 0
        self.lock = threading.Lock()
        self.connections = None
        self.is_ready = False

    def _open(self):
        self.opened += 1
        return ["connection"]


class UncheckedUnderTheLock(Pool):
    def get(self):
        if self.connections is None:
            with self.lock:
                self.connections = self._open()
        return self.connections


class CheckedTwice(Pool):
    def get(self):
        if self.connections is None:
            with self.lock:
                if self.connections is None:
                    self.connections = self._open()
        return self.connections


class ReadyTooEarly(Pool):
    def get(self):
        if not self.is_ready:
            with self.lock:
                if not self.is_ready:
                    self.is_ready = True
                    self.connections = self._open()
        return self.connections[0]


class ReadyAtTheEnd(Pool):
    def get(self):
        if not self.is_ready:
            with self.lock:
                if not self.is_ready:
                    self.connections = self._open()
                    self.is_ready = True
        return self.connections[0]


class FilledInPlace(Pool):
    def get(self):
        if self.connections is None:
            with self.lock:
                if self.connections is None:
                    self.connections = []
                    self.connections.append("connection")
        return self.connections[0]


def _opens_once(world, kind):
    pool = kind()
    _twice(world, pool.get)
    assert pool.opened <= 1


@broken("both find no pool, and each opens one when it gets the lock")
def a_pool_not_checked_under_the_lock(world):
    _opens_once(world, UncheckedUnderTheLock)


@right("the second look is under the lock")
def a_pool_checked_twice(world):
    _opens_once(world, CheckedTwice)


@broken("the flag is up before the pool is there, and the other subscripts None")
def a_pool_ready_too_early(world):
    _opens_once(world, ReadyTooEarly)


@right("the flag goes up when the pool is there")
def a_pool_ready_at_the_end(world):
    _opens_once(world, ReadyAtTheEnd)


@broken("the list is seen without the lock while it is still empty")
def a_pool_filled_in_place(world):
    _opens_once(world, FilledInPlace)


class Total:
    value = 0

    def __init__(self):
        self.lock = threading.Lock()

    def add(self):
        with self.lock:
            type(self).value += 1


@broken("each instance has a lock of its own, and both guard an attribute of the class")
def a_lock_per_instance_for_a_class_attribute(world):
    Total.value = 0
    one, other = Total(), Total()
    world.actor("first", one.add)
    world.actor("second", other.add)
    world.run()
    assert Total.value == 2


@right("both add through the same instance, and so under the same lock")
def one_instance_with_its_lock(world):
    Total.value = 0
    _twice(world, Total().add)
    assert Total.value == 2


@attrs.define
class MadeByAttrs:
    lock: object = attrs.field(factory=threading.Lock)
    value: int = 0

    def add_under(self, lock):
        with lock:
            found = self.value
            self.value = found + 1


@broken("each caller makes a lock with attrs of its own")
def locks_that_attrs_makes_for_each(world):
    one = MadeByAttrs()
    world.actor("first", one.add_under, MadeByAttrs().lock)
    world.actor("second", one.add_under, MadeByAttrs().lock)
    world.run()
    assert one.value == 2


@right("both take the lock that attrs has made")
def a_lock_that_attrs_makes(world):
    one = MadeByAttrs()
    _twice(world, one.add_under, one.lock)
    assert one.value == 2


class Stripes:
    def __init__(self, size):
        self.locks = [threading.Lock() for _ in range(size)]
        self.counts = {}

    def add(self, key, stripe):
        with self.locks[stripe % len(self.locks)]:
            self.counts[key] = self.counts.get(key, 0) + 1


@broken("the stripe is chosen by the caller, so one key is guarded by two locks")
def the_wrong_stripe(world):
    stripes = Stripes(2)
    world.actor("first", stripes.add, "k", 0)
    world.actor("second", stripes.add, "k", 1)
    world.run()
    assert stripes.counts == {"k": 2}


@right("one key always comes to one stripe")
def the_right_stripe(world):
    stripes = Stripes(2)
    _twice(world, stripes.add, "k", 3)
    assert stripes.counts == {"k": 2}


@right("two keys in two stripes touch two entries")
def a_stripe_for_each_key(world):
    stripes = Stripes(2)
    world.actor("first", stripes.add, "a", 0)
    world.actor("second", stripes.add, "b", 1)
    world.run()
    assert stripes.counts == {"a": 1, "b": 1}


def _counted_under(world, lock_of):
    box = [0]

    def add():
        with lock_of("k"):
            box[0] += 1

    _twice(world, add)
    assert box[0] == 2


@broken("both find no lock for the key, and each makes its own")
def a_lock_on_demand_by_look_and_store(world):
    locks = {}

    def lock_of(key):
        made = locks.get(key)
        if made is None:
            made = locks[key] = threading.Lock()
        return made

    _counted_under(world, lock_of)


@right("setdefault of a dict is one operation: both get the lock that came first")
def a_lock_on_demand_by_setdefault(world):
    locks = {}
    _counted_under(world, lambda key: locks.setdefault(key, threading.Lock()))


@broken("UserDict.setdefault is Python code: both miss, and each keeps the lock it has made")
def a_lock_on_demand_in_a_user_dict(world):
    locks = UserDict()
    _counted_under(world, lambda key: locks.setdefault(key, threading.Lock()))


@broken("WeakValueDictionary.setdefault is Python code: both miss and keep their own lock")
def a_lock_on_demand_in_a_weak_dict(world):
    locks = WeakValueDictionary()
    _counted_under(world, lambda key: locks.setdefault(key, threading.Lock()))


@right("making a lock for the weak dict is guarded by another lock")
def a_lock_on_demand_in_a_guarded_weak_dict(world):
    locks, guard = WeakValueDictionary(), threading.Lock()

    def lock_of(key):
        with guard:
            return locks.setdefault(key, threading.Lock())

    _counted_under(world, lock_of)


class Named:
    def __init__(self):
        self.lock = threading.Lock()

    def __enter__(self):
        return self.lock.__enter__()

    def __exit__(self, *error):
        return self.lock.__exit__(*error)


@broken("the factory is Python code: both miss, and each is given the lock it has made")
def a_lock_on_demand_by_a_factory(world):
    locks = defaultdict(Named)
    _counted_under(world, lambda key: locks[key])


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
