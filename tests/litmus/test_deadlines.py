"""No actor of whatever kind keeps an execution for ever: not in virtual time, nor in real time."""

import asyncio
import os
import time
from contextlib import contextmanager

import anyio.to_thread
import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.selection import few


def sleep_often(times):
    for _ in range(times):
        time.sleep(3600)  # noqa: TID251 - virtual


async def sleep_often_in_a_task(times):
    for _ in range(times):
        await asyncio.sleep(3600)


async def wait_in_vain(times):
    for _ in range(times):
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=3600)


async def on_a_worker_thread(work):
    await anyio.to_thread.run_sync(work)


async def in_an_executor(work):
    await asyncio.get_running_loop().run_in_executor(None, work)


async def in_a_task(work):
    await asyncio.create_task(sleep_often_in_a_task(work))


async def in_the_coroutine(work):
    work()


def bodies(flow, *given):
    """Make a body with one user, on threads or on the loop."""

    def body(world):
        world.actor("a", flow, *given)
        world.run()

    async def on_the_loop(world):
        world.actor("a", flow, *given)
        await world.run()

    return on_the_loop if asyncio.iscoroutinefunction(flow) else body


@pytest.mark.parametrize(
    ("flow", "wrap"),
    few(
        [
            (sleep_often, lambda times: times),
            (in_a_task, lambda times: times),
            (on_a_worker_thread, lambda times: lambda: sleep_often(times)),
            (in_an_executor, lambda times: lambda: sleep_often(times)),
            (sleep_often_in_a_task, lambda times: times),
        ],
        3,
    ),
)
def test_who_always_waits_for_time_is_unknown_and_who_does_so_for_long_is_not(flow, wrap):
    without_end = check(bodies(flow, wrap(10**9)), guarantees=())
    assert without_end.verdict is Verdict.UNKNOWN
    assert "clock has moved" in without_end.reasons[0]
    assert check(bodies(flow, wrap(40)), guarantees=()).verdict is Verdict.HOLDS


SLEEPS = "sleep 3.6e+06 ms, test_deadlines.py:{} in sleep_often"


@pytest.mark.parametrize(
    ("flow", "line", "who"),
    [
        (sleep_often, sleep_often, f"a ({SLEEPS})"),
        (sleep_often_in_a_task, sleep_often_in_a_task, f"a ({SLEEPS}_in_a_task)"),
        (in_a_task, sleep_often_in_a_task, f"a/1 ({SLEEPS}_in_a_task)"),
        (wait_in_vain, wait_in_vain, "a (test_deadlines.py:{} in wait_in_vain)"),
    ],
)
def test_who_always_waits_for_time_is_named_with_the_line_where(flow, line, who):
    reason = check(bodies(flow, 10**9), guarantees=()).reasons[0]
    who = who.format(line.__code__.co_firstlineno + 2)
    assert reason.endswith(f"the clock has moved 100 times and somebody still waits for it: {who}")


@contextmanager
def blocking():
    """Give a function that blocks for real until the end of the block."""
    reader, writer = os.pipe()
    try:
        yield lambda: os.read(reader, 1)
    finally:
        os.write(writer, b"." * 100)
        os.close(writer)


def call(work):
    work()


@pytest.mark.parametrize(
    "flow", few([call, in_the_coroutine, on_a_worker_thread, in_an_executor], 2)
)
def test_who_blocks_for_real_is_unknown_with_the_line_where(flow):
    server = start_server("fakeredis")
    with blocking() as work:
        settings = Exploration(step_timeout=1.0)
        result = check_on(server, bodies(flow, work), settings, guarantees=())
    server.close()
    assert result.verdict is Verdict.UNKNOWN
    assert "did not arrive within 1 s" in result.reasons[0]
    assert "test_deadlines.py" in result.reasons[0]
