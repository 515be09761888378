"""Coroutines that sleep on one event loop: it takes its timers in the order of their deadlines."""

import asyncio
import contextlib
import threading
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from tests.soundness.truth import broken, right, systems_of

IN_ORDER = "a loop takes timers in the order in which they are due, however late it is"
LATER = "the first is due after the second"


async def _woken_in_order(world, first, second):
    rows = []

    async def wait(seconds, row):
        await asyncio.sleep(seconds)
        rows.append(row)

    async def flow():
        await asyncio.gather(wait(first, 1), wait(second, 2))

    world.actor("flow", flow)
    await world.run()
    assert rows == [1, 2]


@right(IN_ORDER)
async def a_short_sleep_before_a_long_one(world):
    await _woken_in_order(world, 0.01, 1)


@broken(LATER)
async def a_long_sleep_before_a_short_one(world):
    await _woken_in_order(world, 1, 0.01)


@right("of two with one deadline the first to sleep wakes first")
async def two_sleeps_that_are_as_long(world):
    await _woken_in_order(world, 0.01, 0.01)


@broken("threads wake when they get their turn")
def two_threads_that_sleep_as_long(world):
    rows = []

    def wait(row):
        sleep(0.01)
        rows.append(row)

    def flow():
        threads = [threading.Thread(target=wait, args=(row,)) for row in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    world.actor("flow", flow)
    world.run()
    assert rows == [1, 2]


async def _woken_beside_one_that_is_cancelled(world, seconds):
    """What is cancelled in its sleep holds nobody back."""
    rows = []

    async def wait(seconds, row):
        await asyncio.sleep(seconds)
        rows.append(row)

    async def flow():
        short = asyncio.create_task(wait(0.01, 1))
        middle = asyncio.create_task(wait(0.5, 2))
        long = asyncio.create_task(wait(seconds, 3))
        await asyncio.sleep(0)
        middle.cancel()
        await asyncio.gather(short, long, middle, return_exceptions=True)

    world.actor("flow", flow)
    await world.run()
    assert rows == [1, 3]


@right(IN_ORDER)
async def a_long_sleep_behind_one_that_is_cancelled(world):
    await _woken_beside_one_that_is_cancelled(world, 1)


@broken(LATER)
async def a_short_sleep_beside_one_that_is_cancelled(world):
    await _woken_beside_one_that_is_cancelled(world, 0.001)


async def _stored_between(world, pauses):
    """Two users look and store; the second looks after a while, and finds what the first stored."""
    stored = {"n": 0}

    async def add(before, within):
        await asyncio.sleep(before)
        n = stored["n"]
        await asyncio.sleep(within)
        stored["n"] = n + 1

    async def flow():
        await asyncio.gather(*(add(*pause) for pause in pauses))

    world.actor("flow", flow)
    await world.run()
    assert stored["n"] == 2


@right("the first has stored when the second wakes: the loop is not as late", ticks=0)
async def a_store_that_is_due_before_the_next_look(world):
    await _stored_between(world, [(0.01, 0.01), (0.5, 0.01)])


@broken("the second looks while the first sleeps between its look and its store", ticks=0)
async def a_store_that_is_due_after_the_next_look(world):
    await _stored_between(world, [(0.01, 1), (0.5, 0.01)])


async def _given_up(world, seconds, limit):
    """One does something after a while; another one waits for so long, and then looks."""
    rows = []

    async def work():
        await asyncio.sleep(seconds)
        rows.append(1)

    async def give_up():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await asyncio.Event().wait()
        rows.append(2)

    async def flow():
        await asyncio.gather(work(), give_up())

    world.actor("flow", flow)
    await world.run()
    assert rows == [1, 2]


@right(IN_ORDER)
async def a_sleep_before_a_time_limit(world):
    await _given_up(world, 0.01, 1)


@broken(LATER)
async def a_sleep_after_a_time_limit(world):
    await _given_up(world, 1, 0.01)


async def _given_up_beside_a_cancelled_sleep(world, seconds):
    """A cancelled sleep does not hold back a task whose time limit has passed."""
    far, rows = world.existing_cache.aclient(), []

    async def work():
        await asyncio.sleep(0.01)
        rows.append(1)

    async def give_up():
        rows.append(asyncio.create_task(work()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
        rows.append(2)

    async def cancel():
        await far.get("k")
        if rows:
            rows[0].cancel()

    world.actor("patient", give_up)
    world.actor("other", cancel)
    await world.run()
    assert rows[1:] in ([1, 2], [2])


@right("the sleeper that is not cancelled wakes before the time limit")
async def a_time_limit_beside_a_sleep_that_is_cancelled(world):
    await _given_up_beside_a_cancelled_sleep(world, 1)


@broken("the time is over before the other one wakes")
async def a_time_limit_before_a_sleep_that_is_cancelled(world):
    await _given_up_beside_a_cancelled_sleep(world, 0.001)


async def _slept_within(world, limit):
    ended = []

    async def flow():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await asyncio.sleep(0.01)
                ended.append(1)

    async def other():
        ended.extend(())

    world.actor("flow", flow)
    world.actor("other", other)
    await world.run()
    assert ended == [1]


@broken("a loop that is late finds both due, and cancels the task before it goes on")
async def a_sleep_within_a_time_limit(world):
    await _slept_within(world, 1)


@right("there is no limit")
async def a_sleep_without_a_time_limit(world):
    await _slept_within(world, None)


async def _cut_off_beside_a_sleep(world, slept, other, order=(1, 2)):
    """One task sleeps under a time limit of 1 s, and another one sleeps: which goes on first?"""
    rows = []

    async def within():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(slept)
        rows.append(1)

    async def without():
        await asyncio.sleep(other)
        rows.append(2)

    async def flow():
        await asyncio.gather(within(), without())

    world.actor("flow", flow)
    await world.run()
    assert rows == list(order)


@right("if a late loop cuts it off, it goes on when it would have woken")
async def a_sleep_that_is_over_first_within_a_time_limit(world):
    await _cut_off_beside_a_sleep(world, 0.01, 0.5)


@broken("the other one is due first, and goes on first")
async def a_sleep_that_is_over_later_within_a_time_limit(world):
    await _cut_off_beside_a_sleep(world, 0.5, 0.01)


@right("the time limit is over before the other one is due")
async def a_sleep_that_is_cut_off_before_another_one_ends(world):
    await _cut_off_beside_a_sleep(world, 5, 2)


@broken("the other one is due before the time limit is over")
async def a_sleep_that_is_cut_off_after_another_one_ends(world):
    await _cut_off_beside_a_sleep(world, 5, 0.5)


@right("the other one is due before the time limit is over")
async def a_sleep_that_is_cut_off_goes_on_last(world):
    await _cut_off_beside_a_sleep(world, 5, 0.5, order=[2, 1])


@broken("nobody is due before the time limit is over")
async def a_sleep_that_is_cut_off_goes_on_first(world):
    await _cut_off_beside_a_sleep(world, 5, 2, order=[2, 1])


async def _built_anew(world, node):
    """Who finds a builder at work waits for longer than that takes, and builds the page anew."""
    folder = world.tmp_path

    async def build():
        (folder / "building").touch()
        await asyncio.sleep(1)
        (folder / "page").write_text("old")

    async def stand_by():
        if (folder / "building").exists():
            await asyncio.sleep(2)
            return (folder / "page").write_text("new")
        return 0

    world.actor("builder", build)
    world.actor("standby", stand_by, node=node)
    stood_by = (await world.run())["standby"]
    assert not stood_by or (folder / "page").read_text() == "new"


@right("both sleep on one loop, which wakes the builder first")
async def a_page_that_is_built_anew_in_one_process(world):
    await _built_anew(world, "a")


@broken("each process has a loop of its own, and that of the builder may be late")
async def a_page_that_is_built_anew_by_another_process(world):
    await _built_anew(world, "b")


async def _rung_later(world, seconds):
    rung = []

    async def arm():
        asyncio.get_running_loop().call_later(0.2, rung.append, 1)

    world.actor("flow", arm)
    await world.run()
    await asyncio.sleep(seconds)
    assert rung == [1]


@right("the body sleeps for longer than the timer")
async def a_timer_while_the_body_sleeps(world):
    await _rung_later(world, 1)


@broken("the body sleeps for less time than the timer")
async def a_timer_after_the_body_has_slept(world):
    await _rung_later(world, 0.1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
