"""What a job of a coroutine leaves on its thread is there for the next job of that worker."""

import asyncio
import contextvars
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import pytest

from pytest_supercache import Verdict, check

NAME = contextvars.ContextVar("NAME", default=None)


class Requests:
    """Remembers the present user by thread, and forgets nobody."""

    def __init__(self):
        self.present = threading.local()
        self.pool = ThreadPoolExecutor(1)

    def remembered(self, user):
        if user is not None:
            self.present.user = user
        return getattr(self.present, "user", None)

    def set_each_time(self, user):
        self.present.user = user
        return self.present.user

    def in_a_variable(self, user):
        if user is not None:
            NAME.set(user)
        return NAME.get()


async def by_pool(requests, job, user):
    return await asyncio.get_running_loop().run_in_executor(requests.pool, job, user)


async def by_default(_requests, job, user):
    return await asyncio.get_running_loop().run_in_executor(None, job, user)


async def by_to_thread(_requests, job, user):
    return await asyncio.to_thread(job, user)


async def by_anyio(_requests, job, user):
    return await anyio.to_thread.run_sync(job, user)


def served(door, job):
    async def body(world):
        requests = Requests()
        world.actor("alice", door, requests, getattr(requests, job), "alice")
        world.actor("bob", door, requests, getattr(requests, job), None)
        answers = await world.run()
        requests.pool.shutdown()
        assert answers["bob"] is None

    return check(body)


DOORS = [by_pool, by_default, by_to_thread, by_anyio]


@pytest.mark.parametrize("door", DOORS)
def test_a_user_is_taken_for_the_one_before_on_the_same_worker(door):
    result = served(door, "remembered")
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.replays == "10/10"


@pytest.mark.parametrize("door", DOORS)
def test_who_is_set_each_time_is_taken_for_nobody_else(door):
    assert served(door, "set_each_time").verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("door", "verdict"),
    [(by_pool, Verdict.VIOLATED), (by_to_thread, Verdict.HOLDS), (by_anyio, Verdict.HOLDS)],
)
def test_a_context_variable_stays_where_no_context_is_copied(door, verdict):
    assert served(door, "in_a_variable").verdict is verdict


@pytest.mark.parametrize("is_first", [True, False])
def test_a_connection_of_one_worker_is_used_by_its_later_jobs(is_first):
    async def body(world):
        requests = Requests()

        def opened():
            requests.present.connection = sqlite3.connect(":memory:")

        def counted(_user):
            return requests.present.connection.execute("SELECT 1").fetchone()[0]

        if is_first:
            await asyncio.get_running_loop().run_in_executor(requests.pool, opened)
        else:
            requests.pool.submit(opened).result()
        world.actor("alice", by_pool, requests, counted, None)
        world.actor("bob", by_pool, requests, counted, None)
        assert set((await world.run()).values()) == {1}
        requests.pool.shutdown()

    assert check(body).verdict is Verdict.HOLDS
