"""psycopg on an event loop, with a real PostgreSQL: each statement is a step that is awaited."""

from functools import partial

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.adapters.counters import is_a_deadlock, is_two, racing, unknown
from tests.adapters.counters import outcomes as everything
from tests.adapters.flows import is_conflict, is_lost_update, judged
from tests.selection import few

pytestmark = pytest.mark.postgresql
READ = "SELECT n FROM counters WHERE name = 'n'"


@pytest.fixture
def opened(address):
    """Open a connection."""
    return lambda **options: psycopg.AsyncConnection.connect(address, **options)


async def value(connection, name="n", lock=""):
    query = f"SELECT n FROM counters WHERE name = %s {lock}"
    cursor = await connection.execute(query, (name,))
    return (await cursor.fetchone())[0]


def counts(name="n", change="n + 1"):
    async def count(connection):
        query = f"UPDATE counters SET n = {change} WHERE name = %s"
        return (await connection.execute(query, (name,))).rowcount

    return count


async def read_then_write(connection):
    await counts(change=await value(connection) + 1)(connection)


async def read_under_a_lock(connection):
    async with connection.transaction():
        n = await value(connection, lock="FOR UPDATE")
        await counts(change=n + 1)(connection)


@pytest.mark.parametrize(
    ("bump", "conflict"),
    few([(read_then_write, True), (read_under_a_lock, False), (counts(), False)], 2),
)
def test_two_users_lose_a_count_unless_they_read_under_a_lock(opened, counters, bump, conflict):
    async def flow():
        async with await opened() as connection:
            await bump(connection)

    result = judged(racing(counters, (flow, flow), is_two(counters)))
    assert is_lost_update(result) is conflict
    assert conflict or result.exhausted


@pytest.mark.long
def test_sqlalchemy_takes_the_same_steps(address, counters):
    words = dict(word.split("=") for word in address.split())
    url = f"postgresql+psycopg://{words['user']}@/{words['dbname']}?host={words['host']}"

    def result_of(flow):
        async def body(world):
            counters.reset()
            engine = create_async_engine(url)
            world.actor("a", flow, engine)
            world.actor("b", flow, engine)
            await world.run()
            await engine.dispose()
            assert counters.values()[0] == 2

        return judged(body)

    async def bump(engine):
        async with engine.begin() as connection:
            n = await connection.scalar(text(READ))
            await connection.execute(text(f"UPDATE counters SET n = {n + 1} WHERE name = 'n'"))

    async def count(engine):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE counters SET n = n + 1 WHERE name = 'n'"))

    assert is_conflict(result_of(bump))
    assert result_of(count).exhausted


@pytest.fixture
def outcomes(opened, counters):
    """Return everything that can come of flows, each on a connection of its own."""

    def tried(*flows, **options):
        return everything(counters, *(partial(_said, flow, opened, options) for flow in flows))

    return tried


async def _said(flow, opened, options):
    options = dict(options)
    level = options.pop("isolation_level", None)
    async with await opened(**options) as connection:
        await connection.set_isolation_level(level)
        try:
            answer = await flow(connection)
            await connection.commit()
        except psycopg.Error as error:
            await connection.rollback()
            return error.sqlstate
        return answer


def test_who_meets_a_row_lock_waits_and_finds_what_was_committed(outcomes):
    async def twice(connection):
        await counts()(connection)
        await counts(change="n * 2")(connection)

    assert outcomes(twice, twice) == {(None, None, 6, 0)}


@pytest.mark.long
def test_a_snapshot_that_was_overtaken_cannot_be_written_to(outcomes):
    level = psycopg.IsolationLevel.REPEATABLE_READ
    one_fails = {("40001", None, 1, 0), (None, "40001", 1, 0)}
    found = outcomes(read_then_write, read_then_write, isolation_level=level)
    assert found == {(None, None, 2, 0)} | one_fails
    found = outcomes(counts(), counts(), isolation_level=level)
    assert found == {(1, 1, 2, 0), ("40001", 1, 1, 0), (1, "40001", 1, 0)}


@pytest.mark.long
def test_nowait_is_told_at_once_and_another_row_is_nobodys_business(outcomes):
    async def slowly(connection):
        await counts()(connection)
        await counts()(connection)

    found = outcomes(slowly, partial(value, lock="FOR UPDATE NOWAIT"))
    assert found == {(None, "55P03", 2, 0), (None, 0, 2, 0), (None, 2, 2, 0)}
    assert outcomes(slowly, counts("m")) == {(None, 1, 2, 1)}


def test_a_deferred_constraint_meets_locks_before_the_commit(outcomes, parts):
    async def add(connection):
        await connection.execute("INSERT INTO parts VALUES ('o')")

    async def remove(connection):
        await connection.execute("DELETE FROM counters WHERE name = 'o'")

    found = {(a, b) for a, b, *_ in outcomes(add, remove)}
    assert found == {(None, "23503"), ("23503", None)}


def test_two_who_lock_the_same_rows_in_another_order_meet_a_deadlock(opened, counters):
    def lock(*names):
        async def flow():
            async with await opened() as connection:
                for name in names:
                    await value(connection, name, lock="FOR UPDATE")

        return flow

    assert judged(racing(counters, (lock("n", "m"), lock("n", "m")))).exhausted
    deadlock = judged(racing(counters, (lock("n", "m"), lock("m", "n"))))
    assert is_a_deadlock(deadlock)
    assert is_conflict(deadlock)


def test_what_a_task_does_with_an_answer_may_come_after_the_steps_of_others(opened, counters):
    """A cache of the process is filled with what was read, and cleared after each change."""

    def result_of(*, fills):
        async def body(world):
            counters.reset()
            near = {}

            async def read():
                async with await opened(autocommit=True) as connection:
                    if fills:
                        near["n"] = await value(connection)

            async def write():
                async with await opened(autocommit=True) as connection:
                    await counts()(connection)
                near.clear()

            world.actor("a", read)
            world.actor("b", write)
            await world.run()
            assert near.get("n", 1) == 1

        return judged(body)

    assert is_conflict(result_of(fills=True))
    assert result_of(fills=False).exhausted


@pytest.mark.long
def test_a_cursor_of_the_server_shows_its_snapshot_and_rows_that_it_locks_are_unknown(
    outcomes, opened, counters
):
    def fetched(lock=""):
        async def fetch(connection):
            async with connection.cursor("mine") as cursor:
                await cursor.execute(f"SELECT n FROM counters ORDER BY name DESC {lock}")
                first = await cursor.fetchone()
                return first + tuple([n async for (n,) in cursor])

        return fetch

    async def bump(connection):
        await connection.execute("UPDATE counters SET n = n + 1")

    assert {seen for seen, *_ in outcomes(fetched(), bump)} == {(0, 0), (1, 1)}
    flows = (partial(_said, flow, opened, {}) for flow in (bump, fetched("FOR UPDATE")))
    assert "a cursor of the server met a lock" in unknown(counters, *flows)


UNCONTROLLED = {
    "AsyncCursor.copy": lambda connection: connection.cursor().copy("COPY counters TO STDOUT"),
    "AsyncCursor.stream": lambda connection: connection.cursor().stream(READ),
    "AsyncConnection.notifies": lambda connection: connection.notifies(),
    "AsyncConnection.pipeline": lambda connection: connection.pipeline(),
    "AsyncConnection.tpc_begin": lambda connection: connection.tpc_begin("mine"),
}


@pytest.mark.parametrize("name", UNCONTROLLED)
def test_what_is_not_controlled_is_named(opened, counters, name):
    async def flow():
        async with await opened() as connection:
            made = UNCONTROLLED[name](connection)
            if hasattr(made, "close"):  # a coroutine that is not awaited
                made.close()

    said = f"the code under test called psycopg's {name}, which this version does not control"
    assert said in unknown(counters, flow)


def test_a_connection_from_before_is_named(address, counters):
    connection = psycopg.Connection.connect(address)
    before = psycopg.AsyncConnection(connection.pgconn)

    async def flow():
        await before.execute(READ)

    assert "opened before" in unknown(counters, flow)
    connection.close()
