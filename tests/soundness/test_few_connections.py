"""Pools with fewer connections than users: a command that finds all in use is refused."""

import threading

import pytest
import redis
import redis.asyncio
import valkey

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.soundness.truth import broken, right, systems_of

REFUSED = (redis.exceptions.MaxConnectionsError, valkey.exceptions.ConnectionError)


def _own(connections, kind=redis.ConnectionPool):
    return redis.Redis(connection_pool=kind(host="elsewhere", max_connections=connections))


def _watch(client):
    with client.pipeline() as pipeline:
        pipeline.watch("k")
        pipeline.get("k")
        pipeline.unwatch()


def _two(world, first, second=None):
    world.actor("first", first)
    world.actor("second", second or first)
    world.run()


@broken("one user needs two connections of a pool that has one")
def one_user_watches_twice_at_once(world):
    client = _own(1)

    def use():
        with client.pipeline() as first, client.pipeline() as second:
            first.watch("k")
            second.watch("k")

    world.actor("user", use)
    world.run()


@broken("a subscription keeps the only connection")
def a_subscription_and_a_command(world):
    client = world.existing_cache.client(max_connections=1)

    def use():
        subscription = client.pubsub()
        subscription.subscribe("channel")
        return client.get("k")

    world.actor("user", use)
    world.run()


@right("a subscription that nobody has any more has given its connection back")
def a_subscription_that_is_dropped_and_a_command(world):
    client = world.existing_cache.client(max_connections=1)

    def use():
        client.pubsub().subscribe("channel")
        client.get("k")

    world.actor("user", use)
    world.run()


@broken("the second user needs a connection while a pipeline watches on the only one")
def two_users_watch(world):
    client = redis.Redis(max_connections=1)
    _two(world, lambda: _watch(client))


@broken("the second user needs a connection while the first one waits for an answer")
def two_users_read(world):
    client = _own(1)
    _two(world, lambda: client.get("k"))


@broken("the only connection is that of a client which the tool has made")
def two_users_of_a_given_client_read(world):
    client = world.existing_cache.client(max_connections=1)
    _two(world, lambda: client.get("k"))


@broken("three users of a pool of two", executions=2_000)
def three_users_read(world):
    client = _own(2)
    world.actor("third", client.get, "k")
    _two(world, lambda: client.get("k"))


@broken("the pool of valkey-py refuses as well")
def two_users_of_valkey_read(world):
    client = valkey.Valkey(connection_pool=valkey.ConnectionPool(max_connections=1))
    _two(world, lambda: client.get("k"))


@broken("the second coroutine needs a connection while the first one awaits its answer")
async def two_coroutines_read(world):
    pool = redis.asyncio.ConnectionPool(host="elsewhere", max_connections=1)
    client = redis.asyncio.Redis(connection_pool=pool)
    for name in ("first", "second"):
        world.actor(name, client.get, "k")
    await world.run()


@broken("a pipeline without a transaction keeps the only connection until its end")
def a_pipeline_and_a_command(world):
    client = _own(1)

    def write():
        client.pipeline(transaction=False).set("x", "1").set("y", "1").execute()

    _two(world, write, lambda: client.get("k"))


@right("there is a connection for everybody")
def two_users_of_two_connections_watch(world):
    client = redis.Redis(max_connections=2)
    _two(world, lambda: _watch(client))


@right("a lock keeps the users apart")
def two_users_with_a_lock_read(world):
    client, lock = _own(1), threading.Lock()

    def use():
        with lock:
            client.get("k")

    _two(world, use)


@right("the user catches the error")
def two_users_who_are_ready_to_be_refused(world):
    client = _own(1)

    def use():
        try:
            client.get("k")
        except REFUSED:
            return

    _two(world, use)


@right("the only connection is free again when the next user comes")
def one_user_after_another(world):
    client = _own(1)
    world.actor("first", client.set, "k", "v")
    world.run()
    assert client.get("k") == b"v"


@right("a blocking pool lets wait for the only connection")
def two_users_of_a_blocking_pool_read(world):
    client = _own(1, redis.BlockingConnectionPool)
    _two(world, lambda: client.get("k"))


@right("a wait for a connection is not controlled", unknown="max_connections=2)")
def two_users_of_a_blocking_pool_watch(world):
    client = _own(1, redis.BlockingConnectionPool)
    _two(world, lambda: _watch(client))


@right("the pool is as large as the reason above advises")
def two_users_of_a_larger_blocking_pool_watch(world):
    client = _own(2, redis.BlockingConnectionPool)
    _two(world, lambda: _watch(client))


@pytest.fixture(
    scope="module",
    params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)],
)
def server(request):
    started = start_server(request.param)
    yield started
    started.close()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system, server):
    system.must_be_told(server)


KEPT = redis.Redis(connection_pool=redis.ConnectionPool(port=1, max_connections=1))
"""A client that a module keeps, connected to nothing."""


def test_a_kept_client_that_is_replaced_keeps_the_size_of_its_pool():
    def body(world):
        world.actor("first", lambda: KEPT.get("k"))
        world.actor("second", lambda: KEPT.get("k"))
        world.run()

    kept = [f"{__name__}:KEPT"]
    settings = Exploration(odds=Simulation(runs=0))
    server = start_server("fakeredis")
    try:
        result = check_on(server, body, settings, guarantees=(), clients=kept)
    finally:
        server.close()
    assert result.verdict is Verdict.VIOLATED, result.reasons
