"""What is relied on of fakeredis: its servers, databases, sockets and connections."""

import asyncio
from contextlib import contextmanager, suppress

import fakeredis
from fakeredis import aioredis
from redis.exceptions import ResponseError

from pytest_supercache.layers.reuse import _DATABASE, _KEPT, _SOCKET
from tests.compatibility.rows import Checks

CHECKS = Checks()


@contextmanager
def _connected(server, kind=fakeredis.FakeRedis):
    client = kind(server=server)
    connection = client.connection_pool.get_connection()
    connection.connect()
    try:
        yield client, connection
    finally:
        client.connection_pool.release(connection)
        client.close()


def _filled():
    server = fakeredis.FakeServer()
    with _connected(server) as (client, _):
        client.set("k", "v", px=60_000)
    return server


@CHECKS.of("FakeRedisConnection, FakeAsyncRedisConnection, _connect, _sock, _server")
def _a_connection_has_a_socket_of_one_server():
    from pytest_supercache.layers.fake_connection import AsyncFieldsConnection, FieldsConnection

    assert fakeredis.FakeRedisConnection is FieldsConnection.__mro__[1]
    assert aioredis.FakeAsyncRedisConnection is AsyncFieldsConnection.__mro__[1]
    server = fakeredis.FakeServer()
    connection = FieldsConnection(server=server)
    connection.connect()
    assert connection._sock.takes_fields, "_connect() returns the socket of fakeredis"
    assert connection._server is server
    connection.disconnect()

    async def body():
        awaited = AsyncFieldsConnection(server=server)
        await awaited.connect()
        assert awaited._sock.takes_fields, "_connect() keeps the socket of fakeredis in _sock"
        assert awaited.is_idle
        await awaited.disconnect()

    asyncio.run(body())


@CHECKS.of("FakeSocket._process_command, _paused, responses, response_ready")
def _a_socket_takes_the_fields_of_a_command():
    from pytest_supercache.layers.fake_connection import CommandFields, _is_known

    server = _filled()
    with _connected(server) as (_, connection):
        socket = connection._sock
        assert _is_known(socket), "commands go over as bytes again, which is slower"
        assert socket._paused is False, "a socket on which no command blocks is not paused"
        while not socket.responses.empty():
            socket.responses.get()
        socket._process_command(CommandFields([b"GET", b"k"]))
        assert socket.responses.get(timeout=60) == b"v", "its answer is in a queue"
        if hasattr(socket, "response_ready"):
            assert hasattr(socket.response_ready, "set"), "a blocked read has an event"


@CHECKS.of("FakeSocket._response_available, _event_loop, _loop_thread_ident, _read_response")
def _a_socket_on_asyncio_belongs_to_a_loop():
    async def body():
        connection = aioredis.FakeAsyncRedisConnection(server=_filled())
        await connection.connect()
        parts = vars(connection._sock).keys()
        assert {"_response_available", "responses", "_event_loop", "_loop_thread_ident"} <= parts
        assert connection._sock._event_loop is asyncio.get_running_loop()
        assert asyncio.iscoroutinefunction(type(connection)._read_response)
        await connection.disconnect()

    asyncio.run(body())


@CHECKS.of("FakeSocket._db, _db_num, _client_info")
def _a_socket_can_be_led_to_another_server():
    with _connected(_filled()) as (_, connection):
        socket = connection._sock
        assert vars(socket).keys() >= _SOCKET, "connections are no longer reused, which is slower"
        assert socket._db is connection._server.dbs[socket._db_num]
        assert isinstance(socket._client_info["id"], int)
        assert socket in connection._server.sockets


@CHECKS.of("ScriptingCommandsMixin._lua_redis_call")
def _a_script_sends_its_commands_by_one_method():
    from pytest_supercache.layers.fake_server import FakeRedisServer

    server = FakeRedisServer()
    ((kind, name),) = server.script_callers()
    called, call = [], getattr(kind, name)

    def heard(socket, lua, known, *words):
        called.append(words)
        return call(socket, lua, known, *words)

    setattr(kind, name, heard)
    try:
        with _connected(fakeredis.FakeServer()) as (client, _):
            client.eval("return redis.call('set', KEYS[1], 'v')", 1, "k")
    finally:
        setattr(kind, name, call)
    assert [tuple(map(bytes, words)) for words in called] == [(b"set", b"k", b"v")]


@CHECKS.of("FakeSocket._decode_error, SimpleError.value")
def _an_error_that_is_answered_is_made_in_one_place():
    from pytest_supercache.layers.fake_server import FakeRedisServer

    makers = FakeRedisServer().error_makers()
    assert makers, "errors that only fakeredis gives are no longer noticed"
    texts, (kind, name) = [], makers[0]
    make = getattr(kind, name)

    def heard(socket, error):
        texts.append(error.value)
        return make(socket, error)

    setattr(kind, name, heard)
    try:
        with _connected(fakeredis.FakeServer()) as (client, _):
            pipeline = client.pipeline()
            pipeline.set("k", "v").llen("k")
            pipeline.execute(raise_on_error=False)
            client.flushall()
            with suppress(ResponseError):
                client.execute_command("SET", "k", "v", "NONSENSE")
    finally:
        setattr(kind, name, make)
    wrong_type, syntax = texts
    assert wrong_type.startswith("WRONGTYPE "), "the code of an error is a part of its text"
    assert syntax.startswith("ERR "), "so is the usual one"


@CHECKS.of("Database._dict, Item.value, expireat")
def _a_database_keeps_items_under_their_keys():
    database = _filled().dbs[0]
    item = database._dict[b"k"]
    assert item.value == b"v", "an item has the value of its key"
    assert item.expireat > 60, "and the second at which it expires"
    assert list(database) == [b"k"]
    del database[b"k"]
    database[b"other"] = item
    assert database._dict == {b"other": item}, "items are put and taken like those of a dict"


@CHECKS.of("Database._expiry_heap, _watches, _change_callbacks, condition, time")
def _a_database_consists_of_what_can_be_emptied():
    database = _filled().dbs[0]
    assert vars(database).keys() == _DATABASE, "servers are no longer reused, which is slower"
    assert database._expiry_heap, "a key that expires is in the heap"
    assert not database._watches, "no client watches it"
    assert not database._change_callbacks, "no client is blocked on a key"


@CHECKS.of("FakeServer._next_client_id, dbs, sockets and others")
def _a_server_consists_of_what_can_be_emptied():
    server = _filled()
    assert vars(server).keys() == _KEPT, "servers are no longer reused, which is slower"
    number = server._next_client_id
    assert server.get_next_client_id() == number, "clients are numbered"
    assert server._next_client_id == number + 1
    assert not server.lock.locked()
