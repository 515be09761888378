"""Code that reads the clock: time passes for it between two readings, and follows what it knows."""

import datetime
import threading
import time

import pytest

from tests.soundness.truth import broken, right, systems_of


def _two(world, first, second=None):
    world.actor("alice", first)
    world.actor("bob", second or first)
    return world.run()


@right("time has passed between the two readings")
def commands_per_second(world):
    redis = world.existing_cache.client()

    def work():
        begun = time.perf_counter()
        redis.get("x")
        return 1 / (time.perf_counter() - begun)

    assert min(_two(world, work).values()) > 0


@broken("time is cut to seconds, and a second may not have passed")
def commands_per_whole_second(world):
    redis, failed = world.existing_cache.client(), []

    def work():
        begun = int(time.monotonic())
        redis.get("x")
        try:
            return 1 / (int(time.monotonic()) - begun)
        except ZeroDivisionError as error:
            failed.append(error)

    _two(world, work)
    assert not failed


@right("of two stamps of one thread the later one is later")
def stamps_of_one_thread(world):
    redis = world.existing_cache.client()

    def work():
        stamps = [datetime.datetime.now(datetime.UTC)]
        redis.get("x")
        stamps += [datetime.datetime.now(datetime.UTC), datetime.datetime.now(datetime.UTC)]
        assert stamps == sorted(set(stamps))

    _two(world, work)


@right("it ends when the next millisecond has come")
def a_loop_to_the_next_millisecond(world):
    redis = world.existing_cache.client()

    def work():
        end = time.time_ns() + 1_000_000
        while time.time_ns() < end:
            pass
        redis.get("x")

    _two(world, work)


def _stamped(world, read_first):
    """Let one user store a stamp, and another one stamp what it has read."""
    redis, stamps = world.existing_cache.client(decode_responses=True), []

    def store():
        redis.set("stamp", time.time_ns())

    def look():
        mine = time.time_ns()
        theirs = redis.get("stamp")
        stamps.append((theirs, mine if read_first else time.time_ns()))

    _two(world, store, look)
    theirs, mine = stamps[0]
    assert theirs is None or int(theirs) < mine


@right("it reads the clock when it has read the stamp")
def a_stamp_after_one_that_was_read(world):
    _stamped(world, read_first=False)


@broken("it read the clock before, maybe long before")
def a_stamp_from_before_one_that_was_read(world):
    _stamped(world, read_first=True)


@right("after a sleep at least that much time has passed")
def time_slept(world):
    def work():
        begun = time.monotonic()
        time.sleep(2)  # noqa: TID251 - what code under test does
        assert time.monotonic() - begun >= 2

    _two(world, work)


@right("a reading that happens later is later")
def readings_from_the_body_to_a_thread_of_a_user(world):
    readings = [time.monotonic(), time.monotonic()]

    def work():
        mine = [*readings, time.monotonic(), time.monotonic()]
        thread = threading.Thread(target=lambda: mine.append(time.monotonic()))
        thread.start()
        thread.join()
        mine.append(time.monotonic())
        assert mine == sorted(set(mine))

    _two(world, work)
    assert time.monotonic() > readings[-1]


@broken("a thread reads the clock before its starter does, or after")
def readings_of_a_thread_and_its_starter(world):
    redis = world.existing_cache.client()

    def work():
        mine = []
        thread = threading.Thread(target=lambda: (redis.get("k"), mine.append("thread")))
        thread.start()
        redis.get("k")
        mine.append("starter")
        thread.join()
        assert mine == ["thread", "starter"]

    _two(world, work)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
