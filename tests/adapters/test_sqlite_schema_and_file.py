"""SQLite: what code asks about a database and its file is read like its tables, and races too."""

import sqlite3
import threading
from contextlib import closing, nullcontext

import pytest
import sqlalchemy

from tests.adapters.flows import is_conflict, judged
from tests.selection import few


def _connected(world):
    return sqlite3.connect(world.tmp_path / "shop.db", isolation_level=None)


def _has(query):
    """Return what looks for a table by a query that finds nothing without it."""

    def has_table(world):
        with closing(_connected(world)) as connection:
            return connection.execute(query).fetchone() is not None

    return has_table


def _has_by_sqlalchemy(world):
    engine = sqlalchemy.create_engine(f"sqlite:///{world.tmp_path / 'shop.db'}")
    try:
        return sqlalchemy.inspect(engine).has_table("prices")
    finally:
        engine.dispose()


LOOKS = {
    "table_info": _has("PRAGMA table_info(prices)"),
    "of a schema": _has("pragma \"main\" . table_xinfo('prices')"),
    "has_table": _has_by_sqlalchemy,
    "after a comment": _has("/* PRAGMA foreign_keys */ PRAGMA -- as above\n table_info(prices)"),
    "table_list": _has("PRAGMA main.table_list(prices)"),
    "a table of pragmas": _has("SELECT * FROM pragma_table_info('prices')"),
    "a table of pragmas in capitals": _has("SELECT * FROM PRAGMA_TABLE_INFO('prices')"),
    "sqlite_master": _has("SELECT 1 FROM sqlite_master WHERE name = 'prices'"),
}


@pytest.mark.parametrize("is_guarded", [False, True])
@pytest.mark.parametrize("way", few(list(LOOKS), 4))
def test_two_users_make_one_table_unless_one_looks_after_the_other(way, is_guarded):
    def body(world):
        _connected(world).close()
        guard = threading.Lock() if is_guarded else nullcontext()

        def begin():
            with guard:
                if not LOOKS[way](world):
                    with closing(_connected(world)) as connection:
                        connection.execute("CREATE TABLE prices (name, price)")

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    assert is_conflict(judged(body)) is not is_guarded


def _version(connection):
    return connection.execute("PRAGMA data_version").fetchone()[0]


@pytest.mark.parametrize("asks_first", [False, True])
def test_a_near_cache_that_asks_for_the_version_after_the_rows_is_stale_for_good(asks_first):
    def body(world):
        near = sqlite3.connect(world.tmp_path / "shop.db", check_same_thread=False)
        near.executescript("CREATE TABLE prices (price); INSERT INTO prices VALUES (1)")
        rows, version = [], [0]

        def load():
            asked = _version(near)
            rows[:] = near.execute("SELECT price FROM prices").fetchall()
            version[0] = asked if asks_first else _version(near)

        def price():
            if _version(near) != version[0]:
                load()
            return rows[0][0]

        def raise_it():
            with closing(_connected(world)) as connection:
                connection.execute("UPDATE prices SET price = 2")

        world.actor("reader", price)
        world.actor("writer", raise_it)
        world.run()
        assert price() == 2

    assert is_conflict(judged(body)) is not asks_first


@pytest.mark.parametrize(
    ("question", "is_read"),
    [
        ("PRAGMA foreign_keys", False),
        ('PRAGMA "foreign_keys"', False),
        ("SELECT * FROM pragma_compile_options", False),
        ("PRAGMA main.cache_size = 100", False),
        ("PRAGMA temp.table_info(prices)", False),
        ("PRAGMA page_count", True),
    ],
)
def test_what_belongs_to_one_connection_is_no_step(question, is_read):
    def body(world):
        with closing(_connected(world)) as connection:
            connection.execute("CREATE TABLE prices (price)")

        def ask():
            with closing(_connected(world)) as connection:
                for _ in range(2):
                    connection.execute(question).fetchall()

        def write():
            with closing(_connected(world)) as connection:
                connection.execute("INSERT INTO prices VALUES (1)")

        world.actor("one", ask)
        world.actor("two", write)
        world.run()

    orders = 3 if is_read else 2  # a user who takes no steps comes before or after the other one
    assert judged(body, search="exhaustive").interleavings == orders


def _copied(connection):
    return connection.serialize()


def _restored(connection):
    with closing(sqlite3.connect(":memory:")) as other:
        connection.backup(other)
        return other.serialize()


@pytest.mark.parametrize("copied", [_copied, _restored])
def test_a_copy_of_the_database_is_one_of_before_or_after_a_write(copied):
    def body(world):
        with closing(_connected(world)) as connection:
            connection.executescript("CREATE TABLE a (n); INSERT INTO a VALUES (1)")

        def copy():
            with closing(_connected(world)) as connection:
                copied(connection)
                return connection.execute("SELECT n FROM a").fetchone()[0], copied(connection)

        def write():
            with closing(_connected(world)) as connection:
                connection.execute("UPDATE a SET n = 2")

        world.actor("one", copy)
        world.actor("two", write)
        n, content = world.run()["one"]
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(content)
            assert connection.execute("SELECT n FROM a").fetchone()[0] == n

    assert is_conflict(judged(body))


@pytest.mark.parametrize(
    "use", [_copied, lambda connection: connection.execute("PRAGMA cache_size = 9").fetchall()]
)
def test_who_meets_a_lock_with_no_statement_of_a_table_waits_too(use):
    def body(world):
        with closing(_connected(world)) as connection:
            connection.execute("CREATE TABLE prices (price)")

        def ask():
            with closing(_connected(world)) as connection:
                use(connection)

        def keep_out():
            with closing(_connected(world)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("INSERT INTO prices VALUES (1)")
                connection.execute("COMMIT")

        world.actor("one", ask)
        world.actor("two", keep_out)
        world.run()

    assert judged(body).exhausted


@pytest.mark.parametrize("is_uri", [False, True])
@pytest.mark.parametrize("is_guarded", [False, True])
def test_two_users_make_one_database_unless_one_looks_after_the_other(is_guarded, is_uri):
    def body(world):
        path = world.tmp_path / "shop.db"
        guard = threading.Lock() if is_guarded else nullcontext()
        name = f"file:{path}?mode=rwc" if is_uri else path

        def begin():
            with guard:
                if not path.exists():
                    with closing(sqlite3.connect(name, uri=is_uri)) as connection:
                        connection.execute("CREATE TABLE prices (price)")

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    assert is_conflict(judged(body)) is not is_guarded


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        (":memory:", False), ("", False), ("file::memory:", False), ("file:x?mode=memory", False),
        ("file:/x?vfs=memdb", False), ("file:{}/shop.db?mode=rwc", True),
        ("file://localhost{}/shop.db", True),
    ],
)  # fmt: skip
def test_databases_in_memory_are_no_file(name, is_file):
    """The twin: two users who open one file, one of whom makes it."""

    def body(world):
        database = name.format(world.tmp_path)

        def begin():
            sqlite3.connect(database, uri=True).close()

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    shared = str(judged(body).scope.get("shared memory"))
    assert shared == ("file shop.db" if is_file else "None")


@pytest.mark.parametrize(
    ("name", "error"),
    [("file://[x/y", sqlite3.OperationalError), ("a\0b", ValueError), (7, TypeError)],
)
def test_what_sqlite_refuses_is_its_error(name, error):
    def body(world):
        def begin():
            with pytest.raises(error):
                sqlite3.connect(name, uri=True)

        world.actor("one", begin)
        world.actor("two", begin)
        world.run()

    assert judged(body).exhausted


def test_a_database_without_a_name_is_the_error_of_the_library():
    def body(world):
        with pytest.raises(TypeError):
            sqlite3.connect()
        world.actor("one", world.tmp_path.exists)
        world.run()

    assert judged(body).exhausted
