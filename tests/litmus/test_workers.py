"""Fault vectors on several processes: the same result whoever was faster, and nobody left."""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial

import pytest
from redis.exceptions import ConnectionError

from pytest_supercache import Faults, SupercacheError, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.checking.workers import forked, forks
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests import fault_programs as programs
from tests.selection import either, few

WITHSTOOD = Faults(max=either(1, 2), kinds=("evict",))
BROKEN = Faults(kinds=("evict", "drop_invalidation", "error_before"))


def told(result):
    """Return everything that must not depend on who searched."""
    found = result.counterexample
    return (
        result.verdict,
        result.label,
        result.executions,
        result.schedules,
        result.exhausted,
        result.coverage,
        result.notes,
        found
        and (
            found.token,
            found.replays,
            found.minimal,
            found.faults,
            (found.violation.identity, set(found.violation.evidence)),
            found.conflict_class,
            found.explanation,
            found.fingerprint,
            found.causes,
            found.passing
            and (found.passing.turned, [step.label for step in found.passing.execution.steps]),
            [step.layers for step in found.trace],
        ),
    )


def refills_after_an_error(world):
    """Who could not reach the cache loads and fills it, perhaps after a change."""
    client = world.existing_cache.client(decode_responses=True)
    world.origin.set("k", "old")
    client.set("k", "old")

    def reads():
        try:
            client.get("k")
        except ConnectionError:
            client.set("k", world.origin.get("k"))

    def writes():
        world.origin.set("k", "new")
        try:
            client.set("k", "new")
        except ConnectionError:
            client.delete("k")

    world.actor("reads", reads)
    world.actor("writes", writes)
    world.run()
    assert world.existing_cache.peek("k") in (None, world.origin.peek("k"))


FIXED = partial(programs.suppressed_message, fixed=True)


def by(workers, faults, body=FIXED):
    settings = Exploration(faults=faults, ticks=0)
    server = start_server("fakeredis")
    on = forked(workers)
    return check_on(server, body, settings, guarantees=(), on=on)


@cache
def by_one(faults, body=FIXED):
    return by(1, faults, body)


@pytest.mark.parametrize(
    ("faults", "verdict"), [(WITHSTOOD, Verdict.HOLDS), (BROKEN, Verdict.VIOLATED)]
)
def test_several_processes_come_to_the_same_as_one_and_are_gone_then(faults, verdict):
    before = set(multiprocessing.active_children())
    alone, together = by_one(faults), by(2, faults)
    assert alone.verdict is verdict
    assert told(together) == told(alone)
    assert set(multiprocessing.active_children()) == before


def test_what_a_worker_found_out_about_all_interleavings_is_told():
    faults = Faults(kinds=("error_before",))
    alone, together = (by(workers, faults, refills_after_an_error) for workers in (1, 2))
    assert alone.counterexample.causes
    assert alone.counterexample.passing is not None
    assert told(together) == told(alone)


def test_an_executor_of_ones_own_does_the_same():
    body = partial(programs.suppressed_message, fixed=True)
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        result = check(body, faults=WITHSTOOD, ticks=0, executor=pool)
    assert told(result) == told(by_one(WITHSTOOD))


def test_threads_and_a_body_that_cannot_be_sent_are_refused():
    body = partial(programs.suppressed_message, fixed=True)
    with ThreadPoolExecutor(1) as threads, pytest.raises(SupercacheError, match="processes"):
        check(body, faults=BROKEN, executor=threads)
    with ProcessPoolExecutor(1) as pool, pytest.raises(SupercacheError, match="top level"):
        check(lambda world: body(world), faults=BROKEN, executor=pool)


class Failing(ProcessPoolExecutor):
    """Processes of which one has ended when the first set of faults is submitted."""

    def submit(self, function, /, *given, **named):
        if function is not os.getpid:
            raise BrokenProcessPool("a process ended")
        return super().submit(function, *given, **named)


def test_processes_that_take_no_set_of_faults_are_named():
    body = partial(programs.suppressed_message, fixed=True)
    context = multiprocessing.get_context("fork")
    with (
        Failing(1, mp_context=context) as pool,
        pytest.raises(SupercacheError, match="ended before it was done"),
    ):
        check(body, faults=WITHSTOOD, ticks=0, executor=pool)


def dies_or_goes_on(dies):
    """End like a process that was killed, or work for longer than anybody waits."""
    if dies:
        os._exit(7)
    while True:
        try:
            signal.pause()
        except SystemExit:  # as a careless handler in code under test does
            continue


@pytest.mark.parametrize("_round", few(range(3), 1))
def test_after_a_worker_died_no_other_one_is_waited_for(_round):
    with forks(2, dies_or_goes_on) as place:
        place(False)
        with pytest.raises(BrokenProcessPool):
            place(True).result()
    assert not multiprocessing.active_children()
