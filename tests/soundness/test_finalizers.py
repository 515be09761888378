"""Objects of `weakref.finalize`: each has a state of its own, and calls code of a user."""

import itertools
import threading
from contextlib import nullcontext
from weakref import finalize

import pytest

from tests.soundness.truth import broken, right, systems_of


class _Handle:
    pass


def _used_by_two(world, mark_of):
    redis, alive = world.existing_cache.client(), set()

    def use(key):
        handle, mark = _Handle(), mark_of(key)
        alive.add(mark)
        finalize(handle, lambda: alive.discard(mark))
        redis.incr("uses")
        is_alive = mark in alive
        del handle
        return is_alive

    world.actor("x", use, "k")
    world.actor("y", use, "k")
    assert world.run() == {"x": True, "y": True}
    assert not alive


@broken("the end of one handle forgets the key while the other one is in use")
def handles_that_are_forgotten_by_key(world):
    _used_by_two(world, lambda key: key)


@right("the end of a handle forgets its own number")
def handles_that_are_forgotten_by_number(world):
    numbers = itertools.count()
    _used_by_two(world, lambda key: (key, next(numbers)))


def _closed_by_two(world, close):
    redis, page, closed = world.existing_cache.client(), _Handle(), []
    closer = finalize(page, int)

    def end(name):
        redis.incr("ends")
        if close(closer):
            closed.append(name)

    world.actor("x", end, "x")
    world.actor("y", end, "y")
    world.run()
    assert len(closed) == 1


def _if_alive(closer, lock):
    with lock:
        if closer.alive:
            closer()
            return True
    return False


@broken("both find it alive before either ends it")
def a_finalizer_asked_and_ended(world):
    _closed_by_two(world, lambda closer: _if_alive(closer, nullcontext()))


@right("they hold one lock")
def a_finalizer_asked_and_ended_under_a_lock(world):
    lock = threading.Lock()
    _closed_by_two(world, lambda closer: _if_alive(closer, lock))


def _detached_and_looked(world, look):
    redis, page = world.existing_cache.client(), _Handle()
    closer = finalize(page, int)

    def detach():
        redis.incr("ends")
        closer.detach()

    world.actor("keeper", detach)
    world.actor("reader", look, closer)
    assert world.run()["reader"] in {None, page}


@broken("it is detached after it was found alive: there is nothing to take apart")
def a_finalizer_asked_and_peeked_at(world):
    _detached_and_looked(world, lambda closer: closer.peek()[0] if closer.alive else None)


@right("there is one look")
def a_finalizer_peeked_at(world):
    _detached_and_looked(world, lambda closer: (closer.peek() or [None])[0])


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()
