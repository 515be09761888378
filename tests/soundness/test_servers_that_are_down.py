"""Code that goes on without its cache or its database, while the server of it is down."""

import socket
from contextlib import closing, suppress
from types import SimpleNamespace

import psycopg
import pytest
import sqlalchemy
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient

from pytest_supercache import Verdict, check
from tests.adapters.memcached import Memory
from tests.adapters.servers import memcached, postgresql
from tests.soundness.truth import broken, right, systems_of

STALE = "who missed keeps the old price after the new one was set"
NOBODY = ("127.0.0.1", 1)
OFF = {"ignore_exc": True, "connect_timeout": 1, "timeout": 1, "default_noreply": False}


def _changed_while_read(world, look, keep, forget):
    """Read a price through a cache that may fail, while it is changed."""
    prices = world.origin
    prices.set("k", "1")

    def read():
        found = look()
        if found is None:
            found = prices.get("k")
            keep(found)
        return found

    def change():
        prices.set("k", "2")
        forget()

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert look() in (None, prices.get("k"))


def _in_memcached(world, client):
    def unless_it_fails(command, *args):
        with suppress(OSError):
            return command(*args)
        return None

    def look():
        found = unless_it_fails(client.get, "k")
        return None if found is None else found.decode()

    def keep(price):
        unless_it_fails(client.set, "k", price)

    _changed_while_read(world, look, keep, lambda: unless_it_fails(client.delete, "k"))


@broken(STALE, unknown="could not connect to memcached at 127.0.0.1:1 (")
def memcached_is_down(world):
    _in_memcached(world, Client(NOBODY, **OFF))


def _refusing(*_args):
    raise ConnectionRefusedError("it is down on purpose")


@right("the cache is a double that is down on purpose: it is never used")
def memcached_is_a_double_that_refuses(world):
    made = vars(socket) | {"socket": _refusing}
    _in_memcached(world, Client(NOBODY, socket_module=SimpleNamespace(**made), **OFF))


@broken(STALE)
def memcached_is_a_double_that_answers(world):
    client = Client("production", socket_module=Memory().sockets(), default_noreply=False)
    prices = world.origin
    prices.set("k", "1")

    def read():
        found = client.get("k")
        if found is None:
            client.set("k", prices.get("k"))

    def change():
        prices.set("k", "2")
        client.set("k", "2")

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert client.get("k").decode() == prices.get("k")


@right("the writer alone stores")
def memcached_is_a_double_that_one_writes(world):
    client = Client("production", socket_module=Memory().sockets(), default_noreply=False)
    world.actor("reader", client.get, "k")
    world.actor("writer", client.set, "k", "2")
    world.run()
    assert client.get("k") == b"2"


@broken(STALE, unknown="could not connect to memcached at cache.invalid:11211 (")
def the_name_of_memcached_leads_nowhere(world):
    _in_memcached(world, Client("cache.invalid", **OFF))


@broken(STALE, unknown="could not connect to memcached at /nowhere/memcached (")
def the_socket_of_memcached_is_gone(world):
    _in_memcached(world, PooledClient("/nowhere/memcached", **OFF))


@broken(STALE, unknown="could not connect to memcached at 127.0.0.1:1 (")
def all_of_several_are_down(world):
    _in_memcached(world, HashClient([NOBODY], ignore_exc=True, connect_timeout=1))


@broken(STALE, unknown="could not connect to memcached at 127.0.0.1:1 (")
def djangos_cache_is_down(world):
    from django.core.cache.backends.memcached import PyMemcacheCache

    cache = PyMemcacheCache("127.0.0.1:1", {"OPTIONS": {"ignore_exc": True}})
    _changed_while_read(
        world,
        lambda: cache.get("k"),
        lambda price: cache.set("k", price),
        lambda: cache.delete("k"),
    )


def _in_postgresql(world, ask, error):
    def unless_it_fails(statement):
        try:
            return ask(statement)
        except error:
            return None

    _changed_while_read(
        world,
        lambda: unless_it_fails("SELECT price FROM near"),
        lambda price: unless_it_fails(f"UPDATE near SET price = '{price}'"),
        lambda: unless_it_fails("UPDATE near SET price = NULL"),
    )


@broken(
    STALE, unknown="could not connect to PostgreSQL (connection failed: connection to server at"
)
def postgresql_is_down(world):
    def ask(statement):
        with psycopg.connect("host=127.0.0.1 port=1", connect_timeout=1) as connection:
            return connection.execute(statement).fetchone()[0]

    _in_postgresql(world, ask, psycopg.OperationalError)


@broken(STALE, unknown="could not connect to PostgreSQL (")
def the_name_of_postgresql_leads_nowhere(world):
    def ask(statement):
        with psycopg.connect("host=db.invalid") as connection:
            return connection.execute(statement).fetchone()[0]

    _in_postgresql(world, ask, psycopg.OperationalError)


@broken(STALE, unknown="could not connect to PostgreSQL (")
def a_driver_of_sqlalchemy_finds_nobody(world):
    engine = sqlalchemy.create_engine("postgresql+psycopg://shop@127.0.0.1:1/shop")

    def ask(statement):
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text(statement)).fetchone()[0]

    _in_postgresql(world, ask, sqlalchemy.exc.OperationalError)


@right("nobody is asked: the code has a mistake in its address")
def the_address_of_postgresql_is_malformed(world):
    def ask(statement):
        with psycopg.connect("hots=127.0.0.1") as connection:
            return connection.execute(statement)

    _in_postgresql(world, ask, psycopg.ProgrammingError)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


@pytest.mark.memcached
def test_a_memcached_that_is_up_is_raced():
    with memcached() as address:

        def body(world):
            with closing(Client(address, **OFF)) as client:
                client.flush_all()
                _in_memcached(world, client)

        assert check(body, guarantees=()).verdict is Verdict.VIOLATED


@pytest.mark.postgresql
def test_a_postgresql_that_is_up_is_raced():
    with postgresql() as address:
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE near (price TEXT)")
            connection.execute("INSERT INTO near VALUES (NULL)")

        def ask(statement):
            with psycopg.connect(address) as connection:
                cursor = connection.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None

        def body(world):
            ask("UPDATE near SET price = NULL")
            _in_postgresql(world, ask, psycopg.OperationalError)

        assert check(body, guarantees=()).verdict is Verdict.VIOLATED
