"""What SQLite touches for foreign keys is among the tables of a statement, and little besides.

SQLite itself is the judge: a statement is executed with and without the rows of another table.
"""

import sqlite3
from contextlib import ExitStack, closing
from random import Random

import pytest

from pytest_supercache.runtime.sql.foreign_keys import with_foreign_keys
from pytest_supercache.runtime.sql.statements import EVERYTHING, Tables
from tests.selection import either

NAMES = ("T0", "t1", "t2", "T3")
ACTIONS = ("", "CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION")
STATEMENTS = (
    "DELETE FROM {} WHERE id = 2",
    "UPDATE {} SET id = 9 WHERE id = 2",
    "INSERT INTO {} (id) VALUES (9)",  # it refers to 1, the default
)
COUNT = either(200, 5_000)


def random_schema(random):
    """Return tables of which each may refer to others, also to itself, in any case of letters."""
    for name in NAMES:
        keys = []
        for number, parent in enumerate(random.sample(NAMES, random.choice([0, 1, 1, 2]))):
            on_delete, on_update = random.choice(ACTIONS), random.choice(ACTIONS)
            key = f"k{number} INTEGER DEFAULT 1 REFERENCES {parent.upper()}(id)"
            key += f" ON DELETE {on_delete}" * bool(on_delete)
            key += f" ON UPDATE {on_update}" * bool(on_update)
            keys.append(key + random.choice(["", " DEFERRABLE INITIALLY DEFERRED"]))
        yield f"CREATE TABLE {name} ({', '.join(['id INTEGER PRIMARY KEY', *keys])})"


@pytest.fixture
def opened():
    """Open a database, which is closed after the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(
            closing(sqlite3.connect(":memory:", isolation_level=None))
        )


def fill(database, schema, random, without=None):
    for statement in schema:
        database.execute(statement)
    for name in NAMES:
        width = len(database.execute(f"PRAGMA table_info({name})").fetchall())
        for at in (1, 2, 3):
            values = [at, *(random.choice([1, 2, 3, None]) for _ in range(width - 1))]
            if name != without:
                places = ", ".join("?" * width)
                database.execute(f"INSERT INTO {name} VALUES ({places})", values)
    database.execute("PRAGMA foreign_keys = ON")
    return database


def asking(database):
    return lambda query: database.execute(query).fetchall()


def contents(database):
    return {
        name: database.execute(f"SELECT * FROM {name} ORDER BY id").fetchall() for name in NAMES
    }


def outcome(database, statement):
    """Execute a statement and commit; return what it did to each table, or how it failed."""
    before = contents(database)
    try:
        database.execute("BEGIN")
        database.execute(statement)
        database.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        return str(error)
    after = contents(database)
    return {name: (before[name], after[name]) for name in NAMES if before[name] != after[name]}


def test_each_table_that_makes_a_difference_is_reported(opened):
    made_a_difference = reported = 0
    for seed in range(COUNT):
        random = Random(seed)
        schema, table = list(random_schema(random)), random.choice(NAMES)
        statement = random.choice(STATEMENTS).format(table)
        known = with_foreign_keys(
            Tables(writes=frozenset({table})),
            asking(fill(opened(), schema, Random(seed))),
        )
        told = outcome(fill(opened(), schema, Random(seed)), statement)
        if isinstance(told, dict):
            assert set(told) <= known.writes, (schema, statement)
        for other in NAMES:
            if other == table:
                continue
            without = outcome(fill(opened(), schema, Random(seed), without=other), statement)
            if isinstance(told, dict) and isinstance(without, dict):
                without = {**without, other: told.get(other)} if other in told else without
            if without != told:
                made_a_difference += 1
                assert other in known.reads | known.writes, (schema, statement, other)
        reported += len(known.reads | known.writes)
    assert made_a_difference > COUNT / 5
    assert reported < 3.5 * COUNT, "not every table each time"


def touching(writes, reads=""):
    return Tables(reads=frozenset(reads.split()), writes=frozenset(writes.split()))


CASCADE = "ON DELETE CASCADE"
TRIGGER = "CREATE TRIGGER t AFTER DELETE ON child BEGIN DELETE FROM log; END"


@pytest.mark.parametrize(
    ("action", "trigger", "expected"),
    [
        ("", "", touching("parent", reads="child")),
        (CASCADE, "", touching("parent child")),
        (CASCADE, TRIGGER, EVERYTHING),
        ("", TRIGGER, touching("parent", reads="child")),
    ],
)
def test_an_action_that_may_fire_a_trigger_may_touch_everything(opened, action, trigger, expected):
    database = opened()
    database.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    database.execute(f"CREATE TABLE child (id INTEGER REFERENCES parent(id) {action})")
    database.execute("CREATE TABLE log (id INTEGER)")
    database.execute(trigger)
    assert with_foreign_keys(Tables(writes=frozenset({"parent"})), asking(database)) == expected


def test_a_table_of_another_database_may_lead_anywhere(opened):
    database = opened()
    assert with_foreign_keys(Tables(writes=frozenset({"far"})), asking(database)) is EVERYTHING
