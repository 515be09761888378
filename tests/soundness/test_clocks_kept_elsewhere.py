"""Clocks that code keeps where no name leads to them, or reads in another way."""

import datetime
import functools
import os
import threading
import time

import pytest

from tests.soundness.truth import broken, right, systems_of

OUTLIVED = "the holder works for two seconds, and the lease ends after one: both count"
LONG_ENOUGH = "the lease is longer than the work"


class Counter:
    """Counts under a lease, so that a crashed holder does not block the others."""

    def __init__(self, world, clock, seconds):
        self.origin, self.clock, self.seconds = world.origin, clock, seconds
        self.lock, self.until, self.done = threading.Lock(), 0.0, 0

    def count(self):
        with self.lock:
            now = self.clock()
            if self.until > now:
                return
            self.until = now + self.seconds
        number = self.origin.get("n")
        time.sleep(2)  # noqa: TID251 - what code under test does
        self.origin.set("n", number + 1)
        with self.lock:
            self.until = 0.0
            self.done += 1


def _late(counter):
    time.sleep(1.5)  # noqa: TID251 - what code under test does
    counter.count()


def _counted(world, clock, seconds=1):
    world.origin.set("n", 0)
    counter = Counter(world, clock, seconds)
    world.actor("one", counter.count)
    world.actor("two", _late, counter)
    world.run()
    assert world.origin.get("n") == counter.done


class Static:
    """Its clock is a static method."""

    clock = staticmethod(time.monotonic)


class Parts:
    """Its clocks are in a tuple, in a partial function, and a method of a class."""

    both = (time.monotonic, time.time)  # noqa: TID251 - what code under test does
    partial = staticmethod(functools.partial(time.monotonic))
    now = datetime.datetime.now


def _of_a_date():
    return Parts.now().timestamp()


def _of_the_system():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def _of_the_system_in_nanoseconds():
    return time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9


def _of_the_process():
    return os.times().elapsed


def _of_a_text():
    return time.mktime(time.strptime(time.ctime()))


@broken(OUTLIVED)
def a_lease_by_the_clock_of_the_process(world):
    _counted(world, _of_the_process)


@right(LONG_ENOUGH)
def a_long_lease_by_the_clock_of_the_process(world):
    _counted(world, _of_the_process, seconds=9)


@broken(OUTLIVED)
def a_lease_by_a_static_clock(world):
    _counted(world, Static().clock)


@right(LONG_ENOUGH)
def a_longer_lease_by_a_static_clock(world):
    _counted(world, Static().clock, 60)


@broken(OUTLIVED)
def a_lease_by_a_clock_in_a_tuple(world):
    _counted(world, lambda: Parts.both[0]())


@broken(OUTLIVED)
def a_lease_by_a_partial_clock(world):
    _counted(world, lambda: Parts.partial())


@broken(OUTLIVED)
def a_lease_by_a_method_of_dates(world):
    _counted(world, _of_a_date)


@right(LONG_ENOUGH)
def a_longer_lease_by_a_method_of_dates(world):
    _counted(world, _of_a_date, 60)


@broken(OUTLIVED)
def a_lease_by_a_clock_of_the_system(world):
    _counted(world, _of_the_system)


@broken(OUTLIVED)
def a_lease_by_a_clock_of_the_system_in_nanoseconds(world):
    _counted(world, _of_the_system_in_nanoseconds)


@right(LONG_ENOUGH)
def a_longer_lease_by_a_clock_of_the_system(world):
    _counted(world, _of_the_system, 60)


@broken(OUTLIVED)
def a_lease_by_the_time_as_a_text(world):
    _counted(world, _of_a_text)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
