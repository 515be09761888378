"""Conflicts whose origin is a table of a database: the class, the nearest other one, and the story.

A table is the source of a key because an operation reads it before it stores the key. Its values
are not known, so what a statement does to it decides.
"""

import json
import sqlite3
import threading

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few

KEY = "tea"


class Shop:
    """A look-aside cache before SQLite, and the flows of a user who changes it."""

    def __init__(self, world):
        self._path = world.tmp_path / "shop.db"
        self._far = world.existing_cache.client(decode_responses=True)
        self._lock = threading.Lock()
        if not self._path.exists():
            with self._open() as database:
                database.execute("CREATE TABLE product (sku TEXT PRIMARY KEY, price INTEGER)")
                database.execute("CREATE TABLE audit (line TEXT)")
                database.execute("INSERT INTO product VALUES (?, 100), ('coffee', 1)", [KEY])

    def _open(self):
        return sqlite3.connect(self._path)

    def get(self, key):
        text = self._far.get(key)
        if text is not None:
            return json.loads(text)
        row = self._open().execute("SELECT price FROM product WHERE sku = ?", [key]).fetchone()
        value = None if row is None else row[0]
        self._far.set(key, json.dumps(value))
        return value

    def get_alone(self, key):
        """Read, while nobody removes an entry."""
        with self._lock:
            return self.get(key)

    def remove(self):
        with self._lock:
            self._far.delete(KEY)

    def change(self, *statements, removes="after", ends="commit"):
        """Execute statements in one transaction, and remove the entry before or after it."""
        database = self._open()
        if removes == "before":
            self.remove()
        for statement in statements:
            database.execute(statement)
        getattr(database, ends)()
        if removes == "after":
            self.remove()

    def execute_at_once(self, statement):
        """Execute a statement that commits by itself, remove the entry, and write the log."""
        database = self._open()
        database.isolation_level = None
        database.execute(statement)
        self.remove()
        database.execute("BEGIN")
        database.execute(LINE)
        database.execute("COMMIT")


def found(write, *, read=Shop.get, before=()):
    """Return the result for a reader beside a writer; a later reader is shown what is stored."""

    def body(world):
        shop = Shop(world)
        if before:
            shop.change(*before)
        world.actor("alice", read, shop, KEY)
        world.actor("bob", write, shop)
        world.run()
        world.settle()
        shown = shop.get(KEY)
        row = shop._open().execute("SELECT price FROM product WHERE sku = ?", [KEY]).fetchone()
        assert shown == (None if row is None else row[0])

    return check(body, guarantees=(), ticks=0)


def class_of(result):
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.conflict_class


UPDATE = f"UPDATE product SET price = 120 WHERE sku = '{KEY}'"
DELETE = f"DELETE FROM product WHERE sku = '{KEY}'"
INSERT = f"INSERT INTO product VALUES ('{KEY}', 120)"
OTHER = "UPDATE product SET price = 2 WHERE sku = 'coffee'"
LINE = "INSERT INTO audit VALUES ('x')"


@pytest.mark.parametrize(
    ("statements", "before", "expected"),
    few(
        [
            ([UPDATE], (), "stale-set"),
            ([DELETE], (), "resurrection"),
            ([INSERT], [DELETE], "negative-poisoning"),
            ([LINE, UPDATE, LINE], (), "stale-set"),
        ],
        3,
    ),
)
def test_a_late_fill_is_named_after_what_the_writer_did_to_the_table(statements, before, expected):
    assert class_of(found(lambda shop: shop.change(*statements), before=before)) == expected


def test_a_statement_outside_of_a_transaction_commits_by_itself():
    assert class_of(found(lambda shop: shop.execute_at_once(UPDATE))) == "stale-set"


def test_an_entry_that_is_removed_before_the_commit_is_told_apart():
    result = found(lambda shop: shop.change(UPDATE, removes="before"), read=Shop.get_alone)
    assert class_of(result) == "invalidate-before-write"


def test_a_fill_that_outlasts_an_early_removal_would_outlast_a_late_one_as_well():
    assert class_of(found(lambda shop: shop.change(UPDATE, removes="before"))) == "stale-set"


def test_an_entry_that_nothing_removes_has_no_class_of_a_late_fill():
    assert class_of(found(lambda shop: shop.change(UPDATE, removes="never"))) == "unclassified"


@pytest.mark.parametrize(
    "write",
    few(
        [
            lambda shop: shop.change(UPDATE, ends="rollback"),
            lambda shop: shop.change(OTHER),
            lambda shop: shop.change(LINE),
        ],
        2,
    ),
)
def test_what_leaves_the_row_as_it_was_is_no_conflict(write):
    assert found(write).verdict is Verdict.HOLDS


def test_the_story_names_the_rows_that_are_asked_for_and_no_value_of_them():
    result = found(lambda shop: shop.change(LINE, UPDATE))
    lines = result.counterexample.explanation.splitlines()
    [told] = [line for line in lines if line.startswith("what happened: ")]
    parts = [part.split(". ", 1)[1] for part in told.split(": ", 1)[1].split("; ")]
    assert parts == [
        "alice reads the table product (where sku = tea)",
        "bob commits a change to the tables audit and product",
        "bob removes tea from the existing cache",
        "alice stores 100 in the existing cache, where it stays",
    ]
