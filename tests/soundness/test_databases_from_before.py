"""Connections to databases that a module has made when it was imported."""

import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from tests.soundness.truth import broken, right, systems_of

LOST = "both read the same number before either writes it"
NAMED = "of sqlite3 that was made before the execution"

HELD = SimpleNamespace(database=None, cursor=None, engine=None)
"""What a module would hold; here only while its tests run."""


@pytest.fixture(autouse=True, scope="module")
def connected():
    """Connect outside of any execution, as an import does."""
    HELD.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    HELD.database.execute("create table stock (n int)")
    HELD.cursor = HELD.database.cursor()
    HELD.engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with HELD.engine.begin() as connection:
        connection.execute(text("create table stock (n int)"))
    yield
    HELD.database.close()
    HELD.engine.dispose()
    HELD.database = HELD.cursor = HELD.engine = None


def _stocked(world, database, sell):
    database.execute("delete from stock")
    database.execute("insert into stock values (5)")
    world.actor("alice", sell)
    world.actor("bob", sell)
    world.run()
    assert database.execute("select n from stock").fetchone()[0] == 3


def _sell(database):
    (left,) = database.execute("select n from stock").fetchone()
    database.execute("update stock set n = ?", (left - 1,))


@broken(LOST, unknown=NAMED)
def a_connection_of_the_module(world):
    _stocked(world, HELD.database, lambda: _sell(HELD.database))


@broken(LOST, unknown=NAMED)
def a_cursor_of_the_module(world):
    _stocked(world, HELD.database, lambda: _sell(HELD.cursor))


@broken(LOST, unknown=NAMED)
def a_connection_that_its_class_has_made(world):
    database = sqlite3.connect("file:shop?mode=memory&cache=shared", uri=True, isolation_level=None)
    database.execute("create table stock (n int)")

    def sell():
        own = sqlite3.Connection("file:shop?mode=memory&cache=shared", uri=True)
        _sell(own)
        own.commit()
        own.close()

    _stocked(world, database, sell)


@broken(LOST, unknown=NAMED)
def a_connection_in_the_pool_of_the_module(world):
    with HELD.engine.begin() as connection:
        connection.execute(text("delete from stock"))
        connection.execute(text("insert into stock values (5)"))

    def sell():
        with HELD.engine.begin() as connection:
            left = connection.execute(text("select n from stock")).scalar_one()
        with HELD.engine.begin() as connection:
            connection.execute(text("update stock set n = :n"), {"n": left - 1})

    world.actor("alice", sell)
    world.actor("bob", sell)
    world.run()
    with HELD.engine.begin() as connection:
        assert connection.execute(text("select n from stock")).scalar_one() == 3


@broken(LOST)
def a_connection_of_the_execution(world):
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database.execute("create table stock (n int)")
    _stocked(world, database, lambda: _sell(database))


@right("one statement reads and writes")
def one_statement_on_a_connection_of_the_execution(world):
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database.execute("create table stock (n int)")
    _stocked(world, database, lambda: database.execute("update stock set n = n - 1"))


@right("the users do not use it")
def a_connection_of_the_module_that_only_the_body_uses(world):
    rows = HELD.database.execute("select count(*) from stock").fetchone()
    world.actor("alice", world.origin.get, "k")
    world.run()
    assert HELD.database.execute("select count(*) from stock").fetchone() == rows


@pytest.mark.parametrize("system", systems_of(__name__, every=1), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
