"""A generator that two threads run: only one may be inside of it."""

import itertools
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _numbers():
    number = 0
    while True:
        number += 1
        yield number


def _finish(job, done):
    done.append(job.upper())


@broken("the second thread enters the generator while the first one runs it: ValueError")
def a_generator_of_numbers_taken_by_two(world):
    numbers, taken = _numbers(), []

    def take():
        taken.append(next(numbers))

    world.actor("one", take)
    world.actor("two", take)
    world.run()
    assert sorted(taken) == [1, 2]


@right("the lock lets one thread in at a time")
def a_generator_of_numbers_taken_under_a_lock(world):
    numbers, taken, lock = _numbers(), [], threading.Lock()

    def take():
        with lock:
            taken.append(next(numbers))

    world.actor("one", take)
    world.actor("two", take)
    world.run()
    assert sorted(taken) == [1, 2]


@broken("both go round a loop over one generator, and one meets it while the other runs it")
def a_generator_that_two_loops_share(world):
    jobs = (job for job in ["a", "b"])
    done = []

    def work():
        for job in jobs:
            _finish(job, done)

    world.actor("one", work)
    world.actor("two", work)
    world.run()
    assert sorted(done) == ["A", "B"]


@right("each loop has a generator of its own")
def a_generator_for_each_loop(world):
    done = []

    def work():
        for job in (job for job in ["a", "b"]):
            _finish(job, done)

    world.actor("one", work)
    world.actor("two", work)
    world.run()
    assert sorted(done) == ["A", "A", "B", "B"]


@broken("the generator is closed while the other thread runs it")
def a_generator_closed_by_another(world):
    numbers = _numbers()
    world.actor("take", lambda: [next(numbers) for _ in range(1)].clear())
    world.actor("close", numbers.close)
    world.run()


@right("a count is C code: it gives each number at once")
def a_count_taken_by_two(world):
    numbers, taken = itertools.count(1), []

    def take():
        taken.append(next(numbers))

    world.actor("one", take)
    world.actor("two", take)
    world.run()
    assert sorted(taken) == [1, 2]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
