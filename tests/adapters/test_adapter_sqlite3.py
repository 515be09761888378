"""SQLite: statements and commits are steps by table, and a lock is waited for at a step."""

import sqlite3
import threading
from contextlib import suppress

import pytest

from pytest_supercache import check
from tests.adapters.flows import counting, is_conflict, judged, outcomes_of


def opened(world, **options):
    """Open the counters of one execution; they begin with n = 0."""
    path = world.tmp_path / "counters.db"
    is_new = not path.exists()
    connection = sqlite3.connect(path, **options)
    if is_new:
        connection.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER)")
        connection.execute("CREATE TABLE log (line TEXT)")
        connection.execute("INSERT INTO counters VALUES ('n', 0), ('m', 0)")
        connection.commit()
    return connection


def value(connection, name="n"):
    return connection.execute("SELECT n FROM counters WHERE name = ?", (name,)).fetchone()[0]


def read_then_write(connect):
    with connect() as connection:
        n = value(connection)
        connection.execute("UPDATE counters SET n = ? WHERE name = 'n'", (n + 1,))


def let_the_database_count(connect):
    with connect() as connection:
        connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")


def read_under_the_lock(connect):
    with connect() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE counters SET n = ?", (value(connection) + 1,))


@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(read_then_write, True), (let_the_database_count, False), (read_under_the_lock, False)],
)
def test_two_users_lose_a_count_unless_they_read_under_the_lock(bump, conflict):
    def made(world):
        opened(world)
        return lambda: opened(world)

    result = counting(made, bump, lambda connect: value(connect()))
    assert is_conflict(result) is conflict
    assert conflict or result.exhausted


def outcomes(*flows, **options):
    """Return everything that can come of flows."""
    return outcomes_of(lambda search: tried(search, flows, options))


def tried(search, flows, options):
    seen = set()

    def body(world):
        opened(world)
        for name, flow in zip("ab", flows, strict=True):
            world.actor(name, said, flow, world, options)
        results = world.run()
        seen.add((*(results[name] for name in "ab"), value(opened(world))))

    result = judged(body, search=search, ticks=0)
    assert result.exhausted, result
    return seen


def said(flow, world, options):
    try:
        return flow(opened(world, **options))
    except sqlite3.OperationalError as error:
        return str(error)


def write_slowly(connection):
    connection.execute("UPDATE counters SET n = n + 1")
    connection.execute("INSERT INTO log VALUES ('counted')")
    connection.commit()


def test_who_meets_a_lock_waits_until_it_is_free():
    assert outcomes(write_slowly, write_slowly) == {(None, None, 2)}


def test_who_has_read_and_wants_to_write_is_told_at_once_that_it_is_locked():
    def upgrade(connection):
        connection.execute("BEGIN")
        n = value(connection)
        try:
            connection.execute("UPDATE counters SET n = ?", (n + 1,))
            connection.commit()
        except sqlite3.OperationalError as error:
            connection.rollback()
            return str(error)

    locked = "database is locked"
    assert outcomes(upgrade, upgrade) == {(None, None, 2), (locked, None, 1), (None, locked, 1)}


def test_a_lock_that_nobody_gives_back_is_an_error_when_the_timeout_is_over():
    def keep(connection):
        connection.execute("UPDATE counters SET n = 5")
        kept.append(connection)

    kept = []
    locked = "database is locked"
    assert outcomes(keep, write_slowly, timeout=2) == {(None, locked, 0), (None, None, 1)}


def test_who_does_not_wait_for_locks_is_told_at_once():
    def in_one_go(connection):
        connection.execute("UPDATE counters SET n = n + 10")
        connection.commit()

    def with_pragma(milliseconds):
        def flow(connection):
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            in_one_go(connection)

        return flow

    locked = "database is locked"
    both, second, first = (None, None, 11), (locked, None, 10), (None, locked, 1)
    assert outcomes(write_slowly, in_one_go, timeout=0) == {both, first, second}
    assert outcomes(write_slowly, with_pragma(0)) == {both, first}
    assert outcomes(write_slowly, with_pragma(-1)) == {both, first}
    assert outcomes(write_slowly, with_pragma(1), timeout=0) == {both, second}
    assert outcomes(write_slowly, in_one_go) == {both}


def test_a_connection_can_be_opened_while_another_keeps_everybody_out():
    def alone(connection):
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("UPDATE counters SET n = 1")
        connection.commit()

    assert outcomes(alone, value) == {(None, 0, 1), (None, 1, 1)}
    locked = (None, "database is locked", 1)
    assert outcomes(alone, value, timeout=0) == {(None, 0, 1), (None, 1, 1), locked}


def test_a_reader_that_does_not_wait_is_told_that_a_commit_keeps_it_out():
    def read(connection):
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM log").fetchall()
        connection.commit()

    def write(connection):
        connection.execute("INSERT INTO log VALUES ('x')")
        connection.commit()

    def body(world):
        ready = opened(world, timeout=0, check_same_thread=False)
        assert value(ready) == 0
        world.actor("reader", lambda: said(read, world, {}))
        world.actor("writer", lambda: said(write, world, {}))
        world.actor("other", lambda: look(ready))
        seen.add(world.run()["other"])

    def look(connection):
        try:
            return value(connection)
        except sqlite3.OperationalError as error:
            return str(error)

    seen = set()
    result = judged(body, search="exhaustive", ticks=0, executions=300)
    assert result.exhausted
    assert not any("treated as shared" in note for note in result.notes)
    assert seen == {0, "database is locked"}


def test_a_reader_inside_a_transaction_makes_a_commit_wait_and_a_new_reader_too():
    def look_twice(connection):
        connection.execute("BEGIN")
        seen = value(connection), value(connection)
        connection.commit()
        return seen

    def look(connection):
        return value(connection)

    assert outcomes(look_twice, write_slowly) == {((0, 0), None, 1), ((1, 1), None, 1)}
    assert outcomes(look, write_slowly) == {(0, None, 1), (1, None, 1)}


def test_tables_that_have_nothing_to_do_with_each_other_are_not_tried_in_every_order():
    def read(table):
        return lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchall()

    def write(connection):
        connection.execute("INSERT INTO log VALUES ('x')")

    def executions(table, before=None):
        def body(world):
            connection = opened(world, isolation_level=None)
            if before is not None:
                connection.execute(before)
            for name, flow in (("a", read(table)), ("b", write)):
                world.actor(name, flow, connect(world))
            world.run()

        def connect(world):
            return opened(world, isolation_level=None, check_same_thread=False)

        result = judged(body, search="exhaustive")
        return result.schedules, result.executions

    same, apart = executions("log"), executions("counters")
    assert apart[1] < same[1]
    trigger = "CREATE TRIGGER t AFTER INSERT ON log BEGIN UPDATE counters SET n = n + 1; END"
    assert executions("counters", before=trigger)[1] == same[1]
    view = "CREATE VIEW counters_and_log AS SELECT line FROM log"
    assert executions("counters_and_log", before=view)[1] == same[1]


def test_a_write_is_tried_in_every_order_with_what_its_foreign_keys_lead_to():
    def executions(*, refers):
        def body(world):
            connection = connect(world)
            connection.execute(
                "CREATE TABLE orders (name TEXT" + " REFERENCES counters" * refers + ")"
            )
            world.actor("a", remove, connect(world))
            world.actor("b", order, connect(world))
            world.run()

        def connect(world):
            connection = opened(world, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA foreign_keys = ON")
            return connection

        def remove(connection):
            with suppress(sqlite3.IntegrityError):
                connection.execute("DELETE FROM counters WHERE name = 'n'")

        def order(connection):
            with suppress(sqlite3.IntegrityError):
                connection.execute("INSERT INTO orders VALUES ('n')")

        return judged(body, search="exhaustive").executions

    assert executions(refers=False) < executions(refers=True)


@pytest.mark.parametrize("reads_first", [False, True])
def test_asking_for_foreign_keys_takes_no_lock(reads_first):
    """A transaction that has read nothing yet lets the other one commit, and writes after it.

    One that has read may not write after that: SQLite itself answers "database is locked".
    """

    def body(world):
        opened(world)

        def add():
            connection = opened(world, isolation_level=None)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN")
            if reads_first:
                value(connection)
            connection.execute("UPDATE counters SET n = n + 1 WHERE name = 'n'")
            connection.execute("COMMIT")

        world.actor("a", add)
        world.actor("b", add)
        world.run()
        assert value(opened(world)) == 2

    assert is_conflict(judged(body)) is reads_first


def test_rows_factories_cursors_and_threads_are_those_of_the_library():
    seen = []

    class Mine(sqlite3.Cursor):
        def first(self):
            return next(self)

    def body(world):
        connection = opened(world)
        cursor = connection.cursor(Mine)
        cursor.row_factory = sqlite3.Row
        cursor.execute("SELECT * FROM counters ORDER BY name")
        seen.append((cursor.first()["name"], [row["n"] for row in cursor], cursor.fetchone()))
        connection.executemany("INSERT INTO log VALUES (?)", ([word] for word in ("x", "y", "z")))
        cursor = connection.execute("SELECT line FROM log")
        seen.append((cursor.fetchmany(2), cursor.fetchall(), cursor.fetchall()))
        with pytest.raises(sqlite3.IntegrityError), connection:
            connection.execute("INSERT INTO counters VALUES ('n', 1)")
        seen.append(value(connection))

        def elsewhere():
            with pytest.raises(sqlite3.ProgrammingError, match="same thread"):
                value(connection)

        world.actor("a", elsewhere)
        world.run()

    check(body, search="all-schedules")
    assert seen[:3] == [("m", [0], None), ([("x",), ("y",)], [("z",)], []), 0]


def test_who_closes_a_connection_rolls_its_transaction_back():
    def leave(connection):
        connection.execute("UPDATE counters SET n = 9")
        connection.close()

    def commit_first(connection):
        connection.execute("UPDATE counters SET n = 9")
        connection.commit()
        connection.close()

    assert outcomes(leave, value) == {(None, 0, 0)}
    assert outcomes(commit_first, value) == {(None, 0, 9), (None, 9, 9)}


def test_a_script_that_meets_a_lock_is_unknown():
    def body(world):
        opened(world)
        world.actor("a", lambda: write_slowly(opened(world)))
        world.actor("b", lambda: opened(world).executescript("UPDATE counters SET n = 9"))
        world.run()

    result = check(body, guarantees=(), executions=5)
    assert result.verdict.value == "unknown"
    assert "executescript" in result.reasons[0]


def test_a_script_fails_as_it_does_without_control():
    def run(script):
        def flow(connection):
            with pytest.raises(sqlite3.Error) as caught:
                connection.executescript(script)
            return type(caught.value).__name__

        return flow

    wrong = run("UPDATE counters SET n = 9; UPDATE nowhere SET n = 9")
    not_unique = run("INSERT INTO counters VALUES ('n', 1)")
    found = outcomes(wrong, not_unique)
    assert found == {("OperationalError", "IntegrityError", 9)}


def test_a_script_that_does_not_wait_is_told_at_once():
    def script(connection):
        connection.executescript("UPDATE counters SET n = n + 10")

    locked = "database is locked"
    found = outcomes(write_slowly, script, timeout=0)
    assert found == {(None, locked, 1), (None, None, 11)}


def test_a_thread_that_comes_after_another_has_ended_is_another_one():
    seen = []

    def body(world):
        opened(world)

        def one_after_the_other():
            made = []
            for use in (lambda: made.append(opened(world, **options)), lambda: try_it(made[0])):
                thread = threading.Thread(target=use)
                thread.start()
                thread.join()

        world.actor("a", one_after_the_other)
        world.run()

    def try_it(connection):
        try:
            seen.append(value(connection))
        except sqlite3.ProgrammingError as error:
            seen.append("same thread" in str(error))

    options = {}
    check(body, guarantees=())
    options["check_same_thread"] = False
    check(body, guarantees=())
    assert set(seen[: len(seen) // 2]) == {True}
    assert set(seen[len(seen) // 2 :]) == {0}


def test_nothing_of_it_is_left_behind():
    real = sqlite3.connect
    test_who_meets_a_lock_waits_until_it_is_free()
    assert sqlite3.connect is real is sqlite3.dbapi2.connect
