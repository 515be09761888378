"""`itertools.count` in a module or a class: every execution counts from where the check began."""

import collections
import contextlib
import dataclasses
import itertools
import threading

import pytest

from pytest_supercache import check
from tests.soundness.truth import System, broken, right, systems_of

UNKNOWN = "leads to an iterator or a generator that outlives the flow"
NUMBERS = itertools.count(7)
take_number = itertools.count(0, 10).__next__
LOOPED, ZIPPED = itertools.count(), itertools.count()
BY_NAME = collections.defaultdict(itertools.count().__next__)
NEAR, LOCK = {}, threading.Lock()


class Job:
    serial = itertools.count(1)

    def __init__(self):
        self.number = next(self.serial)


@dataclasses.dataclass
class Line:
    number: int = dataclasses.field(default_factory=itertools.count(5).__next__)


def _two(world, work):
    redis = world.existing_cache.client(decode_responses=True)
    for name in ("alice", "bob"):
        world.actor(name, work, redis)
    return world.run()


@right("each gets a number of its own, the same ones in each execution")
def numbers_of_a_module(world):
    def work(redis):
        number = next(NUMBERS)
        redis.set(f"request:{number}", "begun")
        return number

    assert sorted(_two(world, work).values()) == [7, 8]


@right("each gets a number of its own, the same ones in each execution")
def numbers_of_a_class_and_of_a_bound_method(world):
    def work(redis):
        job, ten = Job(), take_number()
        redis.set(f"job:{job.number}:{ten}", "begun")
        return job.number, ten

    numbers, tens = zip(*_two(world, work).values(), strict=True)
    assert sorted(numbers) == [1, 2]
    assert sorted(tens) == [0, 10]


@right("each gets a number of its own, the same ones in each execution")
def numbers_of_factories(world):
    def work(redis):
        user = redis.incr("users")
        return BY_NAME[f"user {user}"], Line().number

    names, lines = zip(*_two(world, work).values(), strict=True)
    assert sorted(names) == [0, 1]
    assert sorted(lines) == [5, 6]


def _numbered(world, lock):
    by_name = collections.defaultdict(itertools.count().__next__)
    redis = world.existing_cache.client()

    def name_two():
        with lock:
            by_name["first"]
            redis.get("tea")
            by_name["second"]

    def name_one():
        redis.get("coffee")
        with lock:
            by_name["other"]

    world.actor("two", name_two)
    world.actor("one", name_one)
    world.run()
    assert by_name["second"] == by_name["first"] + 1


@broken("the factory gives the number between to the other user, though their keys differ")
def numbers_of_a_factory_that_follow_each_other(world):
    _numbered(world, contextlib.nullcontext())


@right("nobody takes one between")
def numbers_of_a_factory_that_follow_each_other_under_a_lock(world):
    _numbered(world, threading.Lock())


@right("a number that the body takes is the same in each execution")
def numbers_taken_before_the_race(world):
    first = next(NUMBERS)
    assert first == 7
    _two(world, lambda redis: redis.set(f"request:{next(NUMBERS)}", first))
    assert next(NUMBERS) == 10


@broken("who gets the smaller number may be the second one to store it")
def numbers_that_tell_an_order(world):
    def work(redis):
        number = next(NUMBERS)
        redis.set("newest", number)

    _two(world, work)
    assert world.existing_cache.client(decode_responses=True).get("newest") == "8"


@right("number and store are under one lock")
def numbers_that_tell_an_order_under_a_lock(world):
    def work(redis):
        with LOCK:
            number = next(NUMBERS)
            redis.set("newest", number)

    _two(world, work)
    assert world.existing_cache.client(decode_responses=True).get("newest") == "8"


@broken("only the user with number 7 fills the entry, and the other one may look it up before")
def a_number_that_decides_who_fills(world):
    def work(redis):
        if next(NUMBERS) == 7:
            NEAR["tea"] = redis.get("tea")
        return NEAR["tea"]

    _two(world, work)


@right("a loop takes numbers where no hook sees them", unknown=UNKNOWN)
def numbers_taken_by_a_loop(world):
    def work(redis):
        redis.get("tea")
        for number in LOOPED:
            redis.set("number", number)
            break

    _two(world, work)


@right("code of C takes numbers where no hook sees them", unknown=UNKNOWN)
def numbers_taken_by_code_of_c(world):
    def work(redis):
        return [*zip(ZIPPED, [redis.get("tea")], strict=False)]

    _two(world, work)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system: System):
    system.must_be_told()


def test_a_check_takes_no_number():
    before = repr(NUMBERS), repr(Job.serial), repr(take_number.__self__)
    check(numbers_of_a_module)
    check(numbers_of_a_class_and_of_a_bound_method)
    assert (repr(NUMBERS), repr(Job.serial), repr(take_number.__self__)) == before
