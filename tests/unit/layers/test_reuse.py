"""What serves the next execution is as good as new, or is not used again."""

import asyncio
import threading
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from pytest_supercache import Verdict, check
from pytest_supercache.layers.connections import channel_of, private_client
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.fake_server import FakeRedisServer

COMMANDS = {
    "a subscription": lambda client: client.pubsub().subscribe("news"),
    "a client's name": lambda client: client.client_setname("mine"),
    "a setting": lambda client: client.config_set("maxmemory", "1mb"),
    "an error": lambda client: client.incrby("k", "one"),
}


def looks(client):
    return {
        "id": client.client_id(),
        "name": client.client_getname(),
        "channels": client.pubsub_channels(),
        "other keys": [key for key in client.keys("*") if key != "k"],
    }


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_execution_begins_with_the_same_server(command):
    """When alice goes first, only plain commands are sent: their server may be used again."""
    seen, kept = [], []

    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def look():
            if client.get("k") is None:
                client.set("another", "v")
                client.delete("another")
                seen.append(looks(client))
                with suppress(ResponseError):  # one of the commands is refused
                    kept.append(command(client))

        world.actor("alice", lambda: client.set("k", "v"))
        world.actor("bob", look)
        world.run()

    result = check(body, search="all-schedules", guarantees=())
    assert result.verdict is Verdict.HOLDS
    assert len(seen) > 3
    assert all(look == seen[0] for look in seen)
    assert all(look == seen[0] for look in seen)
    assert seen[0]["other keys"] == []


def test_a_server_that_is_emptied_has_no_keys_times_or_databases_left():
    sizes = []

    def body(world):
        client = world.existing_cache.client()
        sizes.append(client.dbsize())

        def flow():
            client.set("k", "v", ex=10)
            client.rpush("list", "a")

        world.actor("alice", flow)
        world.run()
        assert world.existing_cache.deadline(leases_only=False) == pytest.approx(10, abs=0.1)

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.HOLDS
    assert set(sizes) == {0}


def test_a_lock_that_a_project_has_put_in_the_place_of_threading_s_is_no_obstacle(monkeypatch):
    """Before Python 3.14 an RLock does not say whether it is held."""
    monkeypatch.setattr(threading, "Lock", threading.RLock)

    def body(world):
        client = world.existing_cache.client()
        for name in "ab":
            world.actor(name, client.set, "k", name)
        world.run()

    assert check(body, guarantees=[]).verdict is Verdict.HOLDS


def test_a_connection_that_served_our_own_looks_is_not_taken_for_one_of_them():
    server = FakeRedisServer()
    cache = ExistingCache(server)
    cache.is_observed = True
    cache.reset({"k": "v"})
    cache.reset({})  # the one of our look at k is idle now
    connections = [cache.connect({}) for _ in range(2)]
    assert not any(channel_of(connection).is_private for connection in connections)
    assert channel_of(private_client(lambda: cache.connect({})).connection_pool).is_private


def test_after_anything_else_no_connection_is_used_again():
    server = FakeRedisServer()
    idle = server.connection({})
    idle.connect()
    server.reset(was_plain=True)
    server.reset(was_plain=False)
    assert server.connection({}) is not idle


def test_an_asyncio_connection_belongs_to_the_loop_of_each_execution():
    server = FakeRedisServer()

    async def use(expected=None):
        connection = server.aconnection({})
        assert expected is None or connection is expected
        await connection.connect()
        socket = connection._sock
        assert socket._event_loop is asyncio.get_running_loop()
        waiting = asyncio.create_task(connection.read_response())  # binds the queue to this loop
        await asyncio.sleep(0)
        await connection.send_command("PING")
        assert await waiting == b"PONG"
        return connection

    connection = asyncio.run(use())
    server.reset(was_plain=True)
    assert connection._sock._event_loop is None
    asyncio.run(use(connection))


async def connected(server):
    connection = server.aconnection({})
    await connection.connect()
    return connection


def test_an_asyncio_connection_that_cannot_change_its_loop_is_not_used_again():
    server = FakeRedisServer()

    connection = asyncio.run(connected(server))
    connection._sock.takes_fields = False  # a fakeredis that we do not know
    server.reset(was_plain=True)
    assert asyncio.run(connected(server)) is not connection


def test_without_a_loop_an_asyncio_connection_is_a_new_one():
    server = FakeRedisServer()

    connection = asyncio.run(connected(server))
    server.reset(was_plain=True)
    assert server.aconnection({}) is not connection
    assert asyncio.run(connected(server)) is connection


ASYNC_COMMANDS = {
    "a subscription": lambda client: client.pubsub().subscribe("news"),
    "a client's name": lambda client: client.client_setname("mine"),
    "a pipeline": lambda client: client.pipeline().set("p", 1).client_setname("mine").execute(),
    "an error": lambda client: client.incrby("k", "one"),
    "by hand": lambda client: by_hand(client),
}


async def by_hand(client):
    connection = await client.connection_pool.get_connection()
    await connection.send_packed_command(connection.pack_command("CLIENT", "SETNAME", "mine"))
    await connection.read_response()
    await client.connection_pool.release(connection)


@pytest.mark.parametrize("command", ASYNC_COMMANDS.values(), ids=ASYNC_COMMANDS)
def test_every_execution_on_asyncio_begins_with_the_same_server(command):
    seen, kept = [], []

    async def body(world):
        client = world.existing_cache.aclient(decode_responses=True)

        async def look():
            if await client.get("k") is None:
                await client.set("another", "v")
                await client.delete("another")
                keys = [key for key in await client.keys("*") if key != "k"]
                looks = await client.client_id(), await client.client_getname(), keys
                seen.append((*looks, await client.pubsub_channels()))
                with suppress(ResponseError):  # one of the commands is refused
                    kept.append(await command(client))

        async def fill():
            await client.set("k", "v")

        world.actor("alice", fill)
        world.actor("bob", look)
        await world.run()

    result = check(body, search="all-schedules", guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert len(seen) > 3
    assert all(look == seen[0] for look in seen)
    assert seen[0][2] == []


def test_copies_of_a_client_share_nothing_that_changes():
    cache = ExistingCache(FakeRedisServer())
    for make in (cache.client, cache.aclient):
        first, second, third = (make(decode_responses=True) for _ in range(3))
        for one, other in ((first, second), (second, third)):
            assert type(one) is type(other)
            assert vars(one).keys() == vars(other).keys()
            assert vars(one.connection_pool).keys() == vars(other.connection_pool).keys()
            assert shared(one, other) <= {"rows", "_event_dispatcher"}  # until somebody asks
            assert shared(one.connection_pool, other.connection_pool) <= {
                "connection_class", "encoder_class", "_event_dispatcher", "_pool_id",
            }  # fmt: skip
        handler = second.connection_pool.connection_kwargs.get("maint_notifications_pool_handler")
        kwargs = second.connection_pool.connection_kwargs
        assert handler is None or handler.pool.connection_kwargs is kwargs
        rows = dict(third.rows)
        second.set_response_callback("GET", lambda _answer: "mine")
        assert "GET" in second.response_callbacks
        assert "GET" not in third.response_callbacks
        assert third.rows == rows
        for part, same in ((second, third), (second.connection_pool, third.connection_pool)):
            assert_that_listeners_are_its_own(part._event_dispatcher, same._event_dispatcher)


def assert_that_listeners_are_its_own(one, other):
    before = {event: list(told) for event, told in other._event_listeners_mapping.items()}
    assert one._event_listeners_mapping == before
    one.register_listeners({int: [print]})
    assert one._event_listeners_mapping != before
    assert other._event_listeners_mapping == before


def shared(one, other):
    """Name what two objects have in common, plain values left out."""
    plain = (type(None), bool, int, str)
    return {
        name
        for name, value in vars(one).items()
        if value is vars(other)[name] and not isinstance(value, plain)
    }


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"max_connections": 2}])
def test_a_client_tells_its_address_as_one_of_redis_py_does(options):
    address = {"host": "localhost", "port": 6379, "db": 0}
    cache = ExistingCache(FakeRedisServer())
    for client in (cache.client(**options), cache.client(**options), cache.aclient(**options)):
        assert address.items() <= client.connection_pool.connection_kwargs.items()
    other = cache.client(db=3, **options).connection_pool.connection_kwargs
    assert other["db"] == 3
