"""mysqlclient on a real MariaDB: each statement is a step, with the rows that it answers."""

import sys
import time
from contextlib import closing
from functools import partial
from importlib import import_module

import pymysql
import pytest
from sqlalchemy import create_engine, text

from pytest_supercache import Verdict, check
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

pytestmark = [pytest.mark.mariadb, pytest.mark.mysqlclient]
NO_SNAPSHOT, DEADLOCK, LOCKED = "READ COMMITTED", 1213, 1205


@pytest.fixture(scope="module")
def driver():
    """The package, which is installed where it can be built."""
    import_module("MySQLdb.connections")
    return sys.modules["MySQLdb"]


@pytest.fixture
def counters(mariadb_counters):
    return mariadb_counters


@pytest.fixture
def opened(mariadb_address, driver):
    """Open a connection."""
    address = {**mariadb_address, "ssl_mode": "DISABLED"}
    del address["ssl_disabled"]

    def connect(isolation=None, **options):
        if isolation:
            first = f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"
            options["init_command"] = first
        return driver.connect(**address, **options)

    return connect


@pytest.fixture
def outcomes(opened, counters, driver):
    """Return everything that can come of flows."""
    return partial(outcomes_in_mariadb, counters, opened, driver.Error)


def read_then_write(connect):
    with connect(NO_SNAPSHOT) as connection:
        put(connection, value(connection) + 1)
        connection.commit()


def let_the_database_count(connect):
    with connect(NO_SNAPSHOT) as connection:
        add(connection, "n")


def read_under_a_lock(connect):
    """Go through all rows: the lock is met after the server has said that there is a result."""
    with connect() as connection:
        counts = dict(asked(connection, "SELECT name, n FROM counters FOR UPDATE"))
        put(connection, counts["n"] + 1)
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
    assert is_conflict(result) is conflict
    assert is_lost_update(result) is conflict
    assert conflict or result.exhausted


@pytest.mark.parametrize(("limit", "is_lost"), few([(5, False), (9, True)], 1))
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
def test_sqlalchemy_takes_the_same_steps(mariadb_address, counters, counts):
    def made(_world):
        counters.reset()
        url = f"mysql+mysqldb://root@/shop?unix_socket={mariadb_address['unix_socket']}"
        return create_engine(url, isolation_level=NO_SNAPSHOT)

    def bump(engine):
        n = text("SELECT n FROM counters WHERE name = 'n'")
        with engine.begin() as connection:
            seen = "n" if counts else connection.scalar(n)
            connection.execute(text(f"UPDATE counters SET n = {seen} + 1 WHERE name = 'n'"))

    result = counting(made, bump, lambda _: counters.values()[0])
    assert is_lost_update(result) is not counts
    assert not counts or result.exhausted


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


def test_a_connection_gives_its_locks_back_where_it_ends(opened, counters, driver):
    def leave():
        connection = opened()
        put(connection, 5)
        connection.close()

    def at_once(connection):
        return value(connection, lock="FOR UPDATE NOWAIT")

    seen = set()

    def body(world):
        counters.reset()
        world.actor("a", leave)
        world.actor("b", said, driver.Error, at_once, opened, {})
        seen.add((world.run()["b"], *counters.values()))

    assert judged(body, ticks=0).exhausted
    assert seen == {(0, 0, 0), (LOCKED, 0, 0)}


@pytest.mark.parametrize("seconds", [50, 3])
def test_a_lock_that_nobody_gives_back_is_an_error_when_the_timeout_is_over(outcomes, seconds):
    def keep(connection):
        put(connection, 5)
        time.sleep(10)  # noqa: TID251 - virtual: for so long nobody gives the lock back
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


def begin(connection):
    connection.begin()


def begin_by_a_commit(connection):
    connection.begin()
    connection.query("UPDATE counters SET n = n + 0 WHERE name = 'n'")
    connection.query("COMMIT AND CHAIN")


def begin_by_a_setting(connection):
    connection.autocommit(False)


@pytest.mark.parametrize("start", few([begin, begin_by_a_commit, begin_by_a_setting], 2))
def test_a_transaction_that_the_code_begins_may_be_the_victim(outcomes, start):
    """Where each statement is a transaction otherwise: the driver does not say which is open."""

    def lock(*names):
        def flow(connection):
            start(connection)
            add(connection, *names)

        return flow

    found = outcomes(lock("n", "m"), lock("m", "n"), autocommit=True)
    assert found == {(None, None, 2, 2), (DEADLOCK, None, 1, 1), (None, DEADLOCK, 1, 1)}


def go_on(connection):
    connection.begin()
    put(connection, 1, "k")


def commit(connection):
    go_on(connection)
    connection.commit()
    put(connection, 1, "k")


def roll_back_nothing(connection):
    connection.begin()
    asked(connection, "ROLLBACK")
    put(connection, 1, "k")


def commit_by_a_setting(connection):
    connection.autocommit(False)
    put(connection, 1, "k")
    connection.autocommit(True)


@pytest.mark.parametrize(
    ("flow", "is_open"),
    [(go_on, True), (commit, False), (commit_by_a_setting, False), (roll_back_nothing, False)],
)
def test_a_third_transaction_counts_until_it_is_over(opened, counters, driver, flow, is_open):
    def body(world):
        counters.reset()
        with opened(autocommit=True) as third:
            flow(third)
            speak = partial(said, driver.Error)
            world.actor("a", speak, lambda one: add(one, "n", "m"), opened, {})
            world.actor("b", speak, lambda one: add(one, "m", "n"), opened, {})
            world.run()

    found = check(body, guarantees=(), ticks=0).reasons
    assert any("several transactions" in reason for reason in found) is is_open
    assert is_open or found == ()


def test_transactions_of_two_drivers_wait_for_each_other(opened, counters, mariadb_address):
    """The rules are one for all drivers, so each of them may be the victim."""

    def ours(*names):
        with opened() as connection:
            return said_by(connection, names)

    def others(*names):
        with pymysql.connect(**mariadb_address) as connection:
            return said_by(connection, names)

    def said_by(connection, names):
        try:
            add(connection, *names)
        except connection.Error as error:
            connection.rollback()
            return error.args[0]

    seen = set()

    def body(world):
        counters.reset()
        world.actor("a", ours, "n", "m")
        world.actor("b", others, "m", "n")
        results = world.run()
        seen.add((results["a"], results["b"]))

    assert judged(body, ticks=0).exhausted
    assert seen == {(None, None), (DEADLOCK, None), (None, DEADLOCK)}


def test_the_code_gets_the_results_that_its_client_would_give(outcomes, driver):
    cursors = import_module("MySQLdb.cursors")
    unread = driver.ProgrammingError

    def by_name(connection):
        with connection.cursor(cursors.DictCursor) as cursor:
            assert cursor.execute("SELECT n FROM counters WHERE name = 'm'") == 1
            assert cursor.nextset() is None
            assert cursor.execute("SELECT n FROM counters WHERE name = 'm'") == 1
            return cursor.fetchone()["n"]

    def by_hand(connection):
        connection.query("SELECT n FROM counters WHERE name = 'm'")
        with pytest.raises(unread, match="out of sync"):
            connection.commit()
        with pytest.raises(unread, match="out of sync"):
            connection.query("SELECT 1")
        ((n,),) = connection.store_result().fetch_row(0)
        connection.query(bytearray(b"SELECT n FROM counters"))
        assert connection.discard_result() is None
        connection.query("UPDATE counters SET n = 7 WHERE name = 'm'")
        assert connection.affected_rows() == 1
        assert connection.store_result() is None
        return n

    assert outcomes(by_name, by_hand, autocommit=True) == {(n, 0, 0, 7) for n in (0, 7)}


def reasons(opened, counters, driver, flow, executions=5, **options):
    """Return why nothing is proved of a flow beside one that counts slowly."""
    speak = partial(said, driver.Error)

    def body(world):
        counters.reset()
        world.actor("a", speak, lambda one: add(one, "n", "n"), opened, {})
        world.actor("b", speak, flow, opened, options)
        world.run()

    result = check(body, guarantees=(), executions=executions)
    assert (result.verdict is Verdict.UNKNOWN) is bool(result.reasons)
    return "\n".join(result.reasons)


def several(connection):
    asked(connection, "SELECT 1; SELECT 2")


def row_by_row(connection):
    connection.query("SELECT n FROM counters")
    assert connection.use_result().fetch_row()


def another_user(connection):
    connection.change_user("root", "", "shop")


def in_two_parts(connection):
    connection.send_query("SELECT n FROM counters")
    connection.read_query_result()
    connection.store_result()


def chain(connection):
    asked(connection, "SET completion_type = 1")


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        (several, "several statements"),
        (row_by_row, "SSCursor"),
        (another_user, "Connection.change_user of mysqlclient"),
        (in_two_parts, "Connection.send_query of mysqlclient"),
        (chain, "completion_type"),
    ],
)
def test_what_is_not_controlled_names_itself(opened, counters, driver, flow, why):
    assert why in reasons(opened, counters, driver, flow)


def test_what_is_controlled_is_not_named(opened, counters, driver):
    def harmless(connection):
        connection.ping()
        asked(connection, "SELECT n FROM counters")

    as_bytes = {"use_unicode": False, "conv": {}}
    assert not reasons(opened, counters, driver, harmless, executions=100, **as_bytes)


def test_a_procedure_that_goes_on_after_a_result_is_named(opened, counters, driver):
    def calling(name):
        return lambda connection: asked(connection, f"CALL {name}()")

    for name, answer in (("tells", "SELECT n FROM counters; "), ("acts", "")):
        counters.execute(
            f"CREATE OR REPLACE PROCEDURE {name}() BEGIN {answer}UPDATE counters SET n = 5; END"
        )
    assert "more than one result" in reasons(opened, counters, driver, calling("tells"))
    assert "more than one result" not in reasons(opened, counters, driver, calling("acts"))


def test_a_connection_of_the_c_api_itself_is_named(mariadb_address):
    low_level = import_module("MySQLdb._mysql")
    kept = []

    def flow():
        kept.append(low_level.connect(unix_socket=mariadb_address["unix_socket"], user="root"))

    def body(world):
        world.actor("a", flow)
        world.run()

    result = check(body, guarantees=())
    for connection in kept:
        connection.close()
    assert result.verdict is Verdict.UNKNOWN
    assert "a client in native code has connected" in result.reasons[0]


def test_a_connection_from_before_is_named(opened):
    with opened() as connection:

        def body(world):
            world.actor("a", value, connection)
            world.run()

        result = check(body, guarantees=())
    assert result.verdict is Verdict.UNKNOWN
    assert "opened before" in result.reasons[0]


def test_a_server_that_is_down_is_named(driver):
    def body(world):
        world.actor("a", lambda: driver.connect(host="127.0.0.1", port=1, user="root"))
        world.run()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.UNKNOWN
    assert "could not connect to MariaDB" in result.reasons[0]


def test_nothing_of_it_is_left_behind(opened, counters, driver):
    connection = driver.connections.Connection
    real = dict(vars(connection))
    counting(lambda _: counters.reset() or opened, let_the_database_count, lambda c: value(c()))
    assert dict(vars(connection)) == real
