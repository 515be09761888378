"""Commands that go over as fields arrive as those do that go over as bytes."""

import asyncio
import threading

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache.layers.fake_connection import (
    AsyncFieldsConnection,
    CommandFields,
    FieldsConnection,
)
from pytest_supercache.layers.fake_server import FakeRedisServer


class Bytes(FieldsConnection):
    """Sends what redis-py has written down."""

    def send_command(self, *args, **options):
        self.send_packed_command(self.pack_command(*args), **options)


def arrived(kind, *args, encoding="utf-8"):
    """Return the fields that a server has read of a command, or how the client refuses it."""
    connection = kind(server=FakeRedisServer()._make(), encoding=encoding)
    connection.connect()
    got = []
    connection._sock._process_command = lambda fields: got.append(list(fields))
    try:
        connection.send_command(*args)
    except redis.DataError as error:
        return str(error)
    return got


WORDS = st.one_of(
    st.text(max_size=5),
    st.binary(max_size=5),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=5).map(bytearray),
    st.binary(max_size=5).map(memoryview),
    st.booleans(),
    st.none(),
)


class AsyncBytes(AsyncFieldsConnection):
    """Sends what redis-py has written down, on asyncio."""

    async def send_command(self, *args, **options):
        await self.send_packed_command(self.pack_command(*args), **options)


def arrived_on_a_loop(kind, *args, encoding="utf-8"):
    """Return the same of an asyncio connection."""

    async def send():
        connection = kind(server=FakeRedisServer()._make(), encoding=encoding)
        await connection.connect()
        got = []
        connection._sock._process_command = lambda fields: got.append(list(fields))
        try:
            await connection.send_command(*args)
        except redis.DataError as error:
            return str(error)
        return got

    return asyncio.run(send())


NAMES = st.sampled_from(
    ["GET", "CONFIG GET", "  SET ", b"GET", b"CONFIG GET", b"X\tY", b" A  B ", "A\tB"]
)


@given(name=NAMES, args=st.lists(WORDS, max_size=4), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_the_same_arrives_as_over_the_wire(name, args, encoding):
    sent = arrived(FieldsConnection, name, *args, encoding=encoding)
    assert sent == arrived(Bytes, name, *args, encoding=encoding)
    assert all(
        type(field) is bytes for fields in sent if isinstance(sent, list) for field in fields
    )


@settings(max_examples=30)
@given(name=NAMES, args=st.lists(WORDS, max_size=4), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_the_same_arrives_as_over_the_wire_on_asyncio(name, args, encoding):
    sent = arrived_on_a_loop(AsyncFieldsConnection, name, *args, encoding=encoding)
    assert sent == arrived_on_a_loop(AsyncBytes, name, *args, encoding=encoding)


@pytest.mark.parametrize("kind", [AsyncFieldsConnection, AsyncBytes])
def test_what_is_sent_while_a_command_blocks_waits_for_it(kind):
    async def send():
        server = FakeRedisServer()._make()
        blocked, other = kind(server=server), AsyncFieldsConnection(server=server)
        await blocked.connect()
        await other.connect()
        await blocked.send_command("BLPOP", "list", 0)
        await blocked.send_command("SET", "k", b"v\r\n$")
        await other.send_command("GET", "k")
        before = await other.read_response()
        await other.send_command("RPUSH", "list", "a")
        answers = [await blocked.read_response(), await blocked.read_response()]
        await other.send_command("GET", "k")
        answers += [await other.read_response() for _ in range(2)]
        return before, answers

    assert asyncio.run(send()) == (None, [[b"list", b"a"], b"OK", 1, b"v\r\n$"])


def test_a_large_value_arrives_in_one_piece():
    value = b"v" * 1_000_000
    assert arrived(FieldsConnection, "SET", "k", value) == [[b"SET", b"k", value]]


def client_on(server):
    connection = FieldsConnection(server=server._server)
    pool = redis.ConnectionPool()
    pool.make_connection = lambda: connection
    return redis.Redis(connection_pool=pool), connection


def test_fields_and_bytes_take_turns_on_one_connection():
    server = FakeRedisServer()
    client, connection = client_on(server)
    sent = []
    through = connection.send_packed_command
    connection.send_packed_command = lambda command, **options: (
        sent.extend(command),
        through(command, **options),
    )
    client.set("a", 1)
    with client.pipeline() as pipeline:
        assert pipeline.set("b", 2).get("a").execute() == [True, b"1"]
    assert client.get("b") == b"2"
    kinds = [type(item) is CommandFields for item in sent]
    assert kinds[0]
    assert kinds[-1]
    assert not all(kinds)


def test_a_lost_connection_is_told_as_fakeredis_tells_it():
    server = FakeRedisServer()
    client, connection = client_on(server)
    client.set("a", 1)
    server._server.connected = False
    assert connection.can_read()  # as redis-py expects it of a connection that is lost
    with pytest.raises(redis.ConnectionError):
        client.get("a")
    server._server.connected = True
    assert client.get("a") == b"1"


def test_a_connection_that_was_killed_says_so_at_its_next_command():
    server = FakeRedisServer()
    client, connection = client_on(server)
    other, _ = client_on(server)
    client.set("a", 1)
    other.client_kill_filter(_id=client.client_id())
    connection.retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with pytest.raises(redis.ConnectionError):
        client.get("a")


def test_an_answer_is_there_to_be_read_until_it_was_read():
    connection = FieldsConnection(server=FakeRedisServer()._server)
    connection.connect()
    assert not connection.can_read()
    connection.send_command("PING")
    assert connection.can_read()
    assert connection.can_read(1.0)
    assert connection.read_response() == b"PONG"
    assert not connection.can_read()
    assert not connection.can_read(0.01)


def test_who_waits_for_an_answer_without_a_limit_waits():
    connection = FieldsConnection(server=FakeRedisServer()._server)
    connection.connect()
    seen = []
    waiting = threading.Thread(target=lambda: seen.append(connection.can_read(None)))
    waiting.start()
    waiting.join(0.05)
    assert not seen
    connection.send_command("PING")
    waiting.join(5.0)
    assert seen == [True]
