"""Footprints against the real layers: swapping independent neighbours changes nothing.

Commands go through redis-py to fakeredis; what the table calls independent is swapped, and every
reply and everything that is stored must be as before.
"""

import fakeredis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from redis.exceptions import RedisError

from pytest_supercache.core.footprint import dependent
from pytest_supercache.layers.connections import private_client
from pytest_supercache.layers.redis_commands import footprint
from pytest_supercache.layers.servers import RealServer

COMMANDS = [
    *("GET k", "SET k v", "SET k v NX", "SET k w XX", "SETNX k v", "GETSET k w", "GETDEL k"),
    *("APPEND k z", "STRLEN k", "SETRANGE k 1 q", "INCR k", "DECR k", "DEL k", "DEL k l"),
    *("UNLINK k", "EXISTS k", "EXISTS k l", "TYPE k", "RENAME k l", "RENAMENX k l", "COPY k l"),
    *("MGET k l", "MSET k 1 l 2", "MSETNX k 1 l 2", "EXPIRE k 100", "TTL k", "PERSIST k"),
    *("SETEX k 100 v", "DBSIZE", "FLUSHDB", "HSET k f 1", "HGET k f", "HDEL k f", "HGETALL k"),
    *("HINCRBY k f 1", "LPUSH k v", "RPUSH k w", "LPOP k", "LRANGE k 0 -1", "LMOVE k l LEFT RIGHT"),
    *("RPOPLPUSH k l", "SADD k m", "SREM k m", "SMEMBERS k", "SMOVE k l m", "SUNION k l"),
    *("SINTERSTORE l k", "SUNIONSTORE l k", "SDIFF k l", "ZADD k 1 m", "ZINCRBY k 1 m"),
    *("ZRANGE k 0 -1", "ZUNIONSTORE l 1 k", "ZREM k m", "PFADD k m", "PFCOUNT k", "PFMERGE l k"),
    *("SETBIT k 3 1", "GETBIT k 3", "BITOP NOT l k", "BITCOUNT k", "KEYS *", "SORT k ALPHA"),
    *("SORT k ALPHA STORE l", "OBJECT ENCODING k", "PING", "PUBLISH k v"),
]
WORDS = st.sampled_from(COMMANDS)
NAMES = st.sampled_from(["a", "b", "c"])
COMMAND = st.builds(
    lambda words, k, other: tuple({"k": k, "l": other}.get(word, word) for word in words.split()),
    WORDS, NAMES, NAMES,
)  # fmt: skip


def plain(reply):
    """Forget the order in which sets and the keyspace are listed."""
    if isinstance(reply, set | frozenset):
        return sorted(reply)
    return reply


def reply_of(client, command):
    try:
        reply = client.execute_command(*command)
    except RedisError as error:
        return type(error).__name__, str(error)
    return sorted(reply) if command[0] in {"KEYS", "SMEMBERS", "SUNION", "SDIFF"} else plain(reply)


def stored(client):
    """Everything there is, with the time it has left."""
    looks = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": lambda key: sorted(client.smembers(key)),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {
        key: (looks[client.type(key).decode()](key), client.ttl(key) >= 0)
        for key in sorted(client.keys())
    }


def outcome(client, commands, order):
    """Run commands in an order; return replies by position and what is stored."""
    client.flushall()
    replies = {at: reply_of(client, commands[at]) for at in order}
    return replies, stored(client)


def swapped(commands, at):
    order = list(range(len(commands)))
    order[at], order[at + 1] = order[at + 1], order[at]
    return order


@st.composite
def swaps(draw):
    commands = draw(st.lists(COMMAND, min_size=2, max_size=8))
    at = draw(st.integers(0, len(commands) - 2))
    return commands, at


CLIENT = fakeredis.FakeRedis(server=fakeredis.FakeServer())


@given(swaps())
def test_swapping_independent_neighbours_changes_nothing(swap):
    commands, at = swap
    assume(not dependent(footprint(commands[at]), footprint(commands[at + 1])))
    straight = outcome(CLIENT, commands, range(len(commands)))
    assert outcome(CLIENT, commands, swapped(commands, at)) == straight


def test_what_is_called_dependent_often_does_matter():
    """The twin: a table that called everything dependent would pass the law and be useless."""
    pairs = [
        ("SET a 1", "GET a"),
        ("SET a 1", "SET a 2"),
        ("DEL a", "SET a 1"),
        ("INCR a", "GET a"),
    ]
    for pair in pairs:
        commands = [tuple(command.split()) for command in pair]
        assert dependent(footprint(commands[0]), footprint(commands[1]))
        assert outcome(CLIENT, commands, [0, 1]) != outcome(CLIENT, commands, [1, 0])
    for pair in [("SET a 1", "SET b 1"), ("GET a", "GET a"), ("KEYS *", "GET a")]:
        commands = [tuple(command.split()) for command in pair]
        assert not dependent(footprint(commands[0]), footprint(commands[1]))


@pytest.fixture(scope="module")
def real_client():
    server = RealServer("redis-server")
    client = private_client(lambda: server.connection({}))
    yield client
    client.connection_pool.disconnect()
    server.close()


@pytest.mark.redis_server
def test_swapping_independent_neighbours_changes_nothing_on_a_real_server(real_client):
    @given(swaps())
    def law(swap):
        commands, at = swap
        assume(not dependent(footprint(commands[at]), footprint(commands[at + 1])))
        straight = outcome(real_client, commands, range(len(commands)))
        assert outcome(real_client, commands, swapped(commands, at)) == straight

    law()
