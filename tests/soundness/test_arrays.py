"""Arrays of numpy that users share: slices, arrays over bytes, and what functions fill."""

import threading
from contextlib import nullcontext

import numpy
import pytest

from tests.soundness.truth import broken, right, systems_of


def _hit_by_two(world, views, total, lock):
    redis = world.existing_cache.client()

    def hit(view):
        redis.incr("requests")
        with lock:
            view[0] = view[0] + 1

    world.actor("x", hit, views[0])
    world.actor("y", hit, views[1])
    world.run()
    assert total() == 2


@broken("the views show the same elements")
def two_views_of_an_array(world):
    hits = numpy.zeros(4, dtype=numpy.int64)
    _hit_by_two(world, [hits[1:], hits[1:]], hits.sum, nullcontext())


@right("they hold one lock")
def two_views_of_an_array_and_a_lock(world):
    hits = numpy.zeros(4, dtype=numpy.int64)
    _hit_by_two(world, [hits[1:], hits[1:]], hits.sum, threading.Lock())


@broken("the array shows the bytes that the other one sets by itself")
def an_array_over_bytes(world):
    hits = bytearray(4)
    view = numpy.frombuffer(hits, dtype=numpy.uint8)
    _hit_by_two(world, [view, hits], lambda: hits[0], nullcontext())


@right("each has bytes of its own")
def arrays_over_bytes_of_their_own(world):
    mine, yours = bytearray(4), bytearray(4)
    view = numpy.frombuffer(mine, dtype=numpy.uint8)
    _hit_by_two(world, [view, yours], lambda: mine[0] + yours[0], nullcontext())


def _filled_in_halves(world, fill, read, lock):
    redis, prices = world.existing_cache.client(), numpy.array([1, 1])

    def write():
        redis.incr("writes")
        with lock:
            fill(prices[:1])
            fill(prices[1:])

    def look():
        redis.incr("reads")
        with lock:
            return int(read(prices))

    world.actor("writer", write)
    world.actor("reader", look)
    assert world.run()["reader"] in {2, 4}


def _put(half):
    numpy.copyto(half, 2)


def _add(half):
    numpy.add(half, 1, out=half)


@broken("one half is filled by a function of numpy before the sum, and one after it")
def halves_filled_by_a_function(world):
    _filled_in_halves(world, _put, numpy.sum, nullcontext())


@right("they hold one lock")
def halves_filled_by_a_function_under_a_lock(world):
    _filled_in_halves(world, _put, numpy.sum, threading.Lock())


@broken("one half is the place for a result before the sum, and one after it")
def halves_added_to(world):
    _filled_in_halves(world, _add, numpy.sum, nullcontext())


@right("they hold one lock")
def halves_added_to_under_a_lock(world):
    _filled_in_halves(world, _add, numpy.sum, threading.Lock())


@broken("both go through the elements of one array")
def an_array_through_its_flat(world):
    hits = numpy.zeros(4, dtype=numpy.int64)
    _hit_by_two(world, [hits.flat, hits.flat], hits.sum, nullcontext())


@right("they hold one lock")
def an_array_through_its_flat_and_a_lock(world):
    hits = numpy.zeros(4, dtype=numpy.int64)
    _hit_by_two(world, [hits.flat, hits.flat], hits.sum, threading.Lock())


def _drawn(world, place):
    shared = numpy.zeros(1)

    def draw(seed):
        drawn = place(shared)
        numpy.random.default_rng(seed).random(out=drawn)
        return drawn[0] == numpy.random.default_rng(seed).random()

    world.actor("x", draw, 1)
    world.actor("y", draw, 2)
    assert world.run() == {"x": True, "y": True}


@broken("both numbers are drawn into one array")
def an_array_that_a_method_fills(world):
    _drawn(world, lambda shared: shared)


@right("each draws into a copy")
def a_copy_that_a_method_fills(world):
    _drawn(world, numpy.copy)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()
