"""valkey-py goes through the same doors as redis-py, to the same cache, with its own errors."""

import pytest
import valkey._cache
import valkey.asyncio

from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.adapters.flows import counting, is_conflict, judged


def read_and_store(client):
    client.set("n", int(client.get("n") or 0) + 1)


def increment(client):
    client.incr("n")


def transaction(client):
    def count(pipeline):
        number = int(pipeline.get("n") or 0)
        pipeline.multi()
        pipeline.set("n", number + 1)

    client.transaction(count, "n")


@pytest.mark.parametrize(
    ("bump", "conflict"), [(read_and_store, True), (increment, False), (transaction, False)]
)
def test_two_users_lose_a_count_unless_the_server_counts(bump, conflict):
    result = counting(lambda _: valkey.Valkey("production"), bump, lambda client: client.get("n"))
    assert is_conflict(result) is conflict


def test_both_libraries_see_one_cache_and_valkey_raises_its_own_errors():
    def body(world):
        world.existing_cache.client().set("text", "x")
        client = valkey.Valkey("production")
        world.actor("a", client.get, "text")
        world.run()
        assert client.get("text") == b"x"
        with pytest.raises(valkey.ResponseError):
            client.incr("text")

    assert not is_conflict(judged(body))


async def read_and_store_awaited(client):
    await client.set("n", int(await client.get("n") or 0) + 1)


async def increment_awaited(client):
    await client.incr("n")


async def transaction_awaited(client):
    async def count(pipeline):
        number = int(await pipeline.get("n") or 0)
        pipeline.multi()
        pipeline.set("n", number + 1)

    await client.transaction(count, "n")


@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(read_and_store_awaited, True), (increment_awaited, False), (transaction_awaited, False)],
)
def test_two_coroutines_lose_a_count_unless_the_server_counts(bump, conflict):
    async def body(world):
        client = valkey.asyncio.Valkey(host="production")
        world.actor("a", bump, client)
        world.actor("b", bump, client)
        await world.run()
        assert await client.get("n") == b"2"

    assert is_conflict(judged(body)) is conflict


@pytest.mark.parametrize(
    "backend", ["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)]
)
@pytest.mark.parametrize("options", [{"cache_enabled": True}, {"client_cache": "LocalCache"}])
def test_its_cache_on_the_clients_side_is_refused_in_words(backend, options):
    if "client_cache" in options:
        options = {"client_cache": valkey._cache._LocalCache()}

    def body(world):
        client = valkey.Valkey("production", protocol=3, **options)
        world.actor("alice", client.get, "k")
        world.run()

    server = start_server(backend)
    try:
        with pytest.raises(SupercacheError, match="client-side caching of valkey-py"):
            check_on(server, body, Exploration())
    finally:
        server.close()


def test_without_a_cache_the_same_client_is_under_control():
    def body(world):
        client = valkey.Valkey("production", protocol=3, cache_enabled=False)
        world.actor("alice", client.get, "k")
        world.run()

    assert not is_conflict(judged(body))
