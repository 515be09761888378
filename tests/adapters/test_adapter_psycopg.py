"""psycopg on a real PostgreSQL: statements and commits are steps, row locks are waited for."""

from contextlib import closing

import psycopg
import pytest
from sqlalchemy import create_engine, text

from pytest_supercache import check
from tests.adapters.flows import counting, is_conflict, judged
from tests.adapters.servers import postgresql

pytestmark = pytest.mark.postgresql
SEARCHES = ("exhaustive", "all-schedules")


@pytest.fixture(scope="module")
def address():
    """A server for this file, with counters n and m."""
    with postgresql() as where:
        with psycopg.connect(where) as connection:
            connection.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER)")
            connection.execute("INSERT INTO counters VALUES ('n', 0), ('m', 0)")
        yield where


@pytest.fixture
def opened(address):
    """Open a connection."""
    return lambda **options: psycopg.connect(address, **options)


class Counters:
    """The counters as seen by libpq alone, of which checks know nothing.

    One connection is kept: the process that PostgreSQL starts for each costs more than a check.
    """

    def __init__(self, address):
        self._connection = psycopg.pq.PGconn.connect(address.encode())
        self.close = self._connection.finish

    def reset(self):
        """Put both back to 0."""
        self._executed(b"UPDATE counters SET n = 0")

    def values(self):
        """Return n and m."""
        found = self._executed(b"SELECT n FROM counters ORDER BY name DESC")
        return tuple(int(found.get_value(row, 0)) for row in range(found.ntuples))

    def _executed(self, statement):
        result = self._connection.exec_(statement)
        assert not result.error_message, result.error_message
        return result


@pytest.fixture(scope="module")
def counters(address):
    """What puts the counters back, and reads them."""
    with closing(Counters(address)) as made:
        yield made


def value(connection, name="n", lock=""):
    query = f"SELECT n FROM counters WHERE name = %s {lock}"
    return connection.execute(query, (name,)).fetchone()[0]


def read_then_write(connect):
    with connect() as connection:
        n = value(connection)
        connection.execute("UPDATE counters SET n = %s WHERE name = 'n'", (n + 1,))


def let_the_database_count(connect):
    with connect() as connection:
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")


def read_under_a_lock(connect):
    with connect() as connection, connection.transaction():
        n = value(connection, lock="FOR UPDATE")
        connection.execute("UPDATE counters SET n = %s WHERE name = 'n'", (n + 1,))


@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(read_then_write, True), (let_the_database_count, False), (read_under_a_lock, False)],
)
def test_two_users_lose_a_count_unless_they_read_under_a_lock(opened, counters, bump, conflict):
    def made(_world):
        counters.reset()
        return opened

    result = counting(made, bump, lambda connect: value(connect()))
    assert is_conflict(result) is conflict
    assert conflict or result.exhausted


def test_sqlalchemy_takes_the_same_steps(address, counters):
    def made(_world):
        counters.reset()
        return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(address))

    def bump(engine):
        with engine.begin() as connection:
            n = connection.scalar(text("SELECT n FROM counters WHERE name = 'n'"))
            connection.execute(text(f"UPDATE counters SET n = {n + 1} WHERE name = 'n'"))

    def count(engine):
        with engine.begin() as connection:
            connection.execute(text("UPDATE counters SET n = n + 1 WHERE name = 'n'"))

    def total(engine):
        with engine.begin() as connection:
            return connection.scalar(text("SELECT n FROM counters WHERE name = 'n'"))

    assert is_conflict(counting(made, bump, total))
    assert not is_conflict(counting(made, count, total))


@pytest.fixture
def outcomes(opened, counters):
    """Return everything that can come of flows: the same with and without the reduction."""

    def tried(search, flows, options):
        seen = set()

        def body(world):
            counters.reset()
            for name, flow in zip("ab", flows, strict=True):
                world.actor(name, _said, flow, opened, options)
            results = world.run()
            seen.add((results["a"], results["b"], *counters.values()))

        result = judged(body, search=search, ticks=0)
        assert result.exhausted, result
        return seen

    def both(*flows, **options):
        reduced, everything = (tried(search, flows, options) for search in SEARCHES)
        assert reduced == everything
        return reduced

    return both


def _said(flow, opened, options):
    with opened(**options) as connection:
        try:
            return flow(connection)
        except psycopg.Error as error:
            connection.rollback()
            return error.sqlstate


def test_who_meets_a_row_lock_waits_and_finds_what_was_committed(outcomes):
    def twice(connection):
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
        connection.execute("UPDATE counters SET n = n * 2 WHERE name = 'n'")

    assert outcomes(twice, twice) == {(None, None, 6, 0)}


def test_a_snapshot_that_was_overtaken_cannot_be_written_to(outcomes):
    def bump(connection):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("UPDATE counters SET n = %s WHERE name = 'n'", (value(connection) + 1,))

    one_fails = {("40001", None, 1, 0), (None, "40001", 1, 0)}
    assert outcomes(bump, bump) == {(None, None, 2, 0)} | one_fails


def test_nowait_is_told_at_once_and_another_row_is_nobodys_business(outcomes):
    def slowly(connection):
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")

    def at_once(connection):
        return value(connection, lock="FOR UPDATE NOWAIT")

    def other_row(connection):
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'm'")

    found = outcomes(slowly, at_once)
    assert found == {(None, "55P03", 2, 0), (None, 0, 2, 0), (None, 2, 2, 0)}
    assert outcomes(slowly, other_row) == {(None, None, 2, 1)}


@pytest.mark.parametrize(
    "write",
    [
        "SET work_mem = '4MB'; UPDATE counters SET n = {}",
        "BEGIN; UPDATE counters SET n = {}; COMMIT",
        "COMMIT; UPDATE counters SET n = {}",
        "EXPLAIN (ANALYZE, COSTS off) UPDATE counters SET n = {}",
    ],
)
def test_what_begins_with_a_harmless_word_and_writes_is_a_step(outcomes, write):
    def bump(connection):
        connection.execute(write.format(value(connection) + 1))

    one_is_lost = {(None, None, 1, 1), (None, None, 2, 2)}
    assert outcomes(bump, bump, autocommit=True) == one_is_lost


def test_what_is_only_asked_or_set_is_no_step(opened, counters):
    def steps(*statements):
        def body(world):
            counters.reset()
            world.actor("a", several)
            world.actor("b", lambda: _said(value, opened, {}))
            world.run()

        def several():
            with opened(autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement)

        return judged(body, search="all-schedules").executions

    harmless = (
        "SET work_mem = '4MB'; SET work_mem = '5MB';",
        "EXPLAIN UPDATE counters SET n = 5",
        "SET application_name = 'x; UPDATE'",
        "/* a; b */ SHOW work_mem -- ; UPDATE",
    )
    assert steps(*harmless) == steps() < steps(*["EXPLAIN ANALYZE UPDATE counters SET n = 5"] * 2)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("UPDATE counters SET n = n + 1; UPDATE counters SET n = n * 2", {}),
        ("UPDATE counters SET n = n + 1; UPDATE counters SET n = n * 2", {"autocommit": True}),
        ("BEGIN; UPDATE counters SET n = n + 1; UPDATE counters SET n = n * 2; COMMIT",
         {"autocommit": True}),
    ],
)  # fmt: skip
def test_several_statements_that_meet_a_lock_wait_and_are_made_again(outcomes, script, options):
    def made_again(connection):
        connection.execute(script)

    def two(connection):
        with connection.transaction():
            connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'm'")
            connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'm'")

    found = outcomes(made_again, two, **options)
    assert found == {(None, None, 2, 4), (None, None, 2, 6)}


def test_several_statements_that_cannot_be_made_again_are_unknown_when_they_meet_a_lock(
    opened, counters
):
    def body(world):
        counters.reset()
        world.actor("a", _said, slowly, opened, {})
        world.actor("b", _said, script, opened, {"autocommit": True})
        world.run()

    def slowly(connection):
        connection.execute("UPDATE counters SET n = n + 1")
        connection.execute("UPDATE counters SET n = n + 1")

    def script(connection):
        connection.execute("SET work_mem = '4MB'; COMMIT; UPDATE counters SET n = n + 1")

    result = check(body, guarantees=(), executions=50)
    assert result.verdict.value == "unknown"
    assert "several statements in one execute() met a lock" in result.reasons[0]


def test_a_savepoint_of_the_code_can_be_released(outcomes):
    def bump(connection):
        connection.execute("UPDATE counters SET n = n + 1")
        connection.execute("SAVEPOINT mine")
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
        connection.execute("RELEASE SAVEPOINT mine")

    assert outcomes(bump, value) == {(None, 0, 2, 1), (None, 2, 2, 1)}


def test_nowait_that_meets_a_lock_aborts_the_transaction_unless_a_savepoint_is_around_it(outcomes):
    def slowly(connection):
        connection.execute("UPDATE counters SET n = 2 WHERE name = 'n'")

    def go_on(connection):
        try:
            value(connection, lock="FOR UPDATE NOWAIT")
        except psycopg.errors.LockNotAvailable:
            return value(connection, "m")

    def with_a_savepoint(connection):
        try:
            with connection.transaction(), connection.transaction():
                value(connection, lock="FOR UPDATE NOWAIT")
        except psycopg.errors.LockNotAvailable:
            return value(connection, "m")

    assert outcomes(slowly, go_on) == {(None, "25P02", 2, 0), (None, None, 2, 0)}
    assert outcomes(slowly, with_a_savepoint) == {(None, 0, 2, 0), (None, None, 2, 0)}


def test_two_who_lock_the_same_rows_in_another_order_wait_for_each_other(opened, counters):
    def lock(*names):
        def flow():
            with opened() as connection:
                for name in names:
                    value(connection, name, lock="FOR UPDATE")

        return flow

    def body(second):
        def run(world):
            counters.reset()
            world.actor("a", lock("n", "m"))
            world.actor("b", lock(*second))
            world.run()

        return run

    assert judged(body(("n", "m"))).exhausted
    deadlock = judged(body(("m", "n")))
    assert deadlock.counterexample.violation.guarantee == "answers"
    assert is_conflict(deadlock)


def test_a_connection_from_before_is_named(opened):
    connection = opened()

    def body(world):
        world.actor("a", value, connection)
        world.run()

    result = check(body, guarantees=())
    connection.close()
    assert result.verdict.value == "unknown"
    assert "opened before" in result.reasons[0]
