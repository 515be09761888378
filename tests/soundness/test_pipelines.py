"""Pipelines: with a transaction nobody comes in between, without one anybody may."""

import asyncio
from functools import partial

import pytest

from pytest_supercache.layers.servers import start_server
from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


def _client(of, **options):
    return of.existing_cache.client(decode_responses=True, **options)


def _aclient(of):
    return of.existing_cache.aclient(decode_responses=True)


def _sent(client, *commands, transaction, **options):
    pipeline = client.pipeline(transaction=transaction)
    for name, *words in commands:
        getattr(pipeline, name)(*words)
    return pipeline.execute(**options)


async def _asent(client, *commands, transaction):
    async with client.pipeline(transaction=transaction) as pipeline:
        for name, *words in commands:
            getattr(pipeline, name)(*words)
        return await pipeline.execute()


PRICE_AND_STOCK = ("set", "price", "2"), ("set", "stock", "2")


@broken("a reader comes after the first of two keys that belong together")
def two_keys_set_without_a_transaction(world):
    client = _client(world)
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, *PRICE_AND_STOCK, transaction=False),
        lambda: client.mget("price", "stock"),
    )
    assert answers["second"] in (["1", "1"], ["2", "2"])


@right("both keys change in one EXEC")
def two_keys_set_in_a_transaction(world):
    client = _client(world)
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, *PRICE_AND_STOCK, transaction=True),
        lambda: client.mget("price", "stock"),
    )
    assert answers["second"] in (["1", "1"], ["2", "2"])


@broken("a writer comes between the two reads")
def two_keys_read_without_a_transaction(world):
    client = _client(world)
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, ("get", "price"), ("get", "stock"), transaction=False),
        lambda: client.mset({"price": "2", "stock": "2"}),
    )
    assert answers["first"] in (["1", "1"], ["2", "2"])


@right("both keys are read in one EXEC")
def two_keys_read_in_a_transaction(world):
    client = _client(world)
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, ("get", "price"), ("get", "stock"), transaction=True),
        lambda: client.mset({"price": "2", "stock": "2"}),
    )
    assert answers["first"] in (["1", "1"], ["2", "2"])


@broken("the second of two pipelines comes between the two keys of the first")
def two_pipelines_that_set_two_keys(world):
    client = _client(world)
    write = partial(_sent, client, transaction=False)
    _both(
        world,
        lambda: write(("set", "price", "1"), ("set", "stock", "1")),
        lambda: write(("set", "price", "2"), ("set", "stock", "2")),
    )
    assert client.get("price") == client.get("stock")


@right("one transaction cannot come into the other")
def two_transactions_that_set_two_keys(world):
    client = _client(world)
    write = partial(_sent, client, transaction=True)
    _both(
        world,
        lambda: write(("set", "price", "1"), ("set", "stock", "1")),
        lambda: write(("set", "price", "2"), ("set", "stock", "2")),
    )
    assert client.get("price") == client.get("stock")


@broken("both add before either asks, and neither is the first")
def a_limit_counted_without_a_transaction(world):
    client = _client(world)
    take = partial(_sent, client, ("incr", "used"), ("get", "used"), transaction=False)
    answers = _both(world, take, take)
    assert sorted(seen for _, seen in answers.values()) == ["1", "2"]


@right("what INCR answers is what it made of the number")
def a_limit_counted_by_what_is_answered(world):
    client = _client(world)
    take = partial(_sent, client, ("incr", "used"), ("expire", "used", 60), transaction=False)
    answers = _both(world, take, take)
    assert sorted(number for number, _ in answers.values()) == [1, 2]


@broken("somebody reads the new name while the old one is gone, before it is set")
def a_key_moved_by_delete_and_set(world):
    client = _client(world)
    client.set("old", "v")
    answers = _both(
        world,
        partial(_sent, client, ("delete", "old"), ("set", "new", "v"), transaction=False),
        lambda: client.exists("old", "new"),
    )
    assert answers["second"]


@right("the new name is set before the old one goes")
def a_key_moved_by_set_and_delete(world):
    client = _client(world)
    client.set("old", "v")
    answers = _both(
        world,
        partial(_sent, client, ("set", "new", "v"), ("delete", "old"), transaction=False),
        lambda: client.exists("old", "new"),
    )
    assert answers["second"]


@broken("the invalidation goes first, and a reader stores the old value again")
def invalidated_before_it_is_written(world):
    client = _client(world)
    client.set("row", "old")

    def read():
        if client.get("near") is None:
            client.set("near", client.get("row"))

    _both(
        world,
        partial(_sent, client, ("delete", "near"), ("set", "row", "new"), transaction=False),
        read,
    )
    assert client.get("near") in (None, "new")


@right("dropped and written in one EXEC, and the reader takes its value in one, too")
def invalidated_with_what_is_written(world):
    client = _client(world)
    client.set("row", "old")

    def read():
        _sent(client, ("copy", "row", "near"), transaction=True)

    _both(
        world,
        partial(_sent, client, ("set", "row", "new"), ("delete", "near"), transaction=True),
        read,
    )
    assert client.get("near") in (None, "new")


@broken("who sees that the work is done finds the lock still held")
def a_lock_given_back_after_the_news(world):
    client = _client(world)
    client.set("lock", "first")

    def take():
        return not client.get("done") or client.set("lock", "second", nx=True)

    give_back = partial(_sent, client, ("set", "done", "1"), ("delete", "lock"), transaction=False)
    assert _both(world, give_back, take)["second"]


@right("the lock is free before anybody can see that the work is done")
def a_lock_given_back_before_the_news(world):
    client = _client(world)
    client.set("lock", "first")

    def take():
        return not client.get("done") or client.set("lock", "second", nx=True)

    give_back = partial(_sent, client, ("delete", "lock"), ("set", "done", "1"), transaction=False)
    assert _both(world, give_back, take)["second"]


@broken("the fields of a hash are set by a command each")
def two_fields_by_two_commands(world):
    client = _client(world)
    write = partial(
        _sent, client, ("hset", "row", "a", "1"), ("hset", "row", "b", "1"), transaction=False
    )
    answers = _both(world, write, partial(client.hlen, "row"))
    assert answers["second"] in (0, 2)


@right("one HSET sets both fields: one command is one step, whatever the pipeline says")
def two_fields_by_one_command(world):
    client = _client(world)
    write = partial(
        _sent, client, ("hset", "row", None, None, {"a": "1", "b": "1"}), transaction=False
    )
    answers = _both(world, write, partial(client.hlen, "row"))
    assert answers["second"] in (0, 2)


@broken("WATCH is of no use without MULTI: the other one's value is lost")
def watched_and_set_without_multi(world):
    client = _client(world)
    client.set("n", 0)

    def add():
        with client.pipeline(transaction=False) as pipeline:
            pipeline.watch("n")
            number = int(pipeline.get("n"))
            pipeline.set("n", number + 1)

    _both(world, add, add)
    assert client.get("n") == "2"


@right("MULTI after WATCH makes a transaction of a pipeline that was begun without one")
def watched_and_set_with_multi(world):
    from redis.exceptions import WatchError

    client = _client(world)
    client.set("n", 0)
    failed = []

    def add():
        with client.pipeline(transaction=False) as pipeline:
            pipeline.watch("n")
            number = int(pipeline.get("n"))
            pipeline.multi()
            pipeline.set("n", number + 1)
            pipeline.set("last", number + 1)
            try:
                pipeline.execute()
            except WatchError:
                failed.append(1)

    _both(world, add, add)
    assert int(client.get("n")) + len(failed) == 2
    assert client.get("n") == client.get("last")


@broken("an error in the middle does not keep the rest from being done, and others see the start")
def an_error_in_the_middle(world):
    client = _client(world)
    client.set("text", "word")
    answers = _both(
        world,
        partial(
            _sent,
            client,
            ("set", "a", "1"),
            ("incr", "text"),
            ("set", "b", "1"),
            transaction=False,
            raise_on_error=False,
        ),
        lambda: client.mget("a", "b"),
    )
    assert answers["second"] in ([None, None], ["1", "1"])


@right("the error stands where its command did, and both neighbours are done")
def an_error_in_its_place(world):
    client = _client(world)
    client.set("text", "word")
    answers = _both(
        world,
        partial(
            _sent,
            client,
            ("set", "a", "1"),
            ("incr", "text"),
            ("set", "b", "1"),
            transaction=False,
            raise_on_error=False,
        ),
        lambda: client.mget("a", "b"),
    )
    ok, error, also = answers["first"]
    assert (ok, also) == (True, True)
    assert "integer" in str(error)
    assert client.mget("a", "b") == ["1", "1"]


@broken("a pool with a connection for everybody: the reader comes in between")
def a_pool_of_two_connections(world):
    client = _client(world, max_connections=2)
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, *PRICE_AND_STOCK, transaction=False),
        lambda: client.mget("price", "stock"),
    )
    assert answers["second"] in (["1", "1"], ["2", "2"])


@right("the pipeline holds the only connection until its end")
def a_blocking_pool_of_one_connection(world):
    import redis

    client = redis.Redis(
        connection_pool=redis.BlockingConnectionPool(max_connections=1, decode_responses=True)
    )
    client.mset({"price": "1", "stock": "1"})
    answers = _both(
        world,
        partial(_sent, client, *PRICE_AND_STOCK, transaction=False),
        lambda: client.mget("price", "stock"),
    )
    assert answers["second"] in (["1", "1"], ["2", "2"])


def _of_a_blocking_pool(connections, kind=None):
    import redis

    kind = kind or redis
    pool = kind.BlockingConnectionPool(max_connections=connections, decode_responses=True)
    return kind.Redis(connection_pool=pool)


def _read_beside(world, reader, writer, *, node="a", third=None):
    """Let one user read two keys by a pipeline, and another one set both at once."""
    writer.mset({"price": "1", "stock": "1"})
    read = partial(_sent, reader, ("get", "price"), ("get", "stock"), transaction=False)
    world.actor("first", read)
    world.actor("second", lambda: writer.mset({"price": "2", "stock": "2"}), node=node)
    if third is not None:
        world.actor("third", third)
    price, stock = world.run()["first"]
    assert price == stock


def _other_layer(of):
    return lambda: of.origin.get("tea")


@broken("each process has a pool of its own: the writer has a connection")
def a_blocking_pool_of_one_connection_on_each_node(world):
    reader, writer = _of_a_blocking_pool(1), _of_a_blocking_pool(1)
    _read_beside(world, reader, writer, node="b", third=_other_layer(world))


@right("users of one process wait for the connection, whatever the third one does")
def a_blocking_pool_of_one_connection_on_one_node(world):
    client = _of_a_blocking_pool(1)
    _read_beside(world, client, client, third=_other_layer(world))


@broken("the second of two connections is free for the writer")
def a_blocking_pool_of_two_connections_for_three_users(world):
    client = _of_a_blocking_pool(2)
    _read_beside(world, client, client, third=_other_layer(world))


@right("one of the users does not come to the cache")
def a_blocking_pool_of_two_connections_for_three_users_who_only_read(world):
    client = _of_a_blocking_pool(2)
    client.mset({"price": "1", "stock": "1"})
    read = partial(_sent, client, ("get", "price"), ("get", "stock"), transaction=False)
    world.actor("third", _other_layer(world))
    answers = _both(world, read, read)
    assert answers["first"] == answers["second"] == ["1", "1"]


@broken("the writer has a pool of its own in the same process", unknown="by another way")
def a_blocking_pool_beside_another_pool(world):
    _read_beside(world, _of_a_blocking_pool(1), _client(world))


@broken("the pool that the reason above advises lets the writer in")
def a_larger_blocking_pool_beside_another_pool(world):
    _read_beside(world, _of_a_blocking_pool(2), _client(world))


async def _aread_beside(world, reader, writer, node):
    await writer.mset({"price": "1", "stock": "1"})
    world.actor("first", _asent, reader, ("get", "price"), ("get", "stock"), transaction=False)
    world.actor("second", writer.mset, {"price": "2", "stock": "2"}, node=node)
    price, stock = (await world.run())["first"]
    assert price == stock


@broken("each process has a pool of its own, of asyncio as well")
async def a_blocking_pool_of_asyncio_on_each_node(world):
    import redis.asyncio

    pools = [_of_a_blocking_pool(1, redis.asyncio) for _ in "ab"]
    await _aread_beside(world, *pools, "b")


@right("the tasks of one process wait for the connection")
async def a_blocking_pool_of_asyncio_on_one_node(world):
    import redis.asyncio

    client = _of_a_blocking_pool(1, redis.asyncio)
    await _aread_beside(world, client, client, "a")


@broken("what is asked for twice has changed in the meantime")
def the_same_key_twice_without_a_transaction(world):
    client = _client(world)
    answers = _both(
        world,
        partial(_sent, client, ("get", "k"), ("get", "k"), transaction=False),
        partial(client.set, "k", "v"),
    )
    assert answers["first"][0] == answers["first"][1]


@right("SELECT goes for the commands behind it, on the connection of the pipeline alone")
def another_database_in_a_pipeline(world):
    client = _client(world)

    def elsewhere():
        _sent(client, ("select", 1), ("set", "k", "elsewhere"), ("select", 0), transaction=False)

    answers = _both(world, elsewhere, partial(client.get, "k"))
    assert answers["second"] is None


@broken("coroutines: a reader comes after the first of two keys that belong together")
async def two_keys_set_by_a_coroutine(world):
    client = _aclient(world)
    await client.mset({"price": "1", "stock": "1"})

    async def read():
        return await client.mget("price", "stock")

    world.actor("first", partial(_asent, client, *PRICE_AND_STOCK, transaction=False))
    world.actor("second", read)
    answers = await world.run()
    assert answers["second"] in (["1", "1"], ["2", "2"])


@right("coroutines: both keys change in one EXEC")
async def two_keys_set_by_a_coroutine_in_a_transaction(world):
    client = _aclient(world)
    await client.mset({"price": "1", "stock": "1"})

    async def read():
        return await client.mget("price", "stock")

    world.actor("first", partial(_asent, client, *PRICE_AND_STOCK, transaction=True))
    world.actor("second", read)
    answers = await world.run()
    assert answers["second"] in (["1", "1"], ["2", "2"])


@broken("coroutines: a writer comes between the two reads")
async def two_keys_read_by_a_coroutine(world):
    client = _aclient(world)
    await client.mset({"price": "1", "stock": "1"})

    async def write():
        await client.mset({"price": "2", "stock": "2"})

    read = partial(_asent, client, ("get", "price"), ("get", "stock"), transaction=False)
    world.actor("first", read)
    world.actor("second", write)
    answers = await world.run()
    assert answers["first"] in (["1", "1"], ["2", "2"])


@right("coroutines: a lock is held around everything that the two do")
async def two_keys_read_by_a_coroutine_under_a_lock(world):
    client = _aclient(world)
    await client.mset({"price": "1", "stock": "1"})
    lock = asyncio.Lock()

    async def write():
        async with lock:
            await client.mset({"price": "2", "stock": "2"})

    async def read():
        async with lock:
            return await _asent(client, ("get", "price"), ("get", "stock"), transaction=False)

    world.actor("first", read)
    world.actor("second", write)
    answers = await world.run()
    assert answers["first"] in (["1", "1"], ["2", "2"])


@broken("coroutines: both add before either asks, and neither is the first")
async def a_limit_counted_by_coroutines(world):
    client = _aclient(world)
    for name in ("first", "second"):
        take = partial(_asent, client, ("incr", "used"), ("get", "used"), transaction=False)
        world.actor(name, take)
    answers = await world.run()
    assert sorted(seen for _, seen in answers.values()) == ["1", "2"]


@right("coroutines: what INCR answers is what it made of the number")
async def a_limit_counted_by_coroutines_by_what_is_answered(world):
    client = _aclient(world)
    for name in ("first", "second"):
        take = partial(_asent, client, ("incr", "used"), ("get", "used"), transaction=False)
        world.actor(name, take)
    answers = await world.run()
    assert sorted(number for number, _ in answers.values()) == [1, 2]


@broken("coroutines: somebody reads while the old name is gone and the new one is not set")
async def a_key_moved_by_a_coroutine(world):
    client = _aclient(world)
    await client.set("old", "v")

    async def look():
        return await client.exists("old", "new")

    move = partial(_asent, client, ("delete", "old"), ("set", "new", "v"), transaction=False)
    world.actor("first", move)
    world.actor("second", look)
    assert (await world.run())["second"]


@right("coroutines: the new name is set before the old one goes")
async def a_key_moved_by_a_coroutine_in_the_right_order(world):
    client = _aclient(world)
    await client.set("old", "v")

    async def look():
        return await client.exists("old", "new")

    move = partial(_asent, client, ("set", "new", "v"), ("delete", "old"), transaction=False)
    world.actor("first", move)
    world.actor("second", look)
    assert (await world.run())["second"]


@pytest.fixture(
    scope="module",
    params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)],
)
def server(request):
    started = start_server(request.param)
    yield started
    started.close()


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system, server):
    system.must_be_told(server)
