"""Anomalies of databases have their names, and what only looks like one has not."""

import sqlite3
from contextlib import closing
from functools import cache

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.plugin.item_runner import is_as_stated
from pytest_supercache.scenario.scenario import Stated

SCHEMA = """
CREATE TABLE product (id INTEGER PRIMARY KEY, stock INTEGER, price INTEGER);
INSERT INTO product VALUES (1, 5, 100), (2, 5, 100);
CREATE TABLE doctor (id INTEGER PRIMARY KEY, ward TEXT, on_call INTEGER);
INSERT INTO doctor VALUES (1, 'a', 1), (2, 'a', 1);
CREATE TABLE seat (number INTEGER, name TEXT);
"""
DONE = (
    "SELECT (SELECT SUM(stock) FROM product), (SELECT SUM(on_call) FROM doctor), COUNT(*) FROM seat"
)


@cache
def _template():
    """Return the file of a database with its tables."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        return database.serialize()


def class_of(tmp_path, one, other, is_right, **options):
    """Return the class of what two users do with a database, each on a connection of its own."""
    template = _template()

    def body(world):
        path = tmp_path / "shop.db"
        path.write_bytes(template)

        def as_user(deed):
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                return deed(connection)
            finally:
                connection.close()

        world.actor("alice", as_user, one)
        world.actor("bob", as_user, other)
        alice, bob = world.run().values()
        connection = sqlite3.connect(path)
        left = connection.execute(DONE).fetchone()
        connection.close()
        assert is_right(left, alice, bob)

    found = check(body, **options)
    assert found.verdict is Verdict.VIOLATED, found.reasons
    slug = found.counterexample.conflict_class
    stated = Stated(verdict=Verdict.VIOLATED, conflict_class=slug)
    assert is_as_stated(replayed(body, found.counterexample.token), stated)
    return slug


def replayed(body, token):
    """Execute one interleaving alone."""
    server = start_server("fakeredis")
    _, schedule = read_token(token)
    return check_on(server, body, Exploration(), guarantees=(), replay=schedule)


def stock_of(connection, product):
    [(stock,)] = connection.execute("SELECT stock FROM product WHERE id = ?", (product,)).fetchall()
    return stock


def sell(connection, product=1):
    stock = stock_of(connection, product)
    connection.execute("UPDATE product SET stock = ? WHERE id = ?", (stock - 1, product))


def sell_one_of(connection, product):
    sold = f"WHERE id IN ({product})"
    [(stock,)] = connection.execute(f"SELECT stock FROM product {sold}").fetchall()
    connection.execute(f"UPDATE product SET stock = ? {sold}", (stock - 1,))


def count_down(connection):
    stock_of(connection, 1)
    connection.execute("UPDATE product SET stock = stock - 1 WHERE id = 1")


def sells_and_counts(left, *_):
    return left[0] == 8


def test_a_row_that_two_have_read_and_written_is_a_lost_update(tmp_path):
    assert class_of(tmp_path, sell, sell, sells_and_counts) == "lost-update"


def test_in_transactions_of_their_own_too(tmp_path):
    """What is read in one transaction and written in another is lost at every isolation level."""

    def in_two(connection):
        connection.execute("BEGIN")
        stock = stock_of(connection, 1)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE product SET stock = ? WHERE id = 1", (stock - 1,))
        connection.execute("COMMIT")

    assert class_of(tmp_path, in_two, in_two, sells_and_counts) == "lost-update"


@pytest.mark.parametrize(
    "two",
    [
        (lambda c: sell(c, 1), lambda c: sell(c, 2)),
        (lambda c: sell_one_of(c, 1), lambda c: sell_one_of(c, 2)),
        (count_down, count_down),
        (sell, lambda c: c.execute("UPDATE product SET price = 90 WHERE id = 1")),
    ],
    ids=[
        "rows of different products",
        "rows that are left open",
        "the statement computes",
        "another column",
    ],
)
def test_what_writes_other_rows_or_columns_or_computes_is_none(tmp_path, two):
    """What is asserted holds in some orders only, but not because of what happens to a row."""

    def counting(deed):
        def counts(connection):
            deed(connection)
            return connection.execute("SELECT SUM(stock), SUM(price) FROM product").fetchone()

        return counts

    one, other = map(counting, two)
    first = class_of(tmp_path, one, other, lambda _, alice, __: alice == (9, 200))
    assert first == "unclassified"


def test_a_write_on_condition_of_what_the_other_one_has_changed_loses_nothing(tmp_path):
    """It finds no row, and the sale is lost; but no change is undone."""

    def sell_if_unchanged(connection):
        stock = stock_of(connection, 1)
        connection.execute(
            "UPDATE product SET stock = ? WHERE id = 1 AND stock = ?", (stock - 1, stock)
        )

    found = class_of(tmp_path, sell_if_unchanged, sell_if_unchanged, sells_and_counts)
    assert found == "unclassified"


def leave(connection, doctor):
    query = "SELECT COUNT(*) FROM doctor WHERE ward = ? AND on_call = 1"
    [(count,)] = connection.execute(query, ("a",)).fetchall()
    if count > 1:
        connection.execute("UPDATE doctor SET on_call = 0 WHERE id = ?", (doctor,))


def test_each_changes_another_row_of_those_that_both_have_read(tmp_path):
    found = class_of(
        tmp_path, lambda c: leave(c, 1), lambda c: leave(c, 2), lambda left, *_: left[1] >= 1
    )
    assert found == "write-skew"


def book(connection, number=7):
    query = "SELECT COUNT(*) FROM seat WHERE number = ?"
    [(count,)] = connection.execute(query, (number,)).fetchall()
    if not count:
        connection.execute("INSERT INTO seat (number, name) VALUES (?, ?)", (number, "me"))


def test_two_look_for_a_row_in_vain_and_add_it(tmp_path):
    assert class_of(tmp_path, book, book, lambda left, *_: left[2] == 1) == "phantom"


def test_two_who_add_other_rows_than_they_looked_for_are_none(tmp_path):
    found = class_of(
        tmp_path, lambda c: book(c, 7), lambda c: book(c, 8), lambda left, *_: left[2] < 2
    )
    assert found == "unclassified"


def report(connection):
    [(first,)] = connection.execute("SELECT price FROM product WHERE id = 1").fetchall()
    [(again,)] = connection.execute("SELECT price FROM product WHERE id = 1").fetchall()
    return first == again


@pytest.mark.parametrize(("column", "slug"), [("price", "non-repeatable-read"), ("stock", None)])
def test_a_row_is_changed_between_two_reads_of_it(tmp_path, column, slug):
    def change(connection):
        connection.execute(f"UPDATE product SET {column} = 90 WHERE id = 1")

    if slug is not None:
        assert class_of(tmp_path, report, change, lambda _, alice, __: alice) == slug
        return
    with pytest.raises(AssertionError):  # it holds
        class_of(tmp_path, report, change, lambda _, alice, __: alice)


def test_a_statement_with_several_sets_of_parameters_may_change_any_row(tmp_path):
    def change(connection):
        connection.executemany("UPDATE product SET price = ? WHERE id = ?", [(90, 2), (90, 1)])

    found = class_of(tmp_path, report, change, lambda _, alice, __: alice)
    assert found == "non-repeatable-read"


def test_a_row_is_added_between_two_looks(tmp_path):
    def looks(connection):
        counts = [connection.execute("SELECT COUNT(*) FROM seat").fetchone() for _ in range(2)]
        return counts[0] == counts[1]

    found = class_of(tmp_path, looks, book, lambda _, alice, __: alice)
    assert found == "phantom"


# -- what only looks like an anomaly ---------------------------------------------------------------


def claim(connection, guard, *, heeds):
    """Sell the last piece on condition of what was read; the condition may be heeded, or not."""
    [(stock,)] = connection.execute("SELECT stock FROM product WHERE id = 1").fetchall()
    done = connection.execute(f"UPDATE product SET stock = 0 WHERE id = 1 AND {guard}").rowcount
    return stock == 5 and (bool(done) or not heeds)


@pytest.mark.parametrize("guard", ["stock > 3", "stock IS NOT 0"])
def test_an_update_that_finds_no_row_has_overwritten_nothing(tmp_path, guard):
    """The update is refused, as it should be, and the code says "sold" nevertheless."""

    def ignores(connection):
        return claim(connection, guard, heeds=False)

    found = class_of(tmp_path, ignores, ignores, lambda _, alice, bob: alice != bob)
    assert found == "unclassified"


def test_one_that_finds_the_row_has_overwritten_it(tmp_path):
    def ignores(connection):
        return claim(connection, "stock >= 0", heeds=True)

    found = class_of(tmp_path, ignores, ignores, lambda _, alice, bob: alice != bob)
    assert found == "lost-update"


def put(connection, new):
    stock = stock_of(connection, 1)
    connection.execute(
        "INSERT INTO product (id, stock) VALUES (?, ?) "
        f"ON CONFLICT (id) DO UPDATE SET stock = {new}",
        (1, stock - 1),
    )


def test_an_upsert_of_what_the_application_has_counted_is_a_lost_update(tmp_path):
    """The row is there, so nobody adds one: it is no phantom."""

    def count(connection):
        put(connection, "excluded.stock")

    assert class_of(tmp_path, count, count, sells_and_counts) == "lost-update"


def test_an_upsert_that_the_statement_counts_is_none(tmp_path):
    def count(connection):
        put(connection, "stock - 1")
        return connection.execute("SELECT stock FROM product WHERE id = 2").fetchone()

    def look(connection):
        return stock_of(connection, 1)

    assert class_of(tmp_path, count, look, lambda *them: them[2] == 5) == "unclassified"


NOTED = "SELECT on_call FROM doctor WHERE id = 1"


def noting(connection, deed):
    """Do something, between a look at a row and a store of what it was plus one."""
    [(times,)] = connection.execute(NOTED).fetchall()
    answer = deed(connection)
    connection.execute("UPDATE doctor SET on_call = ? WHERE id = 1", (times + 1,))
    return answer


def change_price(connection):
    connection.execute("UPDATE product SET price = 90 WHERE id = 1")


def test_the_class_is_of_the_rows_that_the_failure_is_about(tmp_path):
    """A count of visits is written back, too, which changes nothing about the report."""
    found = class_of(
        tmp_path, lambda c: noting(c, report), lambda c: noting(c, change_price),
        lambda _, alice, __: alice,
    )  # fmt: skip
    assert found == "non-repeatable-read"


def test_and_none_where_the_failure_is_about_no_row_that_has_one(tmp_path):
    """Two rows are read while something is moved: that has no name, whatever is counted besides."""

    def looks(connection):
        return stock_of(connection, 1) + stock_of(connection, 2)

    def moves(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE product SET stock = stock - 1 WHERE id = 1")
        connection.execute("UPDATE product SET stock = stock + 1 WHERE id = 2")
        connection.execute("COMMIT")

    found = class_of(
        tmp_path, lambda c: noting(c, looks), lambda c: noting(c, moves),
        lambda _, alice, __: alice == 10,
    )  # fmt: skip
    assert found == "unclassified"


def test_what_is_minded_beside_it_is_named(tmp_path):
    """The twin: what is asserted is the count of visits itself."""
    found = class_of(
        tmp_path, lambda c: noting(c, report), lambda c: noting(c, change_price),
        lambda left, *_: left[1] == 4,
    )  # fmt: skip
    assert found == "lost-update"


@pytest.mark.parametrize("one", ["= ?", "IN (?)"])
def test_a_row_is_named_by_the_only_value_of_its_key(tmp_path, one):
    def sell_it(connection):
        [(stock,)] = connection.execute(
            f"SELECT stock FROM product WHERE id {one}", (1,)
        ).fetchall()
        connection.execute(f"UPDATE product SET stock = ? WHERE id {one}", (stock - 1, 1))

    assert class_of(tmp_path, sell_it, sell_it, sells_and_counts) == "lost-update"


@pytest.mark.parametrize("one", ["= ?", "IN (?)"])
def test_rows_of_two_keys_are_not_read_twice(tmp_path, one):
    """Each counts down its own product, and then looks at both."""

    def of(number):
        def counts(connection):
            connection.execute(f"SELECT stock FROM product WHERE id {one}", (number,)).fetchall()
            connection.execute(f"UPDATE product SET stock = 4 WHERE id {one}", (number,))
            return connection.execute("SELECT MAX(stock) FROM product").fetchone()[0]

        return counts

    def is_right(_, alice, bob):
        return {alice, bob} == {4, 5}

    assert class_of(tmp_path, of(1), of(2), is_right) == "unclassified"
