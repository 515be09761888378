"""Deadlocks of PostgreSQL: each transaction that waits in the cycle may be the victim."""

from contextlib import closing, suppress

import asyncpg
import psycopg
import psycopg2
import pytest

from pytest_supercache import Verdict, check
from tests.adapters.counters import outcomes
from tests.adapters.flows import judged
from tests.selection import few

pytestmark = pytest.mark.postgresql
VICTIM = "40P01 deadlock detected"
DRIVERS = {
    psycopg: psycopg.errors.DeadlockDetected,
    psycopg2: psycopg2.errors.DeadlockDetected,
}


def count_one(connection, name):
    connection.cursor().execute("UPDATE counters SET n = n + 1 WHERE name = %s", (name,))


def counted(address, *names, tries=1, driver=psycopg):
    """Return a flow that counts in this order, and begins anew after a deadlock."""

    def flow():
        with closing(driver.connect(address)) as connection:
            for left in reversed(range(tries)):
                try:
                    for name in names:
                        count_one(connection, name)
                    connection.commit()
                except DRIVERS[driver] as error:
                    connection.rollback()
                    if not left:
                        return told(error)
                else:
                    break
        return None

    return flow


def told(error):
    state = getattr(error, "sqlstate", None) or error.pgcode
    return f"{state} {error.diag.message_primary}"


def test_of_two_who_lock_the_same_rows_in_another_order_either_is_the_victim(address, counters):
    both = {(None, None, 2, 2)}
    either = {(VICTIM, None, 1, 1), (None, VICTIM, 1, 1)}
    first = counted(address, "n", "m")
    assert outcomes(counters, first, counted(address, "m", "n")) == both | either
    assert outcomes(counters, first, counted(address, "n", "m")) == both


def test_who_begins_anew_is_done_and_who_does_not_may_still_be_the_victim(address, counters):
    first = counted(address, "n", "m", driver=psycopg2)
    again = counted(address, "m", "n", tries=9, driver=psycopg2)
    assert outcomes(counters, first, again) == {(None, None, 2, 2), (VICTIM, None, 1, 1)}


async def count(connection, name):
    await connection.execute("UPDATE counters SET n = n + 1 WHERE name = $1", name)


def begun_on_asyncpg(address, counters, flows, then):
    """Return a body in which each has locked its first row already, before ``then``."""
    words = dict(word.split("=") for word in address.split())

    async def body(world):
        counters.reset()
        for name, (first, second) in flows.items():
            connection = await asyncpg.connect(
                host=words["host"], user=words["user"], database=words["dbname"]
            )
            await connection.execute("BEGIN")
            await count(connection, first)
            world.actor(name, then, connection, first, second)
        await world.run()

    return body


def test_two_who_begin_anew_are_done(address, counters):
    async def until_done(connection, first, second):
        names, is_done = [second], False
        while not is_done:
            try:
                for name in names:
                    await count(connection, name)
                await connection.execute("COMMIT")
                is_done = True
            except asyncpg.DeadlockDetectedError:
                await connection.execute("ROLLBACK")
                await connection.execute("BEGIN")
                names = [first, second]
        await connection.close()

    begun = begun_on_asyncpg(address, counters, {"a": "nm", "b": "mn"}, until_done)

    async def body(world):
        await begun(world)
        assert counters.values() == (2, 2)

    assert judged(body, ticks=0).verdict is Verdict.HOLDS


def test_a_victim_gives_back_only_the_locks_that_it_has_taken_since_its_savepoint(
    address, counters
):
    def first_or_both():
        with psycopg.connect(address) as connection:
            count_one(connection, "n")
            with suppress(psycopg.errors.DeadlockDetected), connection.transaction():
                count_one(connection, "m")

    found = outcomes(counters, first_or_both, counted(address, "m", "n"))
    assert found == {(None, None, 2, 2), (None, None, 2, 1), (None, VICTIM, 1, 1)}


@pytest.fixture
def k(counters):
    """A third counter, k."""
    counters.execute(b"INSERT INTO counters VALUES ('k', 0)")
    yield
    counters.execute(b"DELETE FROM counters WHERE name = 'k'")


def victims(address, counters, driver, flows):
    """Return who may be the victim, when each has locked its first row already."""
    found = set()

    def body(world):
        counters.reset()
        for name, (first, second) in flows.items():
            connection = driver.connect(address)
            count_one(connection, first)
            world.actor(name, then, connection, second)
        found.add(tuple(name for name, answer in world.run().items() if answer))

    def then(connection, second):
        with closing(connection):
            try:
                count_one(connection, second)
            except DRIVERS[driver] as error:
                return told(error)
            connection.commit()
            return None

    check(body, guarantees=(), ticks=0, search="random", executions=12)
    return found


@pytest.mark.parametrize("driver", few(DRIVERS, 1), ids=["psycopg", "psycopg2"])
@pytest.mark.usefixtures("k")
def test_of_three_in_a_ring_each_may_be_the_victim(address, counters, driver):
    ring = {"a": "nm", "b": "mk", "c": "kn"}
    assert victims(address, counters, driver, ring) == {("a",), ("b",), ("c",)}


@pytest.mark.usefixtures("k")
def test_who_waits_for_one_of_a_deadlock_is_never_its_victim(address, counters):
    beside = {"a": "nm", "b": "mn", "c": "kn"}
    assert victims(address, counters, psycopg, beside) == {("a",), ("b",)}
    queue = {"a": "nn", "b": "mn", "c": "kn"}
    assert victims(address, counters, psycopg, queue) == {()}


@pytest.mark.long
@pytest.mark.usefixtures("k")
def test_with_asyncpg_each_of_three_in_a_ring_may_be_the_victim_too(address, counters):
    found = set()

    async def then(connection, first, second):
        try:
            await count(connection, second)
        except asyncpg.DeadlockDetectedError:
            found.add(first)
            await connection.execute("ROLLBACK")
        else:
            await connection.execute("COMMIT")
        await connection.close()

    body = begun_on_asyncpg(address, counters, {"a": "nm", "b": "mk", "c": "kn"}, then)
    result = check(body, guarantees=(), ticks=0, search="random", executions=25)
    assert "several" not in "\n".join(result.reasons)
    assert found == {"n", "m", "k"}
