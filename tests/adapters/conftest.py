"""One PostgreSQL and one MariaDB for all tests of adapters, with counters n and m."""

from contextlib import closing

import pytest

from tests.adapters.counters import Counters
from tests.adapters.in_mariadb import MariaDBCounters
from tests.adapters.servers import mariadb, postgresql


@pytest.fixture(scope="session")
def address():
    """How to connect to the server."""
    with postgresql() as where:
        with closing(Counters(where)) as made:
            made.execute(b"CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER)")
            made.execute(b"INSERT INTO counters VALUES ('n', 0), ('m', 0)")
        yield where


@pytest.fixture(scope="session")
def counters(address):
    """What puts the counters back, and reads them."""
    with closing(Counters(address)) as made:
        yield made


@pytest.fixture(scope="session")
def mariadb_address():
    """How to connect to the MariaDB."""
    with mariadb() as where:
        with closing(MariaDBCounters(where)) as made:
            made.execute("CREATE TABLE counters (name VARCHAR(9) PRIMARY KEY, n INTEGER)")
            made.execute("INSERT INTO counters VALUES ('n', 0), ('m', 0)")
        yield where


@pytest.fixture(scope="session")
def mariadb_counters(mariadb_address):
    """What puts the counters in the MariaDB back, and reads them."""
    with closing(MariaDBCounters(mariadb_address)) as made:
        yield made


@pytest.fixture
def parts(counters, monkeypatch):
    """A table whose rows lead to a counter o, which is asked for when a transaction ends."""
    counters.execute(
        b"CREATE TABLE parts (of TEXT REFERENCES counters DEFERRABLE INITIALLY DEFERRED)"
    )
    reset = counters.reset

    def with_o():
        counters.execute(b"DELETE FROM parts; DELETE FROM counters WHERE name = 'o'")
        counters.execute(b"INSERT INTO counters VALUES ('o', 0)")
        reset()

    monkeypatch.setattr(counters, "reset", with_o)
    yield
    counters.execute(b"DROP TABLE parts; DELETE FROM counters WHERE name = 'o'")
