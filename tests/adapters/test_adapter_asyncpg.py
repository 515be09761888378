"""asyncpg on a real PostgreSQL: each exchange with the server is a step that is awaited."""

import asyncio
from contextlib import asynccontextmanager, suppress
from functools import partial

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from pytest_supercache import check
from tests.adapters.counters import is_a_deadlock, is_two, racing, unknown
from tests.adapters.counters import outcomes as everything
from tests.adapters.flows import is_conflict, is_lost_update, judged
from tests.selection import few

pytestmark = pytest.mark.postgresql
READ = "SELECT n FROM counters WHERE name = 'n'"


@pytest.fixture
def server(address):
    """How to connect."""
    words = dict(word.split("=") for word in address.split())
    return {"host": words["host"], "user": words["user"], "database": words["dbname"]}


@pytest.fixture
def opened(server):
    """Open a connection for a block."""

    @asynccontextmanager
    async def open_and_close(**options):
        connection = await asyncpg.connect(**server, **options)
        try:
            yield connection
        finally:
            await connection.close()

    return open_and_close


async def value(connection, name="n", lock=""):
    return await connection.fetchval(f"SELECT n FROM counters WHERE name = $1 {lock}", name)


def counts(name="n", change="n + 1"):
    async def count(connection):
        return await connection.execute(f"UPDATE counters SET n = {change} WHERE name = $1", name)

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
        async with opened() as connection:
            await bump(connection)

    result = judged(racing(counters, (flow, flow), is_two(counters)))
    assert is_lost_update(result) is conflict
    assert conflict or result.exhausted


def racing_on(counters, make, close, flow):
    """Check two users of one pool or engine, who shall count two."""

    async def body(world):
        counters.reset()
        shared = await make()
        world.actor("a", flow, shared)
        world.actor("b", flow, shared)
        await world.run()
        await close(shared)
        assert counters.values()[0] == 2

    return judged(body)


def test_sqlalchemy_takes_the_same_steps(server, counters):
    url = f"postgresql+asyncpg://{server['user']}@/{server['database']}?host={server['host']}"

    async def make():
        return create_async_engine(url)

    async def bump(engine):
        async with engine.begin() as connection:
            n = await connection.scalar(text(READ))
            await connection.execute(text(f"UPDATE counters SET n = {n + 1} WHERE name = 'n'"))

    async def count(engine):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE counters SET n = n + 1 WHERE name = 'n'"))

    def dispose(engine):
        return engine.dispose()

    assert is_conflict(racing_on(counters, make, dispose, bump))
    assert racing_on(counters, make, dispose, count).exhausted


def test_users_of_a_pool_lose_a_count_unless_the_database_counts(server, counters):
    def using(flow):
        async def used(pool):
            async with pool.acquire() as connection, connection.transaction():
                await flow(connection)

        return used

    async def make():
        return await asyncpg.create_pool(**server, min_size=2, max_size=2)

    def close(pool):
        return pool.close()

    assert is_conflict(racing_on(counters, make, close, using(read_then_write)))
    assert racing_on(counters, make, close, using(counts())).exhausted


@pytest.fixture
def outcomes(opened, counters):
    """Return everything that can come of flows, each in a transaction of its own connection."""

    def tried(*flows, **options):
        return everything(counters, *(partial(_said, flow, opened, options) for flow in flows))

    return tried


async def _said(flow, opened, options):
    async with opened() as connection:
        try:
            async with connection.transaction(**options):
                return await flow(connection)
        except asyncpg.PostgresError as error:
            return error.sqlstate


def test_who_meets_a_row_lock_waits_and_finds_what_was_committed(outcomes):
    async def twice(connection):
        await counts()(connection)
        await counts(change="n * 2")(connection)

    assert outcomes(twice, twice) == {(None, None, 6, 0)}


@pytest.mark.long
def test_a_snapshot_that_was_overtaken_cannot_be_written_to(outcomes):
    one_fails = {("40001", None, 1, 0), (None, "40001", 1, 0)}
    found = outcomes(read_then_write, read_then_write, isolation="repeatable_read")
    assert found == {(None, None, 2, 0)} | one_fails
    done = "UPDATE 1"
    found = outcomes(counts(), counts(), isolation="repeatable_read")
    assert found == {(done, done, 2, 0), ("40001", done, 1, 0), (done, "40001", 1, 0)}


def test_nowait_is_told_at_once_and_another_row_is_nobodys_business(outcomes):
    async def slowly(connection):
        await counts()(connection)
        await counts()(connection)

    found = outcomes(slowly, partial(value, lock="FOR UPDATE NOWAIT"))
    assert found == {(None, "55P03", 2, 0), (None, 0, 2, 0), (None, 2, 2, 0)}
    assert outcomes(slowly, counts("m")) == {(None, "UPDATE 1", 2, 1)}


def test_a_deferred_constraint_meets_locks_before_the_commit(outcomes, parts):
    async def add(connection):
        await connection.execute("INSERT INTO parts VALUES ('o')")

    async def remove(connection):
        await connection.execute("DELETE FROM counters WHERE name = 'o'")

    found = {(a, b) for a, b, *_ in outcomes(add, remove)}
    assert found == {(None, "23503"), ("23503", None)}


def test_many_sets_of_parameters_are_one_step_that_can_be_made_again(outcomes):
    async def both(connection):
        query = "UPDATE counters SET n = n + $1 WHERE name = $2"
        await connection.executemany(query, iter([(1, "n"), (1, "m")]))

    assert outcomes(both, both) == {(None, None, 2, 2)}


def test_a_prepared_statement_and_an_inner_transaction_are_steps(outcomes):
    async def bump(connection):
        statement = await connection.prepare(READ)
        n = await statement.fetchval()
        with suppress(LookupError):
            async with connection.transaction():
                await counts(change=7)(connection)
                raise LookupError
        async with connection.transaction():
            await counts(change=n + 1)(connection)

    done = "UPDATE 1"
    assert outcomes(bump, counts()) == {(None, done, 1, 0), (None, done, 2, 0)}


def test_a_transaction_that_failed_holds_no_lock_even_before_it_is_rolled_back(opened, counters):
    async def flow():
        async with opened() as failed, opened() as other:
            await failed.execute("BEGIN")
            await counts()(failed)
            with pytest.raises(asyncpg.UniqueViolationError):
                await failed.execute("INSERT INTO counters VALUES ('m', 0)")
            with pytest.raises(asyncpg.InFailedSQLTransactionError):
                await value(failed)
            await counts()(other)

    assert judged(racing(counters, (flow,))).exhausted


def test_a_transaction_that_is_left_open_is_rolled_back_before_the_next_execution(server, counters):
    async def left():
        connection = await asyncpg.connect(**server)
        await connection.execute("BEGIN")
        await counts()(connection)

    async def locked():
        connection = await asyncpg.connect(**server)
        await connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'm'")
        await connection.close()

    def judge(_):
        assert counters.values() == (0, 1)

    assert judged(racing(counters, (left, locked), judge)).executions > 1


def test_two_who_lock_the_same_rows_in_another_order_meet_a_deadlock(opened, counters):
    def lock(*names):
        async def flow():
            async with opened() as connection, connection.transaction():
                for name in names:
                    await value(connection, name, lock="FOR UPDATE")

        return flow

    assert judged(racing(counters, (lock("n", "m"), lock("n", "m")))).exhausted
    deadlock = judged(racing(counters, (lock("n", "m"), lock("m", "n"))))
    assert is_a_deadlock(deadlock)
    assert is_conflict(deadlock)


def test_two_tasks_that_use_one_connection_are_named_and_two_that_take_turns_are_not(
    server, counters
):
    def body(flow):
        async def run(world):
            counters.reset()
            connection, guard = await asyncpg.connect(**server), asyncio.Lock()
            world.actor("a", flow, connection, guard)
            world.actor("b", flow, connection, guard)
            await world.run()
            await connection.close()

        return run

    async def at_once(connection, _guard):
        await counts()(connection)

    async def in_turn(connection, guard):
        async with guard, connection.transaction():
            await counts()(connection)

    result = check(body(at_once), guarantees=())
    assert "two tasks use one connection of asyncpg" in result.reasons[0]
    assert judged(body(in_turn)).exhausted


@pytest.mark.long
def test_a_cursor_of_the_server_shows_its_snapshot_and_rows_that_it_locks_are_unknown(
    outcomes, opened, counters
):
    def fetched(lock=""):
        async def fetch(connection):
            query = f"SELECT n FROM counters ORDER BY name DESC {lock}"
            cursor = await connection.cursor(query)
            first = await cursor.fetchrow()
            return tuple(first) + tuple(n for (n,) in await cursor.fetch(5))

        return fetch

    async def bump(connection):
        await connection.execute("UPDATE counters SET n = n + 1")

    async def skipped(connection):
        cursor = await connection.cursor("SELECT n FROM counters ORDER BY name DESC")
        await cursor.forward(1)
        return tuple([n for (n,) in await cursor.fetch(5)])

    async def walked(connection):
        return tuple([n async for (n,) in connection.cursor("SELECT n FROM counters", prefetch=1)])

    assert {seen for seen, *_ in outcomes(fetched(), bump)} == {(0, 0), (1, 1)}
    assert {seen for seen, *_ in outcomes(skipped, bump)} == {(0,), (1,)}
    assert {seen for seen, *_ in outcomes(walked, bump)} == {(0, 0), (1, 1)}
    flows = (partial(_said, flow, opened, {}) for flow in (bump, fetched("FOR UPDATE")))
    assert "a cursor of the server met a lock" in unknown(counters, *flows)


def test_the_scope_names_the_isolation_level_of_transactions(opened, counters):
    def level(**options):
        flow = partial(_said, value, opened, options)
        return judged(racing(counters, (flow,))).scope["isolation"].removeprefix("PostgreSQL at ")

    assert level() == "READ COMMITTED"
    assert level(isolation="repeatable_read") == "REPEATABLE READ"


def test_copies_are_named(opened, counters, tmp_path):
    file = tmp_path / "counters"

    async def save():
        async with opened() as connection:
            await connection.copy_from_table("counters", output=file)

    async def load():
        async with opened() as connection, connection.transaction():
            await connection.execute("DELETE FROM counters")
            return await connection.copy_to_table("counters", source=file)

    said = "the code under test called asyncpg's COPY, which this version does not control"
    assert said in unknown(counters, save)
    assert sorted(file.read_text().splitlines()) == ["m\t0", "n\t0"]
    assert said in unknown(counters, load)
    assert counters.values() == (0, 0)


def test_notifications_and_an_end_without_a_word_are_named(opened, counters):
    async def listening():
        async with opened() as connection:
            await connection.add_listener("changes", print)

    async def terminated():
        async with opened() as connection:
            await connection.execute("BEGIN")
            await counts()(connection)
            connection.terminate()

    assert "asyncpg's Connection.add_listener, which" in unknown(counters, listening)
    assert "asyncpg's terminate() in a transaction, which" in unknown(counters, terminated)


def test_a_time_out_for_locks_is_named(opened, counters):
    async def setting():
        async with opened() as connection:
            await connection.execute("SET lock_timeout = '1s'")

    async def connecting():
        async with opened(server_settings={"lock_timeout": "9"}):
            pass

    for flow in (setting, connecting):
        assert "sets lock_timeout, which is not under control" in unknown(counters, flow)


def test_a_time_out_for_answers_moves_no_clock(opened, counters):
    async def flow():
        async with opened(command_timeout=5) as connection:
            await connection.fetchval(READ, timeout=3)

    assert judged(racing(counters, (flow, flow))).coverage.count("the clock never advanced early")


def test_a_server_that_is_not_there_is_named(counters):
    async def flow():
        with suppress(OSError):
            await asyncpg.connect(host="127.0.0.1", port=1)

    assert "could not connect to PostgreSQL" in unknown(counters, flow)
