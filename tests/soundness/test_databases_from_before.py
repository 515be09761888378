"""Connections to databases that a module has made when it was imported."""

import sqlite3

import pytest

from tests.soundness.truth import broken, right, systems_of

LOST = "both read the same number before either writes it"
NAMED = "of sqlite3 that was made before the execution"

DATABASE = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
DATABASE.execute("create table stock (n int)")
CURSOR = DATABASE.cursor()


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
    _stocked(world, DATABASE, lambda: _sell(DATABASE))


@broken(LOST, unknown=NAMED)
def a_cursor_of_the_module(world):
    _stocked(world, DATABASE, lambda: _sell(CURSOR))


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
    rows = DATABASE.execute("select count(*) from stock").fetchone()
    world.actor("alice", world.origin.get, "k")
    world.run()
    assert DATABASE.execute("select count(*) from stock").fetchone() == rows


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
