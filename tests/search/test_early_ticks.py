"""An early tick is ordered with what involves time, and with nothing else."""

import asyncio
import threading
import time
from functools import partial
from time import sleep  # noqa: TID251 - what code under test does, on a virtual clock

import pytest

from pytest_supercache import MAX_LOADS, NO_RESURRECTION, Assume, Verdict, check
from pytest_supercache.oracle.guarantee import Guarantee
from tests.search.random_refreshes import disagreements
from tests.searched import few_random_schedules

SMALL = [2, 3, 10, 15]
"""Flows with few schedules: of coroutines that sleep, or look and keep, and of threads."""


def test_users_beside_a_refresh_see_what_all_schedules_show():
    assert list(disagreements(2, len(SMALL), SMALL)) == []


@pytest.mark.long
def test_so_do_those_of_all_flows_that_are_drawn():
    assert list(disagreements(2, 300)) == []


def beside_a_sleeper(reads, *, wakes=lambda client: client.get("z")):
    """Two users read while a thread sleeps that was started before the race."""

    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        client.set("x", "1")

        def refresh():
            sleep(5)
            wakes(client)

        threading.Thread(target=refresh, daemon=True).start()
        for name in "ab":
            world.actor(name, reads, client)
        world.run()

    return body


def three_gets(client):
    for _ in range(3):
        client.get("x")


def stamped_gets(client):
    for _ in range(3):
        client.get("x")
        time.monotonic()


def interleavings(body, **options):
    with few_random_schedules():
        result = check(body, ticks=1, guarantees=options.pop("guarantees", []), **options)
    assert result.verdict is Verdict.HOLDS
    assert not [note for note in result.notes if "reduction" in note]
    return result.interleavings


def test_reads_are_not_ordered_with_a_tick_that_nobody_of_them_depends_on():
    """Users end in a step; how many of them have ended by the tick is all that matters."""
    assert interleavings(beside_a_sleeper(three_gets)) == 4


def test_reads_that_are_stamped_are():
    """Each of four places in either user is another moment for the tick.

    Where memory is declared, readings of two users have no order of their own.
    """
    assert interleavings(beside_a_sleeper(stamped_gets), memory="declared") == 16


@pytest.mark.parametrize("window", [None, 3.0])
def test_so_are_all_where_virtual_time_is_judged(window):
    """A load may come before a tick or after it, which tells how many come within a window."""

    def loads(_client, origin=None):
        for _ in range(3):
            origin.get("x")

    def body(world):
        beside_a_sleeper(partial(loads, origin=world.origin))(world)

    expected = 4 if window is None else 16
    assert interleavings(body, guarantees=[MAX_LOADS(9, window=window)]) == expected


def beside_a_sleeper_of(seconds, reads, outcomes):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        client.set("held", "1")
        threading.Thread(target=sleep, args=(seconds,), daemon=True).start()
        world.actor("a", reads, client)
        outcomes.add(world.run()["a"])

    return body


@pytest.mark.parametrize(
    ("stores", "seen"),
    [
        (lambda client: client.copy("x", "y"), {(1, 1), (1, 0), (0, 0)}),
        (lambda client: client.sunionstore("y", "x"), {(1, 1), (0, 0)}),
    ],
)
def test_a_key_that_gets_the_time_to_live_of_another_one_is_gone_at_a_tick(stores, seen):
    """A union gets none: it is empty if the other key was gone before."""

    def copies(client):
        client.sadd("x", "1")
        client.expire("x", 4)
        stores(client)
        return client.exists("y"), client.exists("y")

    outcomes = set()
    result = check(beside_a_sleeper_of(5, copies, outcomes), ticks=1, guarantees=[])
    assert (result.verdict, result.notes) == (Verdict.HOLDS, ())
    assert outcomes - {None} == seen


@pytest.mark.parametrize(("limit", "expected"), [(None, 2), (9.0, 3)])
def test_a_lock_of_a_client_that_gives_up_reads_the_clock(limit, expected):
    """It does so after the first read: a tick before that read is another one than after it."""

    def locks(client):
        client.get("x")
        if limit is None:
            return client.lock("held", blocking=False).acquire()
        return client.lock("free", blocking_timeout=limit).acquire()

    assert interleavings(beside_a_sleeper_of(5, locks, set())) == expected


def test_so_are_all_where_somebody_else_judges():
    own = Guarantee("own", lambda _execution: None)
    assert interleavings(beside_a_sleeper(three_gets), guarantees=[own]) == 16


def test_so_are_all_where_it_is_assumed_how_long_an_operation_pauses():
    assert interleavings(beside_a_sleeper(three_gets), assume=Assume(pause=9.0)) == 16


def test_a_timer_may_cancel_who_would_go_on():
    """Of one user, the tick comes before its first read, between the two, or not at all."""
    outcomes = set()

    async def body(world):
        client = world.existing_cache.aclient()

        async def reads():
            try:
                async with asyncio.timeout(1):
                    await client.incr("x")
                    await client.incr("x")
            except TimeoutError:
                pass

        world.actor("a", reads)
        await world.run()
        outcomes.add(world.existing_cache.peek("x"))

    result = check(body, ticks=1, guarantees=[])
    assert (result.verdict, len(outcomes)) == (Verdict.HOLDS, 3)


def test_an_order_that_would_force_an_early_tick_is_another_interleaving():
    """Bob can only delete before Alice reads for the last time if he waits at the tick."""

    def body(world):
        world.origin.set("x", 0)
        world.super_cache.put("x", 0)
        gate = threading.Lock()

        def holds():
            with gate:
                sleep(3)

        def alice():
            world.origin.set("flag", 1)
            with gate:
                pass
            with world.operation("read", "x") as reading:
                reading.answer = world.super_cache.get("x")

        def bob():
            if world.origin.get("flag"):
                with world.operation("delete", "x"):
                    world.origin.delete("x")
            with gate:
                pass

        threading.Thread(target=holds, daemon=True).start()
        world.actor("alice", alice)
        world.actor("bob", bob, node="b")
        world.run()

    result = check(body, ticks=1, guarantees=[NO_RESURRECTION])
    assert result.verdict is Verdict.VIOLATED
    assert not [note for note in result.notes if "must be possible" in note]
