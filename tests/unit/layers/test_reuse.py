"""What serves the next execution is as good as new, or is not used again."""

from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from pytest_supercache import Verdict, check
from pytest_supercache.layers.connections import PRIVATE, private_client
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


def test_a_connection_that_served_our_own_looks_is_not_taken_for_one_of_them():
    server = FakeRedisServer()
    cache = ExistingCache(server)
    cache.is_observed = True
    cache.reset({"k": "v"})
    cache.reset({})  # the one of our look at k is idle now
    connections = [cache.connect({}) for _ in range(2)]
    assert not any(getattr(connection, PRIVATE) for connection in connections)
    assert getattr(private_client(lambda: cache.connect({})).connection_pool, PRIVATE)


def test_after_anything_else_no_connection_is_used_again():
    server = FakeRedisServer()
    idle = server.connection({})
    idle.connect()
    server.reset(was_plain=True)
    server.reset(was_plain=False)
    assert server.connection({}) is not idle
