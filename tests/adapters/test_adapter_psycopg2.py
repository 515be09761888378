"""psycopg2 on a real PostgreSQL: statements and commits are steps, row locks are waited for."""

import io
import socket
from contextlib import closing, suppress
from functools import partial

import psycopg2
import psycopg2.extras
import psycopg2.pool
import pytest
from psycopg2 import extensions, sql
from sqlalchemy import create_engine, text

from pytest_supercache.runtime.sql import psycopg2_doors
from tests.adapters.counters import is_a_deadlock, racing, unknown
from tests.adapters.counters import outcomes as everything
from tests.adapters.flows import counting, is_conflict, is_lost_update, judged
from tests.selection import few

pytestmark = pytest.mark.postgresql


@pytest.fixture
def opened(address):
    """Open a connection."""
    return lambda **options: psycopg2.connect(address, **options)


def execute(connection, statement, *parameters, **options):
    with connection.cursor(**options) as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def value(connection, name="n", lock=""):
    return execute(connection, f"SELECT n FROM counters WHERE name = %s {lock}", name)[0][0]


def read_then_write(connect):
    with closing(connect()) as connection, connection:
        execute(connection, "UPDATE counters SET n = %s WHERE name = 'n'", value(connection) + 1)


def let_the_database_count(connect):
    with closing(connect()) as connection, connection:
        execute(connection, "UPDATE counters SET n = n + 1 WHERE name = 'n'")


def read_under_a_lock(connect):
    with closing(connect()) as connection, connection:
        n = value(connection, lock="FOR UPDATE")
        execute(connection, "UPDATE counters SET n = %s WHERE name = 'n'", n + 1)


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


@pytest.mark.long
def test_sqlalchemy_takes_the_same_steps(address, counters):
    words = dict(word.split("=") for word in address.split())
    url = f"postgresql+psycopg2://{words['user']}@/{words['dbname']}?host={words['host']}"

    def made(_world):
        counters.reset()
        return create_engine(url)

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


def _said(flow, opened, options, *, autocommit=False):
    options = dict(options)
    with closing(opened()) as connection:
        connection.set_session(**options)
        try:
            answer = flow(connection)
            connection.commit()
        except psycopg2.Error as error:
            connection.rollback()
            return error.pgcode
        return answer


def counts(name="n", change="n + 1"):
    return lambda connection: execute(
        connection, f"UPDATE counters SET n = {change} WHERE name = %s", name
    )


def test_who_meets_a_row_lock_waits_and_finds_what_was_committed(outcomes):
    def twice(connection):
        counts()(connection)
        counts(change="n * 2")(connection)

    assert outcomes(twice, twice) == {(None, None, 6, 0)}


@pytest.mark.long
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_that_was_overtaken_cannot_be_written_to(outcomes, level):
    def bump(connection):
        execute(connection, "UPDATE counters SET n = %s WHERE name = 'n'", value(connection) + 1)

    one_fails = {("40001", None, 1, 0), (None, "40001", 1, 0)}
    assert outcomes(bump, bump, isolation_level=level) == {(None, None, 2, 0)} | one_fails


def test_who_waits_for_a_lock_keeps_the_snapshot_of_the_statement_that_waits(outcomes):
    one_fails = {("40001", 1, 1, 0), (1, "40001", 1, 0)}
    found = outcomes(counts(), counts(), isolation_level="REPEATABLE READ")
    assert found == {(1, 1, 2, 0)} | one_fails


def test_each_statement_of_an_autocommit_connection_is_a_step_unless_a_block_holds_them(outcomes):
    def both(connection):
        counts("n")(connection)
        counts("m")(connection)

    def in_a_block(connection):
        with connection:
            both(connection)

    def look(connection):
        return tuple(execute(connection, "SELECT n FROM counters ORDER BY name DESC"))

    seen = {answer for _, answer, *_ in outcomes(both, look, autocommit=True)}
    assert seen == {((0,), (0,)), ((1,), (0,)), ((1,), (1,))}
    seen = {answer for _, answer, *_ in outcomes(in_a_block, look, autocommit=True)}
    assert seen == {((0,), (0,)), ((1,), (1,))}


def test_a_block_of_an_autocommit_connection_stays_one_when_its_first_statement_waits(outcomes):
    def both(connection):
        with connection:
            counts("n")(connection)
            counts("m")(connection)

    def fails(connection):
        with suppress(LookupError), connection:
            counts("n")(connection)
            raise LookupError

    assert outcomes(both, fails, autocommit=True) == {(None, None, 1, 1)}


MANY = {
    "executemany": lambda cursor, query, rows: cursor.executemany(query, rows),
    "execute_batch": psycopg2.extras.execute_batch,
}


@pytest.mark.parametrize("way", MANY)
def test_many_sets_of_parameters_are_steps(outcomes, way):
    def bump(connection):
        with connection.cursor() as cursor:
            MANY[way](
                cursor, "UPDATE counters SET n = n + %s WHERE name = %s", [(1, "n"), (1, "m")]
            )

    def look(connection):
        return tuple(execute(connection, "SELECT n FROM counters ORDER BY name DESC"))

    apart = {(None, ((1,), (0,)), 1, 1)} if way == "executemany" else set()
    found = outcomes(bump, look, autocommit=True)
    assert found == {(None, ((n,), (n,)), 1, 1) for n in (0, 1)} | apart
    assert outcomes(bump, bump) == {(None, None, 2, 2)}


def test_executemany_counts_the_rows_of_all_its_statements(opened, counters):
    def body(world):
        counters.reset()
        with closing(opened()) as connection, connection.cursor() as cursor:
            query = "UPDATE counters SET n = n + 1 WHERE name = %s"
            cursor.executemany(query, [("n",), ("m",), ("o",)])
            assert cursor.rowcount == 2
            cursor.execute("SELECT 1 FROM counters WHERE name = 'n'")
            assert cursor.rowcount == 1
        world.actor("a", lambda: None)
        world.run()

    judged(body)


def test_values_and_functions_of_the_database_are_steps(outcomes):
    def bump(connection):
        with connection.cursor() as cursor:
            psycopg2.extras.execute_values(
                cursor,
                "UPDATE counters SET n = n + plus FROM (VALUES %s) AS more (name, plus) "
                "WHERE counters.name = more.name",
                [("n", 1), ("m", 2)],
            )

    assert outcomes(bump, bump) == {(None, None, 2, 4)}


def test_classes_of_cursors_and_connections_that_the_code_names_are_kept(opened, counters):
    class Mine(extensions.connection):
        def greeting(self):
            return "hello"

    def body(world):
        counters.reset()
        world.actor("a", flow)
        world.actor("b", flow)
        world.run()
        assert value(opened()) == 2

    def flow():
        factory = psycopg2.extras.RealDictCursor
        with closing(opened(connection_factory=Mine, cursor_factory=factory)) as connection:
            assert connection.greeting() == "hello"
            query = sql.SQL("SELECT n FROM {} WHERE name = 'n'").format(sql.Identifier("counters"))
            (row,) = execute(connection, query)
            execute(connection, b"UPDATE counters SET n = %s WHERE name = 'n'", row["n"] + 1)
            connection.commit()

    assert is_conflict(judged(body))


@pytest.mark.long
def test_a_cursor_of_the_server_shows_its_snapshot_and_rows_that_it_locks_are_unknown(
    outcomes, opened, counters
):
    def fetched(connection):
        with connection.cursor("mine") as cursor:
            cursor.execute("SELECT n FROM counters ORDER BY name DESC")
            first = cursor.fetchone()
            return first + tuple(n for (n,) in cursor)

    def bump(connection):
        execute(connection, "UPDATE counters SET n = n + 1")

    assert {seen for seen, *_ in outcomes(fetched, bump)} == {(0, 0), (1, 1)}

    def locking(connection):
        with connection.cursor("mine") as cursor:
            cursor.execute("SELECT n FROM counters FOR UPDATE")
            cursor.fetchall()

    assert "a cursor of the server met a lock" in unknown(
        counters, partial(_said, bump, opened, {}), partial(_said, locking, opened, {})
    )


def test_a_deferred_constraint_meets_locks_before_the_commit(outcomes, parts):
    def add(connection):
        execute(connection, "INSERT INTO parts VALUES ('o')")

    def remove(connection):
        execute(connection, "DELETE FROM counters WHERE name = 'o'")

    found = {(a, b) for a, b, *_ in outcomes(add, remove)}
    assert found == {(None, "23503"), ("23503", None)}


def test_a_transaction_that_failed_holds_no_lock_even_before_it_is_rolled_back(opened, counters):
    def flow():
        with closing(opened()) as failed, closing(opened()) as other:
            counts()(failed)
            with pytest.raises(psycopg2.errors.UniqueViolation):
                execute(failed, "INSERT INTO counters VALUES ('m', 0)")
            with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
                value(failed)
            counts()(other)

    assert judged(racing(counters, (flow,))).exhausted


@pytest.mark.long
def test_nowait_is_told_at_once_and_another_row_is_nobodys_business(outcomes):
    def slowly(connection):
        counts()(connection)
        counts()(connection)

    def at_once(connection):
        return value(connection, lock="FOR UPDATE NOWAIT")

    found = outcomes(slowly, at_once)
    assert found == {(None, "55P03", 2, 0), (None, 0, 2, 0), (None, 2, 2, 0)}
    assert outcomes(slowly, counts("m")) == {(None, 1, 2, 1)}


def test_two_who_lock_the_same_rows_in_another_order_meet_a_deadlock(opened, counters):
    def lock(*names):
        def flow():
            with closing(opened()) as connection:
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
    assert is_a_deadlock(deadlock)
    assert is_conflict(deadlock)


def test_users_of_a_pool_lose_a_count_unless_the_database_counts(address, counters):
    def made(_world):
        counters.reset()
        return psycopg2.pool.ThreadedConnectionPool(2, 2, address)

    def using(flow):
        def used(pool):
            connection = pool.getconn()
            with connection:
                flow(connection)
            pool.putconn(connection)

        return used

    def bump(connection):
        execute(connection, "UPDATE counters SET n = %s WHERE name = 'n'", value(connection) + 1)

    def total(pool):
        return value(pool.getconn())

    assert is_conflict(counting(made, using(bump), total))
    assert counting(made, using(counts()), total).exhausted


def test_the_scope_names_the_isolation_level_of_transactions(opened, counters):
    def level(**options):
        flow = partial(_said, value, opened, options)
        return judged(racing(counters, (flow,))).scope["isolation"].removeprefix("PostgreSQL at ")

    assert level() == "READ COMMITTED"
    assert level(isolation_level="SERIALIZABLE") == "SERIALIZABLE"


UNCONTROLLED = {
    "copy_to": lambda connection: connection.cursor().copy_to(io.StringIO(), "counters"),
    "copy_from": lambda connection: connection.cursor().copy_from(io.StringIO(), "counters"),
    "copy_expert": lambda connection: connection.cursor().copy_expert(
        "COPY counters TO STDOUT", io.StringIO()
    ),
    "lobject": lambda connection: connection.lobject(),
    "poll": lambda connection: connection.poll(),
    "tpc_begin": lambda connection: connection.tpc_begin("mine"),
    "cancel": lambda connection: connection.cancel(),
}


@pytest.mark.parametrize("name", UNCONTROLLED)
def test_what_is_not_controlled_is_named(opened, counters, name):
    def flow():
        with closing(opened()) as connection:
            UNCONTROLLED[name](connection)

    said = unknown(counters, flow)
    assert "the code under test called psycopg2's " in said
    assert f".{name}, which this version does not control" in said


def test_an_asynchronous_connection_is_named(opened, counters):
    def flow():
        connection = opened(async_=1)
        psycopg2.extras.wait_select(connection)
        connection.cursor().execute("UPDATE counters SET n = n + 1")
        psycopg2.extras.wait_select(connection)
        connection.close()

    assert "psycopg2's connect(async_=1), which this version" in unknown(counters, flow)


def test_a_time_out_for_locks_is_named_and_another_one_is_not(opened, counters):
    def setting(name, **options):
        with closing(opened(**options)) as connection:
            if name:
                execute(connection, f"SET {name} = '1s'")
            execute(connection, "UPDATE counters SET n = n + 1")
            connection.commit()

    for flow in (
        partial(setting, "lock_timeout"), partial(setting, "", options="-c lock_timeout=9")
    ):  # fmt: skip
        assert "sets lock_timeout, which is not under control" in unknown(counters, flow)

    def body(world):
        world.actor("a", setting, "statement_timeout", options="-c statement_timeout=9000")
        world.run()

    judged(body)


def test_what_a_function_of_the_code_makes_is_named(opened, counters):
    def connecting():
        opened(connection_factory=lambda dsn, **options: extensions.connection(dsn, **options))

    def asking():
        with closing(opened()) as connection:
            execute(connection, "SELECT 1", cursor_factory=lambda *args: extensions.cursor(*args))

    assert "psycopg2 was given a connection_factory=" in unknown(counters, connecting)
    assert "psycopg2 was given a cursor_factory=" in unknown(counters, asking)


class Lazy:
    """Asks for its settings whoever asks for its class, as Django's do."""

    @property
    def __class__(self):
        raise RuntimeError("settings are not configured")


def test_objects_that_are_no_connections_are_not_asked_for_their_class():
    kept = Lazy()

    def body(world):
        world.actor("a", lambda: None)
        world.run()

    judged(body)
    assert type(kept) is Lazy


def test_all_objects_are_examined_only_when_there_is_a_new_socket(opened, monkeypatch):
    looks = []
    real = psycopg2_doors.all_objects
    monkeypatch.setattr(psycopg2_doors, "all_objects", lambda: looks.append(1) or real())

    def is_noticed():
        psycopg2_doors.open()
        try:
            return extensions.get_wait_callback() is not None
        finally:
            psycopg2_doors.close()

    assert not is_noticed()
    first = len(looks)
    assert not is_noticed()
    assert len(looks) == first
    connection = opened()
    assert is_noticed()
    assert is_noticed()
    connection.close()
    other, _end = socket.socketpair()
    with other, _end:
        assert not is_noticed()
    seen = len(looks)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
        server.accept()[0] as far,
    ):
        assert near.getpeername() == far.getsockname()
        assert not is_noticed()
    assert len(looks) == seen  # both ends are in this process
    monkeypatch.setattr(psycopg2_doors, "open_descriptors", set)
    seen = len(looks)
    assert not is_noticed()
    assert len(looks) == seen + 1


@pytest.mark.parametrize("cursor", [{}, {"cursor_factory": psycopg2.extras.RealDictCursor}])
def test_a_connection_from_before_is_named_and_the_test_itself_may_use_it(opened, counters, cursor):
    connection = opened()

    def body(world):
        assert len(execute(connection, "SELECT n FROM counters")) == 2
        world.actor("a", lambda: None)
        world.run()

    try:
        judged(body)
        said = unknown(counters, partial(execute, connection, "SELECT 1", **cursor))
    finally:
        connection.close()
    assert "opened before" in said
    assert extensions.get_wait_callback() is None
