"""Code that takes an error of its cache for a miss, where the stand-in cannot do what is asked."""

import asyncio
from contextlib import suppress
from importlib.util import find_spec
from itertools import product

import pytest
import redis
import redis.asyncio
import valkey

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.selection import few
from tests.soundness.truth import broken, right, systems_of

STALE = "who missed keeps the old price after the new one was set"
NEVER = "each server gives this error for such data: the cache is never used"


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
def a_list_is_asked_for_where_a_text_is(world):
    world.existing_cache.client().set("text", "v")
    _asked_first(world, "LLEN", "text")


FUNCTIONS = """#!lua name=near
redis.register_function("near_get", function(keys) return redis.call("GET", keys[1]) end)
redis.register_function("near_put", function(keys, args) redis.call("SET", keys[1], args[1]) end)
"""


def _by_functions(world, *loaded):
    client = world.existing_cache.client()
    for library in loaded:
        client.function_load(library)
    _changed_while_read(
        world,
        lambda: client.fcall("near_get", 1, "k"),
        lambda price: client.fcall("near_put", 1, "k", price),
    )


@broken(STALE, unknown="FCALL k: the server here begins without functions")
def functions_of_the_server_of_production_read_and_write(world):
    _by_functions(world)


@right("functions that nobody calls")
def functions_are_loaded_and_not_used(world):
    client = world.existing_cache.client()
    client.function_load(FUNCTIONS)
    _changed_while_read(world, lambda: None, lambda price: None)


@broken(STALE)
def functions_that_are_loaded_read_and_write(world):
    _by_functions(world, FUNCTIONS)


@right("a function is one step of the server")
def a_function_counts(world):
    client = world.existing_cache.client()
    counts = """#!lua name=counts
    redis.register_function("bump", function(keys) return redis.call("INCR", keys[1]) end)
    """
    client.function_load(counts)
    world.actor("reader", client.fcall, "bump", 1, "n")
    world.actor("writer", client.fcall, "bump", 1, "n")
    world.run()
    assert client.get("n") == b"2"


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
def a_text_is_counted(world):
    world.existing_cache.client().set("text", "v")
    _asked_first(world, "INCRBY", "text", "1")


@broken(STALE, unknown="JSON.GET: fakeredis")
def a_module_of_the_server_keeps_documents(world):
    client = world.existing_cache.client()
    _changed_while_read(
        world, lambda: client.json().get("k"), lambda price: client.json().set("k", "$", price)
    )


@right(NEVER)
def a_list_is_asked_for_in_a_pipeline(world):
    _asked_in_a_pipeline(world, "LLEN", raises=False, transaction=False)


def _asked_in_a_pipeline(world, word, *, raises, transaction):
    client = world.existing_cache.client(decode_responses=True)
    client.set("text", "v")

    def look():
        pipeline = client.pipeline(transaction=transaction)
        pipeline.get("k")
        pipeline.execute_command(word, "text")
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
def a_list_is_asked_for_in_a_transaction(world):
    _asked_in_a_pipeline(world, "LLEN", raises=True, transaction=True)


@broken(STALE, unknown="TOUCH: fakeredis")
def a_transaction_sends_it_and_raises(world):
    _asked_in_a_pipeline(world, "TOUCH", raises=True, transaction=True)


@right(NEVER)
def a_client_of_valkey_asks_for_a_list(world):
    _asked_of_valkey(world, "LLEN", "text")


def _asked_of_valkey(world, *words):
    client = valkey.Valkey("shop.cache", decode_responses=True)
    client.set("text", "v")

    def look():
        client.execute_command(*words)
        return client.get("k")

    def keep(price):
        look()
        client.set("k", price)

    _changed_while_read(world, look, keep)


@broken(STALE, unknown="MEMORY: fakeredis")
def a_client_of_valkey_sends_it(world):
    _asked_of_valkey(world, "MEMORY", "USAGE", "k")


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
async def a_task_asks_for_a_list(world):
    client = world.existing_cache.aclient(decode_responses=True)
    await client.set("text", "v")
    await _changed_while_awaited(world, lambda: client.llen("text"))


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


LACKING = {
    "a condition of SET": ("SET", "lock", "v", "IFEQ", "x"),
    "how to flush": ("FLUSHALL", "SYNC"),
    "all of a stream": ("XINFO", "STREAM", "stream", "FULL", "COUNT", 1),
    "units in capital letters": ("GEOSEARCH", "places", "FROMMEMBER", "a", "BYBOX", 1, 1, "KM"),
    "what a client can do": ("CLIENT", "CAPA", "redirect"),
    "connected clients": ("CLIENT", "LIST", "TYPE", "NORMAL"),
    "whose address is": ("CLIENT", "LIST", "ID", 1, "ADDR", "a"),
    "a command of valkey": ("DELIFEQ", "k", "x"),
    "nothing but names": ("GEOPOS", "places"),
    "a misspelled command": ("GTE", "k"),
    "a misspelled subcommand": ("CONFIG", "GTE", "k"),
}
"""Calls that fakeredis refuses, and a redis-server or a valkey-server may take."""


def _by_client(client, words):
    return client.execute_command(*words)


def _by_hand(client, words):
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*words)
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


def _in_a_transaction(client, words):
    pipeline = client.pipeline()
    pipeline.execute_command(*words)
    (answer,) = pipeline.execute(raise_on_error=False)
    if isinstance(answer, Exception):
        raise redis.RedisError
    return answer


def _sent(calls):
    """Send the first call in every way and each other one in one of them; then all the rest."""
    ways = [_by_client, _by_hand, _in_a_transaction]
    first, *others = calls
    pairs = [(first, way) for way in ways]
    pairs += [(name, ways[at % len(ways)]) for at, name in enumerate(others)]
    return pairs + [pair for pair in product(calls, ways) if pair not in pairs]


@pytest.mark.parametrize(("name", "send"), few(_sent(LACKING), len(LACKING) + 2))
def test_what_only_the_stand_in_refuses_is_unknown(name, send):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        if LACKING[name][0].startswith("GEO"):
            client.geoadd("places", (13.3, 38.1, "a"))
        else:
            client.xadd("stream", {"f": "v"}, id="1-1")

        def look():
            with suppress(IndexError):  # of fakeredis itself
                send(client, LACKING[name])
                return client.get("k")

        _changed_while_read(world, look, lambda price: look() or client.set("k", price))

    result = check_on(start_server("fakeredis"), body, Exploration(), guarantees=())
    assert result.verdict is Verdict.UNKNOWN, result
    assert "--supercache-backend=redis-server" in " ".join(result.reasons)
    assert any(LACKING[name][0] in one.partition(": ")[0] for one in result.reasons), result


DATA = {
    "another type": ("LLEN", "text"),
    "no number": ("INCR", "text"),
    "no script": ("EVALSHA", "f" * 40, 0),
    "no such key": ("RENAME", "nothing", "k2"),
    "no such place": ("LSET", "list", 9, "v"),
    "no such group": ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"),
    "an old id": ("XADD", "stream", "0-1", "f", "v"),
    "no time": ("SET", "k2", "v", "EX", 0),
}
"""Calls that servers answer with an error, too."""


@pytest.mark.parametrize(("name", "send"), few(_sent(DATA), len(DATA) + 2))
def test_what_a_server_refuses_for_its_data_is_an_answer(name, send):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        client.set("text", "v")
        client.rpush("list", "v")
        client.xadd("stream", {"f": "v"}, id="1-1")

        def look():
            send(client, DATA[name])
            return client.get("k")

        _changed_while_read(world, look, lambda price: look() or client.set("k", price))

    if name == "no script" and find_spec("lupa") is None:
        return
    result = check_on(start_server("fakeredis"), body, Exploration(), guarantees=())
    assert result.verdict is Verdict.HOLDS, result


def _priced_by_hand(world, ask):
    """A price goes through a cache whose commands are sent by hand, and is changed meanwhile."""
    client = world.existing_cache.client(decode_responses=True)
    world.origin.set("k", "1")

    def read():
        if ask(client, ("GET", "k")) is None:
            ask(client, ("SET", "k", world.origin.get("k")))

    def change():
        world.origin.set("k", "2")
        ask(client, ("DEL", "k"))

    world.actor("reader", read)
    world.actor("writer", change)
    world.run()
    assert client.get("k") in (None, world.origin.get("k"))


@broken(STALE)
def commands_are_sent_by_hand(world):
    _priced_by_hand(world, _by_hand)


@right("the writer keeps the new price")
def commands_are_sent_by_hand_and_no_price_is_kept_by_readers(world):
    client = world.existing_cache.client(decode_responses=True)
    world.actor("reader", _by_hand, client, ("GET", "k"))
    world.actor("writer", _by_hand, client, ("SET", "k", "2"))
    world.run()
    assert _by_hand(client, ("GET", "k")) == "2"


def _sent_together(client, *commands):
    connection = client.connection_pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [connection.read_response() for _ in commands]
    finally:
        client.connection_pool.release(connection)


def _two_prices_by_hand(world, before=(), after=()):
    client = world.existing_cache.client(decode_responses=True)

    def reprice(price):
        _sent_together(client, *before, ("SET", "net", price), ("SET", "gross", price), *after)

    world.actor("a", reprice, "1")
    world.actor("b", reprice, "2")
    world.run()
    assert client.get("net") == client.get("gross")


@broken("commands that are sent together are no transaction: others come between")
def commands_are_packed_by_hand(world):
    _two_prices_by_hand(world)


@right("EXEC executes what came after MULTI at once")
def a_transaction_is_packed_by_hand(world):
    _two_prices_by_hand(world, before=[("MULTI",)], after=[("EXEC",)])


async def _awaited_by_hand(client, *words):
    connection = await client.connection_pool.get_connection()
    try:
        await connection.send_command(*words)
        return await connection.read_response()
    finally:
        await client.connection_pool.release(connection)


@broken(STALE)
async def a_task_sends_commands_by_hand(world):
    client = world.existing_cache.aclient(decode_responses=True)
    await world.origin.aio.set("k", "1")

    async def read():
        if await _awaited_by_hand(client, "GET", "k") is None:
            await _awaited_by_hand(client, "SET", "k", await world.origin.aio.get("k"))

    async def change():
        await world.origin.aio.set("k", "2")
        await _awaited_by_hand(client, "DEL", "k")

    world.actor("reader", read)
    world.actor("writer", change)
    await world.run()
    assert await client.get("k") in (None, await world.origin.aio.get("k"))


@right("it asks whether the server is there, and nothing else")
async def a_task_pings_by_hand(world):
    client = world.existing_cache.aclient(decode_responses=True)
    world.actor("reader", _awaited_by_hand, client, "PING")
    world.actor("writer", client.set, "k", "1")
    await world.run()
    assert await client.get("k") == "1"


@broken(STALE, unknown="TOUCH: fakeredis")
async def a_task_sends_it_by_hand(world):
    client = world.existing_cache.aclient(decode_responses=True)

    async def ask():
        await _awaited_by_hand(client, "TOUCH", "k")
        return await client.get("k")

    await _changed_while_awaited(world, ask)


@right(NEVER)
async def a_task_asks_for_a_list_by_hand(world):
    client = world.existing_cache.aclient(decode_responses=True)
    await client.set("text", "v")
    await _changed_while_awaited(world, lambda: _awaited_by_hand(client, "LLEN", "text"))


@broken(STALE)
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


@broken(STALE)
def a_cluster_is_asked(world):
    _through(world, lambda: redis.RedisCluster(host="cluster.invalid"))


@broken(STALE)
def a_cluster_of_valkey_is_asked(world):
    _through(world, lambda: valkey.ValkeyCluster(host="cluster.invalid"))


@broken(STALE)
async def a_task_asks_a_sentinel(world):
    sentinel = redis.asyncio.Sentinel([("sentinel.invalid", 26379)])
    master = sentinel.master_for("shop", decode_responses=True)
    await _changed_while_awaited(world, lambda: master.get("k"), fails=Exception)


@broken(STALE, unknown="asks for the servers of Redis")
async def a_task_discovers_the_master(world):
    sentinel = redis.asyncio.Sentinel([("sentinel.invalid", 26379)])
    await _changed_while_awaited(world, lambda: sentinel.discover_master("shop"), fails=Exception)


@broken(STALE)
async def a_task_asks_a_cluster(world):
    async def ask():
        async with asyncio.timeout(5), redis.asyncio.RedisCluster(host="cluster.invalid") as all_:
            return await all_.get("k")

    await _changed_while_awaited(world, ask, fails=Exception)


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


@pytest.mark.redis_server
def test_a_server_that_knows_the_command_is_raced_and_one_without_the_module_proves_nothing():
    server = start_server("redis-server")

    def found(body):
        return check_on(server, body, Exploration(odds=Simulation(runs=0)), guarantees=())

    assert found(the_version_of_the_server_is_asked).verdict is Verdict.VIOLATED
    result = found(a_module_of_the_server_keeps_documents)
    assert result.verdict is Verdict.UNKNOWN
    assert result.reasons[0].startswith("JSON.GET: redis-server")
    server.close()
