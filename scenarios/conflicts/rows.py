"""Rows of a database that two users read and change: as they come, under a lock, or as one move.

SQLite stands for any database. Outside of a transaction each statement is one of its own, as it is
in many applications, and at READ COMMITTED a transaction around the statements changes nothing.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

SCHEMA = """
CREATE TABLE product (id TEXT PRIMARY KEY, stock INTEGER, price INTEGER);
INSERT INTO product VALUES ('product:42', 5, 100);
CREATE TABLE doctor (id TEXT PRIMARY KEY, on_call INTEGER);
INSERT INTO doctor VALUES ('doctor:1', 1), ('doctor:2', 1);
CREATE TABLE booking (seat TEXT);
CREATE TABLE unique_booking (seat TEXT UNIQUE);
"""


class Database:
    """A database in a file; every request has a connection of its own."""

    def __init__(self, layers: NodeLayers) -> None:
        self.path = layers.tmp_path / "shop.db"
        if not self.path.exists():
            connection = sqlite3.connect(self.path)
            connection.executescript(SCHEMA)
            connection.close()

    @contextmanager
    def request(self) -> Iterator[sqlite3.Connection]:
        """Connect for the time of one request."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, query: str, *values: Any) -> Any:
        """Return the one value that a query finds."""
        with self.request() as connection:
            return value_of(connection, query, *values)


def value_of(connection: sqlite3.Connection, query: str, *values: Any) -> Any:
    """Return the one value that a query finds."""
    [(value,)] = connection.execute(query, values).fetchall()
    return value


@contextmanager
def immediately(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin a transaction that nobody else writes beside, and commit it."""
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


# -- 39: lost update -------------------------------------------------------------------------------


class Stock(Database):
    """Reads the stock of a product and writes one less."""

    def get(self, key: str) -> int:
        """Return what is left of a product."""
        return self.ask("SELECT stock FROM product WHERE id = ?", key)

    def take(self, key: str) -> None:
        """Take one."""
        with self.request() as connection:
            stock = value_of(connection, "SELECT stock FROM product WHERE id = ?", key)
            connection.execute("UPDATE product SET stock = ? WHERE id = ?", (stock - 1, key))


class LockedStock(Stock):
    """Takes the lock before it reads, as SELECT ... FOR UPDATE does elsewhere."""

    def take(self, key: str) -> None:
        """Take one."""
        with self.request() as connection, immediately(connection):
            stock = value_of(connection, "SELECT stock FROM product WHERE id = ?", key)
            connection.execute("UPDATE product SET stock = ? WHERE id = ?", (stock - 1, key))


class ComputedStock(Stock):
    """Lets the statement compute."""

    def take(self, key: str) -> None:
        """Take one."""
        with self.request() as connection:
            connection.execute("UPDATE product SET stock = stock - 1 WHERE id = ?", (key,))


# -- 40: write skew --------------------------------------------------------------------------------


class Ward(Database):
    """Lets a doctor go if another one is on call."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.lock: AbstractContextManager[Any] = nullcontext()

    def get(self, _key: str) -> int:
        """Return how many doctors are on call."""
        return self.ask("SELECT COUNT(*) FROM doctor WHERE on_call = 1")

    def leave(self, doctor: str) -> None:
        """Go home, if somebody stays."""
        with self.lock, self.request() as connection:
            self.decide(connection, doctor)

    def decide(self, connection: sqlite3.Connection, doctor: str) -> None:
        """Count the doctors on call, and leave if another one stays."""
        if value_of(connection, "SELECT COUNT(*) FROM doctor WHERE on_call = 1") > 1:
            connection.execute("UPDATE doctor SET on_call = 0 WHERE id = ?", (doctor,))


class LockedWard(Ward):
    """Lets one decide at a time, within this process."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.lock = threading.Lock()


class SerializableWard(Ward):
    """Decides in a transaction that nobody else writes beside."""

    def decide(self, connection: sqlite3.Connection, doctor: str) -> None:
        """Count the doctors on call, and leave if another one stays."""
        with immediately(connection):
            super().decide(connection, doctor)


# -- 41: phantom -----------------------------------------------------------------------------------


class Seats(Database):
    """Books a seat that is free."""

    table = "booking"

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.lock: AbstractContextManager[Any] = nullcontext()

    def get(self, key: str) -> int:
        """Return how often a seat is booked."""
        return self.ask(f"SELECT COUNT(*) FROM {self.table} WHERE seat = ?", key)

    def book(self, seat: str) -> None:
        """Book a seat, unless it is booked."""
        query = "SELECT COUNT(*) FROM booking WHERE seat = ?"
        with self.lock, self.request() as connection:
            if not value_of(connection, query, seat):
                connection.execute("INSERT INTO booking (seat) VALUES (?)", (seat,))


class LockedSeats(Seats):
    """Lets one look and book at a time, within this process."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.lock = threading.Lock()


class UniqueSeats(Seats):
    """Leaves it to a constraint."""

    table = "unique_booking"

    def book(self, seat: str) -> None:
        """Book a seat, unless it is booked."""
        with self.request() as connection:
            connection.execute("INSERT OR IGNORE INTO unique_booking (seat) VALUES (?)", (seat,))


# -- 42: non-repeatable read -----------------------------------------------------------------------


class Prices(Database):
    """Reads a price for the total, and once more for the line."""

    query = "SELECT price FROM product WHERE id = ?"

    def get(self, key: str) -> int:
        """Return a price."""
        return self.ask(self.query, key)

    def set(self, key: str, value: int) -> None:
        """Change a price."""
        with self.request() as connection:
            connection.execute("UPDATE product SET price = ? WHERE id = ?", (value, key))

    def bill(self, key: str) -> int:
        """Return by how much total and line of a bill differ."""
        with self.request() as connection:
            total = value_of(connection, self.query, key)
            return total - value_of(connection, self.query, key)


class PricesReadOnce(Prices):
    """Reads the price once."""

    def bill(self, key: str) -> int:
        """Return by how much total and line of a bill differ."""
        total = line = self.get(key)
        return total - line


class PricesOfOneSnapshot(Prices):
    """Reads twice in one transaction, which sees one state."""

    def bill(self, key: str) -> int:
        """Return by how much total and line of a bill differ."""
        with self.request() as connection:
            connection.execute("BEGIN")
            total = value_of(connection, self.query, key)
            line = value_of(connection, self.query, key)
            connection.execute("COMMIT")
        return total - line


sc.system("stock.naive")(Stock)
sc.system("stock.locked")(LockedStock)
sc.system("stock.computed")(ComputedStock)
sc.system("ward.naive")(Ward)
sc.system("ward.locked")(LockedWard)
sc.system("ward.serializable")(SerializableWard)
sc.system("seats.naive")(Seats)
sc.system("seats.locked")(LockedSeats)
sc.system("seats.unique")(UniqueSeats)
sc.system("bills.naive")(Prices)
sc.system("bills.read_once")(PricesReadOnce)
sc.system("bills.snapshot")(PricesOfOneSnapshot)


@sc.verb("take")
def take(system, _user, key: str):
    """Take one of a product out of the stock."""
    system.take(key)


@sc.verb("leave")
def leave(system, _user, doctor: str):
    """Go home, if somebody stays on call."""
    system.leave(doctor)


@sc.verb("book")
def book(system, _user, seat: str):
    """Book a seat, unless it is booked."""
    system.book(seat)


@sc.verb("bill")
def bill(system, _user, key: str):
    """Write a bill, and return by how much its total and its line differ."""
    return system.bill(key)
