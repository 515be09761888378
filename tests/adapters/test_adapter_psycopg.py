"""psycopg on a real PostgreSQL: statements and commits are steps, row locks are waited for."""

import threading
from contextlib import nullcontext
from functools import partial

import psycopg
import pytest
from sqlalchemy import create_engine, text

from pytest_supercache import check
from tests.adapters.counters import outcomes as everything
from tests.adapters.counters import racing, unknown
from tests.adapters.flows import counting, is_conflict, is_lost_update, judged

pytestmark = pytest.mark.postgresql


@pytest.fixture
def opened(address):
    """Open a connection."""
    return lambda **options: psycopg.connect(address, **options)


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
    assert is_lost_update(result) is conflict
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
    """Return everything that can come of flows, each on a connection of its own."""

    def tried(*flows, **options):
        return everything(counters, *(partial(_said, flow, opened, options) for flow in flows))

    return tried


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


def test_who_waits_for_a_lock_keeps_the_snapshot_of_the_statement_that_waits(outcomes):
    def bump(connection):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")

    one_fails = {("40001", None, 1, 0), (None, "40001", 1, 0)}
    assert outcomes(bump, bump) == {(None, None, 2, 0)} | one_fails


def test_a_deferred_constraint_meets_locks_before_the_commit(outcomes, parts):
    def add(connection):
        connection.execute("INSERT INTO parts VALUES ('o')")
        connection.commit()

    def remove(connection):
        with connection.transaction():
            connection.execute("DELETE FROM counters WHERE name = 'o'")

    found = {(a, b) for a, b, *_ in outcomes(add, remove)}
    assert found == {(None, "23503"), ("23503", None)}


def test_a_transaction_that_failed_holds_no_lock_even_before_it_is_rolled_back(opened, counters):
    def flow():
        with opened() as failed, opened() as other:
            failed.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
            with pytest.raises(psycopg.errors.UniqueViolation):
                failed.execute("INSERT INTO counters VALUES ('m', 0)")
            other.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")

    assert judged(racing(counters, (flow,))).exhausted


def test_a_cursor_of_the_server_shows_its_snapshot_and_rows_that_it_locks_are_unknown(
    outcomes, opened, counters
):
    def fetched(connection):
        with connection.cursor("mine") as cursor:
            cursor.execute("SELECT n FROM counters ORDER BY name DESC")
            first = cursor.fetchone()
            return first + tuple(n for (n,) in cursor)

    def bump(connection):
        connection.execute("UPDATE counters SET n = n + 1")

    assert {seen for seen, *_ in outcomes(fetched, bump)} == {(0, 0), (1, 1)}

    def locking(connection):
        with connection.cursor("mine") as cursor:
            cursor.execute("SELECT n FROM counters FOR UPDATE")
            cursor.fetchall()

    flows = (partial(_said, flow, opened, {}) for flow in (bump, locking))
    assert "a cursor of the server met a lock" in unknown(counters, *flows)


def test_a_procedure_that_may_commit_is_unknown_when_it_meets_a_lock(opened, counters):
    def slowly(connection):
        connection.execute("UPDATE counters SET n = n + 1")
        connection.execute("UPDATE counters SET n = n + 1")

    def done(connection):
        connection.execute("DO $$ BEGIN UPDATE counters SET n = n + 1; END $$")

    flows = partial(_said, slowly, opened, {}), partial(_said, done, opened, {"autocommit": True})
    assert "a procedure (CALL or DO) outside of a transaction met a lock" in unknown(
        counters, *flows
    )


def test_derived_classes_of_connections_are_kept(address, counters):
    class Mine(psycopg.Connection):
        def bump(self):
            self.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")

    def flow():
        with Mine.connect(address) as connection:
            connection.bump()

    assert judged(racing(counters, (flow, flow))).exhausted


def test_the_scope_names_the_isolation_levels_of_transactions(opened, counters):
    def levels(*statements, **options):
        def flow():
            with opened(**options) as connection:
                connection.isolation_level = level
                for statement in (*statements, "SELECT n FROM counters"):
                    connection.execute(statement)

        result = judged(racing(counters, (flow,)))
        server, level_there = result.scope["isolation"].split(" at ")
        assert server == "PostgreSQL"
        assert f"transactions of PostgreSQL at {level_there}" in result.coverage
        return level_there

    level = None
    assert levels() == "READ COMMITTED"
    assert levels("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE") == "SERIALIZABLE"
    by_default = "-c default_transaction_isolation=repeatable\\ read"
    assert levels(options=by_default) == "REPEATABLE READ"
    set_by_default = "SET default_transaction_isolation TO 'serializable'"
    assert levels(set_by_default, "COMMIT", "SELECT 2") == "SERIALIZABLE"
    level = psycopg.IsolationLevel.REPEATABLE_READ
    assert levels() == "REPEATABLE READ"
    assert levels(autocommit=True) == "READ COMMITTED"


UNCONTROLLED = {
    "Cursor.copy": lambda connection: connection.cursor().copy("COPY counters TO STDOUT"),
    "Cursor.stream": lambda connection: connection.cursor().stream("SELECT 1"),
    "Connection.notifies": lambda connection: connection.notifies(),
    "Connection.pipeline": lambda connection: connection.pipeline(),
    "Connection.tpc_recover": lambda connection: connection.tpc_recover(),
}


@pytest.mark.parametrize("name", UNCONTROLLED)
def test_what_is_not_controlled_is_named(opened, counters, name):
    def flow():
        with opened() as connection:
            UNCONTROLLED[name](connection)

    said = f"the code under test called psycopg's {name}, which this version does not control"
    assert said in unknown(counters, flow)


def test_a_time_out_for_locks_is_named(opened, counters):
    def setting():
        with opened() as connection:
            connection.execute("SET LOCAL lock_timeout = '1s'")

    def connecting():
        opened(options="-c lock_timeout=9").close()

    for flow in (setting, connecting):
        assert "sets lock_timeout, which is not under control" in unknown(counters, flow)


def test_options_of_the_environment_are_kept(opened, counters, monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")

    def flow():
        with opened() as connection:
            assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)

    assert judged(racing(counters, (flow, flow))).exhausted


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


@pytest.mark.parametrize("is_guarded", [False, True])
@pytest.mark.parametrize(
    "question",
    ["SELECT 1 FROM pg_type WHERE typname = 'mood'", "SELECT to_regtype('mood')::text"],
)
def test_two_users_make_one_type_unless_one_looks_after_the_other(opened, question, is_guarded):
    def body(world):
        with opened() as connection:
            connection.execute("DROP TYPE IF EXISTS mood")
        guard = threading.Lock() if is_guarded else nullcontext()

        def begin():
            with guard, opened(autocommit=True) as connection:
                if connection.execute(question).fetchone() in (None, (None,)):
                    connection.execute("CREATE TYPE mood AS ENUM ('calm', 'busy')")

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    assert is_conflict(judged(body)) is not is_guarded


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

    result = check(body, guarantees=(), executions=5)
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


def test_a_connection_from_before_is_named(opened):
    connection = opened()

    def body(world):
        world.actor("a", value, connection)
        world.run()

    result = check(body, guarantees=())
    connection.close()
    assert result.verdict.value == "unknown"
    assert "opened before" in result.reasons[0]
