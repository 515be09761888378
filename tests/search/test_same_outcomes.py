"""Exhaustive search reaches exactly the outcomes of all schedules, in fewer executions."""

import threading
import time
from itertools import product

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.environment import open_environment
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import End
from pytest_supercache.layers.servers import start_server
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.dpor import Exhaustive
from tests.litmus import test_counts_and_workloads as workloads
from tests.litmus import test_locks_and_time as waiting
from tests.selection import few


def outcomes_of(run, search, ticks=0):
    """Return what ``run(world)`` returned in each execution of a search, and nothing else."""
    seen = []

    def body(world):
        seen.append(repr(run(world)))

    def attempt(scheduler):
        execution = environment.execute(body, scheduler)
        if not execution.complete:
            seen.pop()  # it only showed that the clock cannot move there
        if environment.steps_have_changed():
            raise _StepsHaveChangedError
        return execution

    settings = Exploration(ticks=ticks, memory="declared")
    with open_environment(start_server("fakeredis"), settings, {}) as environment:
        while True:
            seen.clear()
            try:
                assert search.explore(attempt) is End.EXHAUSTED
                return seen
            except _StepsHaveChangedError:
                search = type(search)()


class _StepsHaveChangedError(Exception):
    """Some code has turned out to be a step, so the search begins anew, as in a check."""


def delayed_delete(world):
    """A timer that fires early or late; what the cache holds in the end."""
    client = world.existing_cache.client(decode_responses=True)

    def writer():
        client.delete("k")
        time.sleep(1)  # noqa: TID251 - what code under test does
        client.delete("k")

    def reader():
        client.get("other")
        client.set("k", "old")

    world.actor("writer", writer)
    world.actor("reader", reader)
    world.run()
    return world.existing_cache.peek("k")


def condition_of_two(world):
    """Somebody waits until two keys are there, and looks whether the third is."""
    client, seen = world.existing_cache.client(decode_responses=True), []

    def is_there(key):
        return world.existing_cache.peek(key) is not None

    def waits():
        world.wait_until(
            lambda: is_there("x") and is_there("y"),
            reads=("existing_cache:x", "existing_cache:y"),
        )
        seen.append(client.get("z"))

    for name in "xyz":
        world.actor(name, client.set, name, 1)
    world.actor("waits", waits)
    world.run()
    return seen


def lock_and_key(world):
    client, lock = world.existing_cache.client(decode_responses=True), threading.Lock()

    def flow(mine):
        with lock:
            client.append("log", mine)
        return client.get("log")

    for name in "ab":
        world.actor(name, flow, name)
    world.actor("c", client.append, "log", "c")
    world.run()
    return world.existing_cache.peek("log")


def released_twice(make, error):
    """Two flows give back what may be free already; who is refused depends on who comes first."""

    def body(world):
        thing, client = make(), world.existing_cache.client()

        def gives_back():
            client.get("k")
            try:
                thing.release()
            except error:
                return "refused"
            return "given back"

        def takes():
            client.get("k")
            return thing.acquire()

        world.actor("gives back", gives_back)
        world.actor("takes", takes)
        return world.run()

    return body


def begins_before_or_after(world):
    """Somebody sleeps while another one may not have begun; both look at the time."""
    started = time.monotonic()

    def looks():
        return time.monotonic() - started, world.existing_cache.client().get("k")

    world.actor("sleeps", time.sleep, 1)  # noqa: TID251 - what code under test does
    world.actor("looks", looks)
    return world.run()


def timed_before_or_after(world):
    """Whether a timed wait has begun when the clock moves decides when it gives up."""
    flag, started = threading.Event(), time.monotonic()

    def raises():
        time.sleep(1)  # noqa: TID251 - what code under test does
        flag.set()

    def waits():
        return flag.wait(1), time.monotonic() - started

    def is_slow():
        world.existing_cache.client().get("k")

    for flow in (raises, waits, is_slow):
        world.actor(flow.__name__, flow)
    return world.run()


def look_before_a_lock(world):
    """Somebody looks at the time, and waits for a lock over a tick of the clock, or begins late."""
    lock, started = threading.Lock(), time.monotonic()

    def holds():
        with lock:
            time.sleep(1)  # noqa: TID251 - what code under test does

    def looks():
        looked = time.monotonic() - started
        with lock:
            return looked

    world.actor("holds", holds)
    world.actor("looks", looks)
    return world.run()


def timed_lock_that_is_mostly_free(world):
    """Only if one holds the lock when the other begins must the timer run; then it may fire."""
    lock = threading.Lock()

    def holds():
        with lock:
            pass

    world.actor("holds", holds)
    world.actor("waits", lock.acquire, timeout=1)
    world.actor("is slow", world.existing_cache.client().get, "k")
    return world.run()


PROGRAMS = {
    "timed lock that is mostly free": timed_lock_that_is_mostly_free,
    "begins before or after a tick": begins_before_or_after,
    "timed before or after a tick": timed_before_or_after,
    "look before a lock": look_before_a_lock,
    "lock released twice": released_twice(threading.Lock, RuntimeError),
    "semaphore released twice": released_twice(threading.BoundedSemaphore, ValueError),
    "increments": lambda world: workloads.counters(world, workloads.read_then_write),
    "transactions": lambda world: workloads.counters(world, workloads.increment_in_a_transaction),
    "store buffer": workloads.store_buffer,
    "message passing": workloads.message_passing,
    "lock": waiting.counted(threading.Lock),
    "semaphore": waiting.counted(lambda: threading.Semaphore(2)),
    "delayed delete": delayed_delete,
    "condition of two keys": condition_of_two,
    "lock and key": lock_and_key,
}


BY_TICKS = [*product(PROGRAMS, [1]), *product(PROGRAMS, [0])]
"""Where the clock may move early there are all schedules in which it may not."""


@pytest.mark.parametrize(("name", "ticks"), few(BY_TICKS, len(PROGRAMS)))
def test_the_same_outcomes_come_in_no_more_executions(name, ticks):
    every = outcomes_of(PROGRAMS[name], AllSchedules(), ticks)
    reduced = outcomes_of(PROGRAMS[name], Exhaustive(), ticks)
    assert set(reduced) == set(every)
    assert len(reduced) <= len(every)


def test_what_a_thread_does_first_may_depend_on_what_its_starter_read():
    """12,515 schedules have these outcomes; in one it began before the tick, while one is slow."""

    def run(world):
        client, lock, started = world.existing_cache.client(), threading.Lock(), time.monotonic()
        seen = {}

        def looks():
            looked = round(time.monotonic() - started)
            with lock:
                seen["looked"] = looked, round(time.monotonic() - started)

        def starts():
            found = client.get("k")
            threading.Thread(target=looks if found else lambda: client.get("x")).start()

        def holds():
            with lock:
                time.sleep(1)  # noqa: TID251 - what code under test does

        def is_slow():
            client.get("z")
            seen["slow"] = round(time.monotonic() - started)

        world.actor("starts", starts)
        world.actor("sets", client.set, "k", 1)
        world.actor("holds", holds)
        world.actor("is slow", is_slow)
        world.run()
        return sorted((who, str(times)) for who, times in seen.items())

    reduced = outcomes_of(run, Exhaustive(), ticks=1)
    assert len(reduced) == 36
    assert "[('looked', '(0, 1)'), ('slow', '1')]" in reduced


def test_when_the_clock_moves_early_none_one_or_both_may_have_looked_and_wait():
    """26,884 schedules have these outcomes and no others."""

    def run(world):
        client, lock, started = world.existing_cache.client(), threading.Lock(), time.monotonic()

        def holds():
            with lock:
                client.get("k")

        def looks():
            looked = round(time.monotonic() - started)
            with lock:
                return looked, round(time.monotonic() - started)

        world.actor("holds", holds)
        world.actor("one", looks)
        world.actor("other", looks)
        world.actor("sleeps", time.sleep, 1)  # noqa: TID251 - what code under test does
        found = world.run()
        return found["one"], found["other"]

    times = [(0, 0), (0, 1), (1, 1)]
    reduced = outcomes_of(run, Exhaustive(), ticks=1)
    assert set(reduced) == {repr((one, other)) for one in times for other in times}
    assert len(reduced) == 122


@pytest.mark.parametrize(
    ("body", "executions", "failing", "schedules"),
    [
        (workloads.look_aside, 5, 1, 10),
        (workloads.two_refreshers, 186, 46, 1_680),
        (workloads.two_refreshers_with_generations, 34, 0, 1_680),
    ],
)
def test_the_common_workloads_take_as_many_executions_as_they_have_interleavings(
    body, executions, failing, schedules
):
    result = check(body, search="exhaustive", stop_at_first=False)
    assert (result.executions, result.violating) == (executions, failing)
    assert (result.schedules, result.blocked) == (schedules, 0)
    assert result.exhausted
    assert result.verdict is (Verdict.VIOLATED if failing else Verdict.HOLDS)


def test_the_smallest_witness_is_found_by_either_search():
    found = [
        check(workloads.two_refreshers, search=search).counterexample
        for search in ("exhaustive", "all-schedules")
    ]
    assert [(one.preemptions, one.minimal) for one in found] == [(1, True), (1, True)]
    assert {len(one.trace) for one in found} == {9}
