"""Code that takes an error of its cache for a miss, where the stand-in cannot do what is asked."""

import asyncio

import pytest
import redis
import redis.asyncio
import valkey

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.soundness.truth import broken, right, systems_of

STALE = "who missed keeps the old price after the new one was set"
NEVER = "no server knows the command: the cache is never used"


class Shop:
    """Reads prices through a cache and does without it when it fails."""

    def __init__(self, world, look, keep):
        self.prices, self.look, self.keep = world.origin, look, keep
        self.prices.set("k", "1")

    def read(self):
        found = self._unless_it_fails(self.look)
        if found is None:
            found = self.prices.get("k")
            self._unless_it_fails(self.keep, found)
        return found

    def _unless_it_fails(self, command, *args):
        try:
            return command(*args)
        except (redis.RedisError, valkey.ValkeyError, OSError):
            return None


def _changed_while_read(world, look, keep):
    client = world.existing_cache.client(decode_responses=True)
    shop = Shop(world, look, keep)

    def change():
        world.origin.set("k", "2")
        client.delete("k")

    world.actor("reader", shop.read)
    world.actor("writer", change)
    world.run()
    assert client.get("k") in (None, world.origin.get("k"))


def _asked_first(world, *words):
    """A cache that is read only when the server has answered a question."""
    client = world.existing_cache.client(decode_responses=True)

    def look():
        client.execute_command(*words)
        return client.get("k")

    def keep(price):
        client.execute_command(*words)
        client.set("k", price)

    _changed_while_read(world, look, keep)


@broken(STALE, unknown="INFO: fakeredis")
def the_version_of_the_server_is_asked(world):
    _asked_first(world, "INFO")


@right(NEVER)
def a_command_is_misspelled(world):
    _asked_first(world, "GTE", "k")


@broken(STALE, unknown="FCALL k: this fakeredis runs no scripts")
def a_function_of_the_server_reads(world):
    client = world.existing_cache.client()
    _changed_while_read(
        world,
        lambda: client.fcall("near_get", 1, "k"),
        lambda price: client.fcall("near_put", 1, "k", price),
    )


@right("it greets the server when it connects, which is no question of the code")
def a_client_says_who_it_is(world):
    client = redis.Redis(decode_responses=True, protocol=3, client_name="shop")
    world.actor("reader", client.get, "k")
    world.actor("writer", client.set, "k", "1")
    world.run()
    assert client.get("k") == "1"


@broken(STALE, unknown="OBJECT: fakeredis")
def the_age_of_a_key_is_asked(world):
    _asked_first(world, "OBJECT", "IDLETIME", "k")


@right(NEVER)
def a_subcommand_is_misspelled(world):
    _asked_first(world, "CONFIG", "GTE", "k")


@broken(STALE, unknown="JSON.GET: fakeredis")
def a_module_of_the_server_keeps_documents(world):
    client = world.existing_cache.client()
    _changed_while_read(
        world, lambda: client.json().get("k"), lambda price: client.json().set("k", "$", price)
    )


@right(NEVER)
def a_command_is_misspelled_in_a_pipeline(world):
    _asked_in_a_pipeline(world, "TUOCH", raises=False, transaction=False)


def _asked_in_a_pipeline(world, word, *, raises, transaction):
    client = world.existing_cache.client(decode_responses=True)

    def look():
        pipeline = client.pipeline(transaction=transaction)
        pipeline.get("k")
        pipeline.execute_command(word, "k")
        found, touched = pipeline.execute(raise_on_error=raises)
        return None if isinstance(touched, Exception) else found

    def keep(price):
        look()
        if word == "TOUCH":
            client.set("k", price)

    _changed_while_read(world, look, keep)


@broken(STALE, unknown="TOUCH: fakeredis")
def a_pipeline_sends_it_and_looks_at_its_answers(world):
    _asked_in_a_pipeline(world, "TOUCH", raises=False, transaction=False)


@right(NEVER)
def a_command_is_misspelled_in_a_transaction(world):
    _asked_in_a_pipeline(world, "TUOCH", raises=True, transaction=True)


@broken(STALE, unknown="TOUCH: fakeredis")
def a_transaction_sends_it_and_raises(world):
    _asked_in_a_pipeline(world, "TOUCH", raises=True, transaction=True)


@right(NEVER)
def a_command_of_valkey_is_misspelled(world):
    _asked_of_valkey(world, "MEMROY")


def _asked_of_valkey(world, word):
    client = valkey.Valkey("shop.cache", decode_responses=True)

    def look():
        client.execute_command(word, "USAGE", "k")
        return client.get("k")

    def keep(price):
        look()
        client.set("k", price)

    _changed_while_read(world, look, keep)


@broken(STALE, unknown="MEMORY: fakeredis")
def a_client_of_valkey_sends_it(world):
    _asked_of_valkey(world, "MEMORY")


async def _changed_while_awaited(world, ask, *, fails=redis.RedisError):
    client = world.existing_cache.aclient(decode_responses=True)
    await world.origin.aio.set("k", "1")

    async def read():
        try:
            found = await ask()
        except fails:
            return await world.origin.aio.get("k")
        if found is None:
            found = await world.origin.aio.get("k")
            await client.set("k", found)
        return found

    async def change():
        await world.origin.aio.set("k", "2")
        await client.delete("k")

    world.actor("reader", read)
    world.actor("writer", change)
    await world.run()
    assert await client.get("k") in (None, await world.origin.aio.get("k"))


@broken(STALE, unknown="TOUCH: fakeredis")
async def a_task_awaits_it(world):
    client = world.existing_cache.aclient(decode_responses=True)

    async def ask():
        await client.touch("k")
        return await client.get("k")

    await _changed_while_awaited(world, ask)


@right(NEVER)
async def a_task_awaits_a_misspelled_one(world):
    client = world.existing_cache.aclient(decode_responses=True)
    await _changed_while_awaited(world, lambda: client.execute_command("TUOCH", "k"))


@broken(STALE, unknown="TOUCH: fakeredis")
async def a_task_sends_it_in_a_pipeline(world):
    client = world.existing_cache.aclient(decode_responses=True)

    async def ask():
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.get("k").execute_command("TOUCH", "k")
            return (await pipeline.execute())[0]

    await _changed_while_awaited(world, ask)


@right("it is led to the cache, whatever host it names")
async def a_task_makes_a_client_of_its_own(world):
    client = redis.asyncio.Redis(host="cache.invalid")
    world.actor("reader", client.get, "k")
    world.actor("writer", client.set, "k", "1")
    await world.run()
    assert await client.get("k") == b"1"


CLUSTER = "uses a Redis Cluster"
SENTINEL = "asks Redis Sentinel for its server"


@broken(STALE, unknown=SENTINEL)
def a_sentinel_is_asked_for_the_master(world):
    def client():
        sentinel = redis.sentinel.Sentinel([("sentinel.invalid", 26379)])
        return sentinel.master_for("shop", decode_responses=True)

    _through(world, client)


@right("it is led to the cache, whatever host it names")
def a_client_of_its_own_is_made(world):
    client = redis.Redis(host="cache.invalid")
    world.actor("reader", client.get, "k")
    world.actor("writer", client.set, "k", "1")
    world.run()
    assert client.get("k") == b"1"


def _through(world, make):
    made = []

    def client():
        if not made:
            made.append(make())
        return made[0]

    def failing_open(name, *args):
        try:
            return getattr(client(), name)(*args)
        except Exception:  # noqa: BLE001 - code that swallows everything is what is tested
            return None

    _changed_while_read(
        world, lambda: failing_open("get", "k"), lambda price: failing_open("set", "k", price)
    )


@broken(STALE, unknown=CLUSTER)
def a_cluster_is_asked(world):
    _through(world, lambda: redis.RedisCluster(host="cluster.invalid"))


@broken(STALE, unknown=CLUSTER)
def a_cluster_of_valkey_is_asked(world):
    _through(world, lambda: valkey.ValkeyCluster(host="cluster.invalid"))


@broken(STALE, unknown=SENTINEL)
async def a_task_asks_a_sentinel(world):
    sentinel = redis.asyncio.Sentinel([("sentinel.invalid", 26379)])
    master = sentinel.master_for("shop", decode_responses=True)
    await _changed_while_awaited(world, lambda: master.get("k"), fails=Exception)


@broken(STALE, unknown=SENTINEL)
async def a_task_discovers_the_master(world):
    sentinel = redis.asyncio.Sentinel([("sentinel.invalid", 26379)])
    await _changed_while_awaited(world, lambda: sentinel.discover_master("shop"), fails=Exception)


@broken(STALE, unknown=CLUSTER)
async def a_task_asks_a_cluster(world):
    async def ask():
        async with asyncio.timeout(5), redis.asyncio.RedisCluster(host="cluster.invalid") as all_:
            return await all_.get("k")

    await _changed_while_awaited(world, ask, fails=Exception)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


@pytest.mark.redis_server
def test_a_server_that_knows_the_command_is_raced_and_one_without_the_module_proves_nothing():
    server = start_server("redis-server")

    def found(body):
        return check_on(server, body, Exploration(), guarantees=())

    assert found(the_version_of_the_server_is_asked).verdict is Verdict.VIOLATED
    result = found(a_module_of_the_server_keeps_documents)
    assert result.verdict is Verdict.UNKNOWN
    assert result.reasons[0].startswith("JSON.GET: redis-server")
    server.close()
