"""Code of C that calls Python code meanwhile: others come in while that runs."""

import bisect
import functools
import heapq
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _key(row):
    return row


@broken("the list is empty while the key function runs")
def a_list_sorted_by_a_key(world):
    rows, seen = [2, 1], []

    def sort():
        rows.sort(key=_key)

    def look():
        seen.append(len(rows))

    world.actor("sort", sort)
    world.actor("look", look)
    world.run()
    assert seen == [2]


@right("without a key nothing is called")
def a_list_of_numbers_sorted(world):
    rows, seen = [2, 1], []

    def look():
        seen.append(len(rows))

    world.actor("sort", rows.sort)
    world.actor("look", look)
    world.run()
    assert seen == [2]


class _Job:
    def __init__(self, urgency):
        self.urgency = urgency

    def __lt__(self, other):
        return self.urgency < other.urgency


def _pushed(world, lock=None):
    lock = lock or threading.Semaphore(2)
    jobs, failed = [_Job(5)], []

    def push(job):
        with lock:
            try:
                heapq.heappush(jobs, job)
            except RuntimeError as error:
                failed.append(error)

    world.actor("one", push, _Job(3))
    world.actor("two", push, _Job(4))
    world.run()
    return failed


@broken("the list grows while the other compares: RuntimeError")
def a_heap_of_jobs_that_are_compared_in_python(world):
    assert not _pushed(world)


@right("both hold the lock")
def a_heap_of_jobs_under_a_lock(world):
    assert not _pushed(world, threading.Lock())


def _biggest(world, find):
    stock, failed = {"a": 1, "c": 3}, []

    def look():
        try:
            find(stock)
        except RuntimeError as error:
            failed.append(error)

    def add():
        stock["b"] = 2

    world.actor("look", look)
    world.actor("add", add)
    world.run()
    return failed


@broken("the dict grows while the key function runs")
def the_biggest_of_a_dict_by_a_key(world):
    assert not _biggest(world, lambda stock: max(stock, key=lambda _: 1))


@right("without a key max is one step")
def the_biggest_of_a_dict(world):
    assert not _biggest(world, max)


@broken("the dict grows while the function of reduce runs")
def a_dict_reduced(world):
    assert not _biggest(world, lambda stock: functools.reduce(lambda one, _: one, stock))


@right("the function of reduce runs over a copy")
def a_copy_of_a_dict_reduced(world):
    assert not _biggest(world, lambda stock: functools.reduce(lambda one, _: one, [*stock]))


@broken("both look for the place before either has put its row in")
def rows_put_in_by_a_key(world):
    rows = [(1,), (4,)]

    def put(row):
        bisect.insort(rows, row, key=lambda one: one[0])

    world.actor("one", put, (2,))
    world.actor("two", put, (3,))
    world.run()
    assert rows == [(1,), (2,), (3,), (4,)]


@right("tuples of numbers are compared by C code")
def rows_put_in(world):
    rows = [(1,), (4,)]

    def put(row):
        bisect.insort(rows, row)

    world.actor("one", put, (2,))
    world.actor("two", put, (3,))
    world.run()
    assert rows == [(1,), (2,), (3,), (4,)]


class _Loads:
    count = 0


@functools.lru_cache
def _page(number):
    _Loads.count += 1
    return number


def _looked_at_twice(world, lock=None):
    lock = lock or threading.Semaphore(2)

    def look():
        with lock:
            _page(1)

    _Loads.count = 0
    world.actor("one", look)
    world.actor("two", look)
    world.run()
    return _Loads.count


@broken("both find nothing remembered, and each calls the function")
def a_memo_function_called_by_two(world):
    assert _looked_at_twice(world) == 1


@right("both hold the lock")
def a_memo_function_called_under_a_lock(world):
    assert _looked_at_twice(world, threading.Lock()) == 1


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
