"""PyMySQL on a real MariaDB: statements and commits are steps, row locks are waited for."""

import threading
import time
from contextlib import closing, nullcontext, suppress
from functools import partial

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.constants import CLIENT
from sqlalchemy import create_engine, text

from pytest_supercache import check
from tests.adapters.flows import counting, is_conflict, is_lost_update, judged
from tests.adapters.in_mariadb import (
    add,
    asked,
    outcomes_in_mariadb,
    overwrite_or_add,
    put,
    said,
    value,
)
from tests.selection import few

pytestmark = pytest.mark.mariadb
NO_SNAPSHOT, DEADLOCK, LOCKED, CHANGED = "READ COMMITTED", 1213, 1205, 1020


UNCOMMITTED, TWICE = "uncommitted-visible", "non-repeatable-read"


@pytest.fixture
def address(mariadb_address):
    return mariadb_address


@pytest.fixture
def counters(mariadb_counters):
    return mariadb_counters


@pytest.fixture
def opened(address):
    """Open a connection."""

    def connect(isolation=None, **options):
        first = f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}" if isolation else None
        return pymysql.connect(**address, init_command=first, **options)

    return connect


def read_then_write(connect):
    with connect(NO_SNAPSHOT) as connection:
        put(connection, value(connection) + 1)
        connection.commit()


def let_the_database_count(connect):
    with connect(NO_SNAPSHOT) as connection:
        add(connection, "n")


def read_under_a_lock(connect):
    with connect() as connection:
        put(connection, value(connection, lock="FOR UPDATE") + 1)
        connection.commit()


@pytest.mark.parametrize(
    ("bump", "conflict"),
    few([(read_then_write, True), (read_under_a_lock, False), (let_the_database_count, False)], 2),
)
def test_two_users_lose_a_count_unless_they_read_under_a_lock(opened, counters, bump, conflict):
    def made(_world):
        counters.reset()
        return opened

    result = counting(made, bump, lambda connect: value(connect()))
    assert is_lost_update(result) is conflict
    assert conflict or result.exhausted


@pytest.mark.parametrize(("limit", "is_lost"), few([(5, False), (9, True)], 2))
def test_an_update_that_finds_no_row_has_overwritten_nothing(opened, counters, limit, is_lost):
    def once(connect):
        with closing(connect(NO_SNAPSHOT)) as connection:
            overwrite_or_add(connection, limit)

    def made(_world):
        counters.reset()
        return opened

    result = counting(made, once, lambda _: counters.values()[1] + 1)
    assert is_conflict(result)
    assert is_lost_update(result) is is_lost


@pytest.mark.parametrize("counts", [False, True])
def test_sqlalchemy_takes_the_same_steps(address, counters, counts):
    def made(_world):
        counters.reset()
        url = f"mysql+pymysql://root@/shop?unix_socket={address['unix_socket']}"
        return create_engine(url, isolation_level=NO_SNAPSHOT, connect_args={"ssl_disabled": True})

    def bump(engine):
        with engine.begin() as connection:
            n = (
                "n"
                if counts
                else connection.scalar(text("SELECT n FROM counters WHERE name = 'n'"))
            )
            connection.execute(text(f"UPDATE counters SET n = {n} + 1 WHERE name = 'n'"))

    def total(engine):
        with engine.begin() as connection:
            return connection.scalar(text("SELECT n FROM counters WHERE name = 'n'"))

    result = counting(made, bump, total)
    assert is_conflict(result) is not counts
    assert not counts or result.exhausted


@pytest.fixture
def outcomes(opened, counters):
    """Return everything that can come of flows."""
    return partial(outcomes_in_mariadb, counters, opened, pymysql.Error)


_said = partial(said, pymysql.Error)


def put_and_take_back(connection):
    put(connection, 5)
    connection.rollback()


def look_twice(connection):
    return value(connection), value(connection)


def put_if_none(name):
    def flow(connection):
        if asked(connection, "SELECT SUM(n) FROM counters")[0][0] == 0:
            put(connection, 1, name)

    return flow


def bump(connection):
    put(connection, value(connection) + 1)


def test_who_meets_a_row_lock_waits_and_finds_what_was_committed(outcomes):
    def twice(connection):
        asked(connection, "UPDATE counters SET n = n + 1 WHERE name = 'n'")
        asked(connection, "UPDATE counters SET n = n * 2 WHERE name = 'n'")

    def once(connection):
        asked(connection, "UPDATE counters SET n = n * 10 WHERE name = 'n'")

    assert outcomes(twice, twice) == {(None, None, 6, 0)}
    assert outcomes(twice, once, autocommit=True) == {
        (None, None, n, 0) for n in (2, 20, 11 * 2 - 2)
    }


def test_who_only_reads_under_a_lock_holds_it_until_the_transaction_ends(outcomes):
    def hold(connection):
        value(connection, lock="FOR UPDATE")

    def look(connection):
        value(connection)

    def at_once(connection):
        return value(connection, lock="FOR UPDATE NOWAIT")

    assert outcomes(hold, at_once) == {(None, 0, 0, 0), (None, LOCKED, 0, 0)}
    assert outcomes(hold, at_once, autocommit=True) == {(None, 0, 0, 0)}
    assert outcomes(look, at_once) == {(None, 0, 0, 0)}


def test_a_snapshot_that_was_overtaken_cannot_be_written_to(outcomes):
    one_fails = {(CHANGED, None, 1, 0), (None, CHANGED, 1, 0)}
    one_is_lost = {(None, None, 1, 0)}
    both = {(None, None, 2, 0)}
    assert outcomes(bump, bump) == both | one_fails
    assert outcomes(bump, bump, isolation=NO_SNAPSHOT) == both | one_is_lost


def test_a_transaction_sees_one_snapshot_unless_it_reads_what_is_committed(outcomes):
    def count(connection):
        add(connection, "n")

    same = {((0, 0), None, 1, 0), ((1, 1), None, 1, 0)}
    assert outcomes(look_twice, count) == same
    assert outcomes(look_twice, count, isolation=NO_SNAPSHOT) == same | {((0, 1), None, 1, 0)}


def test_write_skew_is_prevented_where_reads_take_locks(outcomes):
    flows = put_if_none("n"), put_if_none("m")
    assert (None, None, 1, 1) in outcomes(*flows)
    assert not any(found[2:] == (1, 1) for found in outcomes(*flows, isolation="SERIALIZABLE"))


@pytest.mark.parametrize(
    ("isolation", "flows", "is_right", "slug"),
    [
        ("READ UNCOMMITTED", (put_and_take_back, value), lambda b, _: b == 0, UNCOMMITTED),
        ("READ COMMITTED", (put_and_take_back, value), lambda b, _: b == 0, None),
        ("READ COMMITTED", (lambda c: add(c, "n"), look_twice), lambda b, _: b[0] == b[1], TWICE),
        ("REPEATABLE READ", (lambda c: add(c, "n"), look_twice), lambda b, _: b[0] == b[1], None),
        (
            "REPEATABLE READ",
            (put_if_none("n"), put_if_none("m")),
            lambda _, counts: sum(counts) == 1,
            "write-skew",
        ),
    ],
)
def test_an_anomaly_has_its_name_at_the_isolation_level_that_allows_it(
    opened, counters, isolation, flows, is_right, slug
):
    def body(world):
        counters.reset()
        for name, flow in zip("ab", flows, strict=True):
            world.actor(name, in_transaction, flow)
        seen = world.run()["b"]
        assert is_right(seen, counters.values())

    def in_transaction(flow):
        with opened(isolation=isolation) as connection:
            answer = flow(connection)
            connection.commit()
            return answer

    result = judged(body)
    assert (result.counterexample and result.counterexample.conflict_class) == slug


def test_the_scope_names_the_isolation_levels_of_transactions(opened, counters):
    def levels(*statements, **options):
        def body(world):
            counters.reset()
            world.actor("a", flow)
            world.run()

        def flow():
            with opened(**options) as connection:
                for statement in statements:
                    asked(connection, statement)

        result = judged(body)
        server, level = result.scope["isolation"].split(" at ")
        assert f"transactions of {server} at {level}" in result.coverage
        assert server == "MariaDB"
        return level

    look, one = "SELECT n FROM counters", "SET TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE"
    assert levels(look) == "REPEATABLE READ"
    assert levels(look, isolation=NO_SNAPSHOT) == NO_SNAPSHOT
    assert levels(look, isolation="SERIALIZABLE", use_unicode=False) == "SERIALIZABLE"
    assert levels(one, look) == "SERIALIZABLE"
    assert levels(one, look, "COMMIT", look) == "REPEATABLE READ and SERIALIZABLE"
    assert levels("SET @@tx_isolation = 'READ-UNCOMMITTED'", look) == "READ UNCOMMITTED"
    of_all = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    assert levels(of_all, look, "COMMIT", look) == "SERIALIZABLE"
    assert levels("SET tx_isolation = 'read-committed'", look, "COMMIT", look) == NO_SNAPSHOT
    elsewhere = "SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    assert levels("SELECT 'ISOLATION LEVEL SERIALIZABLE'", elsewhere, look) == "REPEATABLE READ"


def test_nowait_is_told_at_once_and_another_row_is_nobodys_business(outcomes):
    def slowly(connection):
        asked(connection, "UPDATE counters SET n = n + 1 WHERE name = 'n'")
        asked(connection, "UPDATE counters SET n = n + 1 WHERE name = 'n'")

    def at_once(connection):
        return value(connection, lock="FOR UPDATE NOWAIT")

    def other_row(connection):
        add(connection, "m")

    found = outcomes(slowly, at_once)
    assert found == {(None, LOCKED, 2, 0), (None, 0, 2, 0), (None, 2, 2, 0)}
    assert outcomes(slowly, other_row) == {(None, None, 2, 1)}


@pytest.mark.parametrize("seconds", [50, 3])
def test_a_lock_that_nobody_gives_back_is_an_error_when_the_timeout_is_over(outcomes, seconds):
    def keep(connection):
        put(connection, 5)
        time.sleep(10)  # noqa: TID251 - virtual
        connection.rollback()

    def count(connection):
        if seconds != 50:
            asked(connection, f"SET innodb_lock_wait_timeout = {seconds}")
        add(connection, "n")

    found = outcomes(keep, count)
    assert found == ({(None, None, 1, 0)} | ({(None, LOCKED, 0, 0)} if seconds == 3 else set()))


def test_of_two_who_lock_the_same_rows_in_another_order_either_is_rolled_back(outcomes):
    def lock(*names):
        return lambda connection: add(connection, *names)

    assert outcomes(lock("n", "m"), lock("n", "m")) == {(None, None, 2, 2)}
    one_fails = {(DEADLOCK, None, 1, 1), (None, DEADLOCK, 1, 1)}
    assert outcomes(lock("n", "m"), lock("m", "n")) == {(None, None, 2, 2)} | one_fails


def test_who_begins_anew_after_a_deadlock_comes_after_the_one_that_waited(outcomes):
    def until_done(*names):
        def flow(connection):
            while True:
                try:
                    return add(connection, *names)
                except pymysql.OperationalError as error:
                    if error.args[0] != DEADLOCK:
                        raise
                    connection.rollback()

        return flow

    assert outcomes(until_done("n", "m"), until_done("m", "n")) == {(None, None, 2, 2)}


def test_a_deadlock_is_a_conflict_unless_all_lock_in_one_order(opened, counters):
    def flow(*names):
        with opened() as connection:
            add(connection, *names)

    def body_of(second):
        def body(world):
            counters.reset()
            world.actor("a", flow, "n", "m")
            world.actor("b", flow, *second)
            world.run()
            assert counters.values() == (2, 2)

        return body

    found = judged(body_of(("m", "n")))
    assert found.counterexample.violation.guarantee == "answers"
    assert found.counterexample.conflict_class == "deadlock"
    assert is_conflict(found)
    held = judged(body_of(("n", "m")))
    assert not is_conflict(held)
    assert held.exhausted


def test_two_who_wait_while_a_third_transaction_is_open_prove_nothing(opened, counters):
    def reasons_with(*names):
        def body(world):
            counters.reset()
            with opened() as third:
                for name in names:
                    put(third, 1, name)
                world.actor("a", _said, lambda one: add(one, "n", "m"), opened, {})
                world.actor("b", _said, lambda one: add(one, "m", "n"), opened, {})
                world.run()

        return check(body, guarantees=(), ticks=0).reasons

    assert any("several transactions" in reason for reason in reasons_with("k"))
    assert reasons_with() == ()


def test_a_statement_that_fails_keeps_its_locks_until_its_transaction_ends(outcomes):
    def insert_again(connection):
        with suppress(pymysql.IntegrityError):
            asked(connection, "INSERT INTO counters VALUES ('n', 7)")
        asked(connection, "SELECT 1")

    def count(connection):
        add(connection, "n")

    assert outcomes(insert_again, count) == {(None, None, 1, 0)}


@pytest.mark.parametrize(
    "write",
    [
        "START TRANSACTION",
        "SET autocommit = 1",
        "ALTER TABLE counters COMMENT = 'c'",
    ],
)
def test_what_commits_by_itself_is_a_step(outcomes, write):
    def slowly(connection):
        asked(connection, "UPDATE counters SET n = 1 WHERE name = 'n'")
        asked(connection, write)
        asked(connection, "UPDATE counters SET n = 2 WHERE name = 'n'")

    def look(connection):
        return value(connection)

    found = outcomes(slowly, look)
    assert found == {(None, n, 2, 0) for n in (0, 1, 2)}


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
                    asked(connection, statement)

        return judged(body, search="all-schedules").executions

    harmless = (
        "SET NAMES utf8mb4", "EXPLAIN UPDATE counters SET n = 5", "SELECT VERSION(), @@sql_mode",
        "DESC SELECT n FROM counters",
        "SELECT CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL",
        "/* a; b */ SHOW SESSION VARIABLES -- ; UPDATE", "SELECT 'x; UPDATE counters'",
    )  # fmt: skip
    assert steps(*harmless) == steps() < steps(*["ANALYZE UPDATE counters SET n = 5"] * 2)


@pytest.mark.parametrize("is_guarded", [False, True])
@pytest.mark.parametrize(
    "question",
    few(
        ["SHOW TABLES LIKE 'prices'", "EXPLAIN prices", "DESC prices", "SHOW COLUMNS FROM prices"],
        2,
    ),
)
def test_two_users_make_one_table_unless_one_looks_after_the_other(opened, question, is_guarded):
    def body(world):
        with opened() as connection:
            asked(connection, "DROP TABLE IF EXISTS prices")
        guard = threading.Lock() if is_guarded else nullcontext()

        def begin():
            with guard, opened() as connection:
                with suppress(pymysql.err.ProgrammingError):  # there is none
                    if asked(connection, question):
                        return
                asked(connection, "CREATE TABLE prices (price INT)")

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    assert is_conflict(judged(body)) is not is_guarded


def reasons(opened, counters, flow, executions=5, **options):
    """Return why nothing is proved of a flow beside one that counts slowly."""

    def slowly(connection):
        add(connection, "n", "n")

    def body(world):
        counters.reset()
        world.actor("a", _said, slowly, opened, {})
        world.actor("b", _said, flow, opened, options)
        world.run()

    result = check(body, guarantees=(), executions=executions)
    assert (result.verdict.value == "unknown") is bool(result.reasons)
    return result.reasons


@pytest.mark.parametrize(
    ("statement", "why", "options"),
    [
        ("SELECT GET_LOCK('x', 1)", "SELECT GET_LOCK", {}),
        ("LOCK TABLES counters WRITE", "LOCK TABLES", {}),
        ("SELECT 1; SELECT 2", "several statements", {"client_flag": CLIENT.MULTI_STATEMENTS}),
        ("SELECT n FROM counters", "SSCursor", {"cursorclass": pymysql.cursors.SSCursor}),
        ("SET lock_wait_timeout = 1 + 1", "lock_wait_timeout", {}),
        ("SET tx_isolation = DEFAULT", "tx_isolation", {}),
        ("SET completion_type = 1", "completion_type", {}),
    ],
)
def test_what_is_not_controlled_names_itself(opened, counters, statement, why, options):
    def flow(connection):
        asked(connection, statement)

    assert any(why in reason for reason in reasons(opened, counters, flow, **options))


def test_a_procedure_that_goes_on_after_a_result_is_named(opened, counters):
    def calling(name):
        return reasons(opened, counters, lambda one: asked(one, f"CALL {name}()"), executions=100)

    for name, answer in (("tells", "SELECT n FROM counters; "), ("acts", "")):
        counters.execute(
            f"CREATE OR REPLACE PROCEDURE {name}() BEGIN {answer}UPDATE counters SET n = 5; END"
        )
    assert any("more than one result" in reason for reason in calling("tells"))
    assert not any("more than one result" in reason for reason in calling("acts"))


def test_what_is_controlled_is_not_named(opened, counters):
    def harmless(connection):
        asked(connection, "SELECT n FROM counters")

    assert reasons(opened, counters, harmless, executions=100) == ()


def test_a_connection_from_before_is_named(opened):
    connection = opened()

    def body(world):
        world.actor("a", value, connection)
        world.run()

    result = check(body, guarantees=())
    connection.close()
    assert result.verdict.value == "unknown"
    assert "opened before" in result.reasons[0]


def test_a_server_that_is_down_is_named():
    def body(world):
        world.actor("a", lambda: pymysql.connect(host="127.0.0.1", port=1, user="root"))
        world.run()

    result = check(body, guarantees=())
    assert result.verdict.value == "unknown"
    assert any("MariaDB" in reason for reason in result.reasons)


def test_nothing_of_it_is_left_behind(opened, counters):
    real = Connection.query
    counting(lambda _: counters.reset() or opened, let_the_database_count, lambda c: value(c()))
    assert Connection.query is real
