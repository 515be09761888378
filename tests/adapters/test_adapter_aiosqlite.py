"""aiosqlite: a job of a connection's thread is a step of the task that awaits it."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager

import aiosqlite
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pytest_supercache import check
from tests.adapters.flows import SEARCHES, is_conflict, is_lost_update, judged, outcomes_of
from tests.selection import few


@asynccontextmanager
async def opened(world, **options):
    """Open the counters of one execution; they begin with n = 0."""
    path = world.tmp_path / "counters.db"
    is_new = not path.exists()
    async with aiosqlite.connect(path, **options) as connection:
        if is_new:
            await connection.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER)")
            await connection.execute("CREATE TABLE log (line TEXT)")
            await connection.execute("INSERT INTO counters VALUES ('n', 0), ('m', 0)")
            await connection.commit()
        yield connection


async def value(connection, name="n"):
    query = "SELECT n FROM counters WHERE name = ?"
    async with connection.execute(query, (name,)) as cursor:
        return (await cursor.fetchone())[0]


async def counted(bump, *, world, connect):
    async with opened(world):
        pass
    for name in "ab":
        world.actor(name, bump, connect)
    await world.run()
    async with opened(world) as connection:
        assert await value(connection) == 2


async def read_then_write(connect):
    async with connect() as connection:
        n = await value(connection)
        await connection.execute("UPDATE counters SET n = ? WHERE name = 'n'", (n + 1,))
        await connection.commit()


async def let_the_database_count(connect):
    async with connect() as connection:
        await connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
        await connection.commit()


async def read_under_the_lock(connect):
    async with connect() as connection:
        await connection.execute("BEGIN IMMEDIATE")
        n = await value(connection)
        await connection.execute("UPDATE counters SET n = ? WHERE name = 'n'", (n + 1,))
        await connection.commit()


@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(read_then_write, True), (let_the_database_count, False), (read_under_the_lock, False)],
)
def test_two_users_lose_a_count_unless_they_read_under_the_lock(bump, conflict):
    async def body(world):
        await counted(bump, world=world, connect=lambda: opened(world))

    result = judged(body)
    assert is_lost_update(result) is conflict
    assert conflict or result.exhausted


def outcomes(*flows, ticks=0, **options):
    """Return everything that can come of flows."""
    return outcomes_of(lambda search: tried(search, flows, ticks, options))


def tried(search, flows, ticks, options):
    seen = set()

    async def body(world):
        async with opened(world):
            pass
        for name, flow in zip("ab", flows, strict=True):
            world.actor(name, said, flow, world, options)
        results = await world.run()
        async with opened(world) as connection:
            seen.add((*(results[name] for name in "ab"), await value(connection)))

    result = judged(body, search=search, ticks=ticks)
    assert result.exhausted, result
    return seen


async def said(flow, world, options):
    async with opened(world, **options) as connection:
        try:
            return await flow(connection)
        except sqlite3.OperationalError as error:
            return str(error)


async def write_slowly(connection):
    await connection.execute("UPDATE counters SET n = n + 1")
    await connection.execute("INSERT INTO log VALUES ('counted')")
    await connection.commit()


def test_who_meets_a_lock_waits_until_it_is_free():
    assert outcomes(write_slowly, write_slowly) == {(None, None, 2)}


def test_who_has_read_and_wants_to_write_is_told_at_once_that_it_is_locked():
    async def upgrade(connection):
        await connection.execute("BEGIN")
        n = await value(connection)
        try:
            await connection.execute("UPDATE counters SET n = ?", (n + 1,))
            await connection.commit()
        except sqlite3.OperationalError as error:
            await connection.rollback()
            return str(error)

    locked = "database is locked"
    assert outcomes(upgrade, upgrade) == {(None, None, 2), (locked, None, 1), (None, locked, 1)}


def test_a_lock_that_nobody_gives_back_is_an_error_when_the_timeout_is_over():
    async def keep(connection):
        await connection.execute("UPDATE counters SET n = 5")
        await asyncio.sleep(60)

    locked = "database is locked"
    assert outcomes(keep, write_slowly, timeout=2) == {(None, locked, 0), (None, None, 1)}


def test_who_does_not_wait_for_locks_is_told_at_once():
    async def in_one_go(connection):
        await connection.execute("UPDATE counters SET n = n + 10")
        await connection.commit()

    locked = "database is locked"
    both, second, first = (None, None, 11), (locked, None, 10), (None, locked, 1)
    assert outcomes(write_slowly, in_one_go, timeout=0) == {both, first, second}
    assert outcomes(write_slowly, in_one_go) == {both}


def test_tables_that_have_nothing_to_do_with_each_other_are_not_tried_in_every_order():
    def executions(table):
        async def read(world):
            async with opened(world, isolation_level=None) as connection:
                await connection.execute_fetchall(f"SELECT count(*) FROM {table}")

        async def write(world):
            async with opened(world, isolation_level=None) as connection:
                await connection.execute("INSERT INTO log VALUES ('x')")

        async def body(world):
            async with opened(world):
                pass
            world.actor("a", read, world)
            world.actor("b", write, world)
            await world.run()

        return judged(body, search="exhaustive").executions

    assert executions("counters") < executions("log")


def two_on_one_connection(first, second, search="exhaustive"):
    """Return what two tasks of one connection leave, in every schedule."""
    seen = set()

    async def body(world):
        async with opened(world) as connection:
            queued = asyncio.Event()
            world.actor("a", first, connection, queued)
            world.actor("b", second, connection, queued)
            results = await world.run()
            await connection.commit()
            seen.add((results["a"], results["b"], await value(connection)))

    result = judged(body, search=search)
    assert result.exhausted, result
    return seen


@pytest.mark.parametrize("search", SEARCHES)
def test_tasks_that_share_a_connection_share_its_transaction(search):
    async def count(connection, _):
        await connection.execute("UPDATE counters SET n = n + 1")

    async def roll_back(connection, _):
        await connection.rollback()

    async def look_elsewhere(connection, _):
        await connection.execute_fetchall("SELECT * FROM log")

    assert two_on_one_connection(count, roll_back, search) == {(None, None, 0), (None, None, 1)}
    assert two_on_one_connection(count, look_elsewhere, search) == {(None, None, 1)}


@pytest.mark.parametrize("search", SEARCHES)
def test_a_connection_does_its_jobs_in_the_order_in_which_they_were_queued(search):
    async def tell(connection, queued):
        queued.set()
        await connection.execute("UPDATE counters SET n = 1")

    async def follow(connection, queued):
        await queued.wait()
        await connection.execute("UPDATE counters SET n = n * 2 + 10")

    async def do_not_wait(connection, _queued):
        await connection.execute("UPDATE counters SET n = n * 2 + 10")

    first, second = (None, None, 12), (None, None, 1)
    assert two_on_one_connection(tell, do_not_wait, search) == {first, second}
    assert two_on_one_connection(tell, follow, search) == {first}


def test_a_job_is_no_single_move_with_what_comes_after_it():
    async def bump(world, counter):
        async with opened(world) as connection:
            n = counter["n"]
            await value(connection)
            counter["n"] = n + 1

    async def bump_at_once(world, counter):
        async with opened(world) as connection:
            await value(connection)
            counter["n"] += 1

    def body_of(flow):
        async def body(world):
            async with opened(world):
                pass
            counter = {"n": 0}
            world.actor("a", flow, world, counter)
            world.actor("b", flow, world, counter)
            await world.run()
            assert counter["n"] == 2

        return body

    assert is_conflict(judged(body_of(bump)))
    held = judged(body_of(bump_at_once))
    assert not is_conflict(held)
    assert held.exhausted


@pytest.mark.parametrize("gets", ["connect", "fetch", "cursor"])
def test_others_go_on_while_a_task_waits_for_a_job_that_touches_no_table(gets):
    async def bump(world, counter):
        if gets == "connect":
            n = counter["n"]
            async with opened(world):
                counter["n"] = n + 1
            return
        async with opened(world) as connection:
            if gets == "fetch":
                cursor = await connection.execute("SELECT 1")
                n = counter["n"]
                await cursor.fetchall()
            else:
                n = counter["n"]
                await connection.cursor()
            counter["n"] = n + 1

    async def body(world):
        async with opened(world):
            pass
        counter = {"n": 0}
        world.actor("a", bump, world, counter)
        world.actor("b", bump, world, counter)
        await world.run()
        assert counter["n"] == 2

    assert is_conflict(judged(body))


class Base(DeclarativeBase):
    pass


class Counter(Base):
    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)


async def load_and_change(engine):
    async with AsyncSession(engine) as session, session.begin():
        (await session.get(Counter, "n")).n += 1


async def count_in_the_database(engine):
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(update(Counter).values(n=Counter.n + 1))


async def begin_immediate(engine):
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("BEGIN IMMEDIATE"))
        n = await connection.scalar(select(Counter.n))
        await connection.execute(update(Counter).values(n=n + 1))
        await connection.execute(text("COMMIT"))


@pytest.mark.parametrize(
    ("bump", "conflict"),
    few([(load_and_change, True), (count_in_the_database, False), (begin_immediate, False)], 2),
)
def test_two_sessions_of_sqlalchemy_lose_a_count_unless_the_database_counts(bump, conflict):
    async def body(world):
        engine = create_async_engine(f"sqlite+aiosqlite:///{world.tmp_path}/counters.db")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session, session.begin():
            session.add(Counter(name="n"))
        world.actor("a", bump, engine)
        world.actor("b", bump, engine)
        await world.run()
        async with AsyncSession(engine) as session:
            assert (await session.get(Counter, "n")).n == 2
        await engine.dispose()

    result = judged(body)
    assert is_conflict(result) is conflict
    assert conflict or result.exhausted


def reasons(flow, other=write_slowly):
    """Return why nothing is proved of a flow beside another one, in a few executions."""

    async def body(world):
        async with opened(world):
            pass
        world.actor("a", said, flow, world, {})
        world.actor("b", said, other, world, {})
        await world.run()

    return check(body, guarantees=(), executions=5).reasons


def test_what_the_thread_of_a_cancelled_task_does_is_unknown():
    async def impatient(connection):
        try:
            async with asyncio.timeout(1):
                await write_slowly(connection)
        except TimeoutError:
            await connection.rollback()

    async def keep(connection):
        await connection.execute("UPDATE counters SET n = 5")
        await asyncio.sleep(3)
        await connection.rollback()

    assert any("was cancelled while" in reason for reason in reasons(impatient, keep))


def test_what_has_no_step_of_its_own_is_unknown():
    async def dump(connection):
        async for _ in connection.iterdump():
            pass

    async def interrupt(connection):
        await connection.interrupt()

    async def stop(connection):
        await connection.execute("UPDATE counters SET n = 5")
        connection.stop()

    assert any("statements of its own" in reason for reason in reasons(dump))
    assert any("interrupt()" in reason for reason in reasons(interrupt))
    assert any("was stopped" in reason for reason in reasons(stop))
    assert not any("aiosqlite" in reason for reason in reasons(write_slowly))


def test_a_connection_from_before_is_named():
    async def body(world):
        kept.append(await aiosqlite.connect(":memory:"))
        world.actor("a", value, kept[0])
        await world.run()

    kept = []
    result = check(body, guarantees=())
    assert result.verdict.value == "unknown"
    assert any("opened before" in reason for reason in result.reasons)


IMPORTS_LATE = """
import threading

from pytest_supercache import check


async def flow(path):
    import aiosqlite

    async with aiosqlite.connect(path) as connection:
        await connection.execute("CREATE TABLE counters (n INTEGER)")


async def body(world):
    world.actor("a", flow, world.tmp_path / "counters.db")
    await world.run()
    named = [thread.name for thread in threading.enumerate()]
    assert not [name for name in named if "connection_worker" in name], named


result = check(body, guarantees=())
print(result.verdict.value, *result.reasons)
"""


def test_a_driver_that_the_first_execution_imports_starts_no_thread():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS_LATE], text=True, check=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("holds", "")


def test_errors_and_rows_are_those_of_the_library():
    seen = []

    async def look(world):
        async with opened(world) as connection:
            connection.row_factory = aiosqlite.Row
            rows = await connection.execute_fetchall("SELECT * FROM counters ORDER BY name")
            seen.append([(row["name"], row["n"]) for row in rows])
            seen.append((await connection.execute_insert("INSERT INTO log VALUES ('x')"))[0])
            await connection.executemany("INSERT INTO log VALUES (?)", [("y",), ("z",)])
            async with connection.execute("SELECT line FROM log") as cursor:
                seen.append([row["line"] async for row in cursor])
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                await connection.execute("SELECT * FROM nowhere")
            await connection.create_function("twice", 1, lambda n: 2 * n)
            async with connection.execute("SELECT twice(4)") as cursor:
                seen.append((await cursor.fetchone())[0])
            await connection.rollback()
        with pytest.raises(ValueError, match="no active connection"):
            await connection.commit()

    async def body(world):
        async with opened(world):
            pass
        world.actor("a", look, world)
        await world.run()

    check(body, search="all-schedules")
    assert seen[:4] == [[("m", 0), ("n", 0)], 1, ["x", "y", "z"], 8]


def test_nothing_of_it_is_left_behind():
    real = aiosqlite.Connection._execute
    test_who_meets_a_lock_waits_until_it_is_free()
    assert aiosqlite.Connection._execute is real
