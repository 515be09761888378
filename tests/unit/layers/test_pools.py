"""Our pools hand out and take back what those of redis-py would."""

import asyncio
from functools import partial

import pytest
import redis
import redis.asyncio

from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.fake_connection import AsyncFieldsConnection, FieldsConnection
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.layers.pools import AsyncPool, Pool

THREADS = [redis.ConnectionPool, Pool]
TASKS = [redis.asyncio.ConnectionPool, AsyncPool]


def pool_of(kind, server=None):
    made = AsyncFieldsConnection if issubclass(kind, redis.asyncio.ConnectionPool) else None
    return kind(
        connection_class=made or FieldsConnection, server=server or FakeRedisServer()._server
    )


@pytest.mark.parametrize("kind", THREADS)
def test_a_connection_that_was_released_is_handed_out_again(kind):
    pool = pool_of(kind)
    first, second = pool.get_connection(), pool.get_connection()
    assert first is not second
    pool.release(first)
    assert pool.get_connection() is first
    assert pool._in_use_connections == {first, second}


@pytest.mark.parametrize("kind", THREADS)
def test_one_that_is_not_its_own_is_left_alone(kind):
    pool, other = pool_of(kind), pool_of(kind)
    stranger = other.get_connection()
    pool.release(stranger)
    assert stranger._sock is not None
    assert not pool._available_connections


@pytest.mark.parametrize("kind", THREADS)
def test_one_that_was_made_in_another_process_is_not_handed_out_again(kind):
    pool = pool_of(kind)
    connection = pool.get_connection()
    connection.pid += 1
    pool.release(connection)
    assert pool.get_connection() is not connection


@pytest.mark.parametrize("kind", THREADS)
def test_one_that_is_to_be_made_anew_is_closed_first(kind):
    pool = pool_of(kind)
    connection = pool.get_connection()
    connection.mark_for_reconnect()
    before = connection._sock
    pool.release(connection)
    assert pool.get_connection() is connection
    assert connection._sock not in {None, before}


@pytest.mark.parametrize("kind", THREADS)
@pytest.mark.parametrize("hears", [True, False])
def test_one_with_unread_data_is_connected_anew_unless_it_may_be_news(kind, hears):
    pool = pool_of(kind)
    pool.maint_notifications_enabled = lambda: hears
    connection = pool.get_connection()
    pool.release(connection)
    connection.send_command("PING")
    before = connection._sock
    assert pool.get_connection() is connection
    assert (connection._sock is before) is hears


@pytest.mark.parametrize("kind", THREADS)
def test_when_there_is_no_server_the_connection_comes_back(kind):
    server = FakeRedisServer()._server
    server.connected = False
    pool = pool_of(kind, server)
    with pytest.raises(redis.ConnectionError):
        pool.get_connection()
    assert not pool._in_use_connections
    server.connected = True
    assert pool.get_connection()


@pytest.mark.parametrize("kind", TASKS)
def test_on_asyncio_a_connection_that_was_released_is_handed_out_again(kind):
    async def use():
        pool = pool_of(kind)
        first, second = [await pool.get_connection() for _ in range(2)]
        assert first is not second
        await pool.release(first)
        assert await pool.get_connection() is first
        first.mark_for_reconnect()
        before = first._sock
        await pool.release(first)
        assert await pool.get_connection() is first
        assert first._sock not in {None, before}
        with pytest.raises(KeyError):
            await pool.release(await pool_of(kind).get_connection())

    asyncio.run(use())


@pytest.mark.parametrize("kind", TASKS)
def test_on_asyncio_when_there_is_no_server_the_connection_comes_back(kind):
    async def use():
        server = FakeRedisServer()._server
        server.connected = False
        pool = pool_of(kind, server)
        with pytest.raises(redis.ConnectionError):
            await pool.get_connection()
        assert not pool._in_use_connections
        server.connected = True
        assert await pool.get_connection()

    asyncio.run(use())


def test_a_client_that_wants_more_gets_the_pool_of_redis_py():
    cache = ExistingCache(FakeRedisServer())
    assert type(cache.client().connection_pool) is Pool
    assert type(cache.client(max_connections=3).connection_pool) is redis.ConnectionPool
    assert type(cache.aclient().connection_pool) is AsyncPool
    usual = cache.aclient(max_connections=3).connection_pool
    assert type(usual) is redis.asyncio.ConnectionPool


def test_a_client_that_names_the_size_of_its_pool_is_connected():
    assert ExistingCache(FakeRedisServer()).client(max_connections=3).get("k") is None


COMMANDS = [
    ("SET", "k", "v"),
    ("set", "k", "v"),
    (b"SET", "k", "v"),
    ("GET", "k"),
    ("get", "k"),
    ("HSET", "h", "a", "1"),
    ("HGETALL", "h"),
    ("hgetall", "h"),
    ("ZADD", "z", 1, "one"),
    ("ZRANGE", "z", 0, -1, "WITHSCORES"),
    ("SADD", "s", "a"),
    ("SMEMBERS", "s"),
    ("EXPIRE", "k", 10),
    ("TTL", "k"),
    ("CLIENT GETNAME",),
    ("CLIENT", "GETNAME"),
    ("ECHO", "hello"),
    ("NO SUCH", "command"),
    ("HGETALL", "k"),
    ("DEL", "k", "h", "z", "s"),
]


def said(call):
    """Return what a call answered or raised."""
    try:
        return call()
    except redis.RedisError as error:
        return type(error), str(error)


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 3}])
def test_a_copy_reads_every_answer_like_a_client_of_redis_py(options):
    cache, server = ExistingCache(FakeRedisServer()), FakeRedisServer()
    cache.client(**options)
    copy = cache.client(**options)
    pool = redis.ConnectionPool(connection_class=FieldsConnection, server=server._server, **options)
    other = redis.Redis(connection_pool=pool)
    for command in COMMANDS:
        mine, theirs = (said(partial(c.execute_command, *command)) for c in (copy, other))
        assert mine == theirs, command
    for one in (copy, other):
        one.set_response_callback("ECHO", lambda answer: [answer])
    assert copy.execute_command("ECHO", "x") == other.execute_command("ECHO", "x")
    assert copy.zrange("z", 0, -1, withscores=True) == other.zrange("z", 0, -1, withscores=True)


def test_a_copy_reads_every_answer_like_a_client_of_redis_py_on_asyncio():
    cache, server = ExistingCache(FakeRedisServer()), FakeRedisServer()

    async def compare():
        await cache.aclient().aclose()
        copy = cache.aclient()
        pool = redis.asyncio.ConnectionPool(
            connection_class=AsyncFieldsConnection, server=server._server
        )
        other = redis.asyncio.Redis(connection_pool=pool)
        for command in COMMANDS:
            heard = []
            for client in (copy, other):
                try:
                    heard.append(await client.execute_command(*command))
                except redis.RedisError as error:
                    heard.append((type(error), str(error)))
            assert heard[0] == heard[1], command
        await copy.aclose()
        await other.aclose(close_connection_pool=True)

    asyncio.run(compare())


def test_a_client_that_has_lost_its_connection_opens_another():
    cache = ExistingCache(FakeRedisServer())
    cache.client()
    client = cache.client()
    client.set("k", "v")
    cache.server._server.connected = False
    with pytest.raises(redis.ConnectionError):
        client.get("k")
    cache.server._server.connected = True
    assert client.get("k") == b"v"
    assert not client.connection_pool._in_use_connections
