"""Pipelines: how many steps they take, what the sentence says, and what faults do to them."""

from functools import partial

import pytest
import redis
import redis.asyncio

from pytest_supercache import Faults, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.switch import at_once_of
from pytest_supercache.layers.servers import start_server
from pytest_supercache.play.disturbing import disturb
from pytest_supercache.runtime.redis.pipelines import BY_HAND, FEW_CONNECTIONS


def _write(client, *, transaction=False):
    pipeline = client.pipeline(transaction=transaction)
    pipeline.set("x", "1")
    pipeline.set("y", "1")
    return pipeline.execute()


def _two_writers(write, connect):
    def body(world):
        client = connect(world)
        for name in ("alice", "bob"):
            world.actor(name, write, client)
        world.run()

    return body


def _usual(world):
    return world.existing_cache.client()


@pytest.mark.parametrize(("transaction", "schedules"), [(True, 2), (False, 6)])
def test_a_pipeline_takes_a_step_for_each_command_and_a_transaction_takes_one(
    transaction, schedules
):
    def write(client):
        _write(client, transaction=transaction)

    result = check(_two_writers(write, _usual), search="all-schedules")
    assert (result.verdict, result.executions) == (Verdict.HOLDS, schedules)
    assert "pipelines" not in result.coverage


@pytest.mark.parametrize(("transaction", "schedules"), [(True, 2), (False, 6)])
def test_a_pipeline_of_a_coroutine_takes_as_many(transaction, schedules):
    async def write(client):
        async with client.pipeline(transaction=transaction) as pipeline:
            await pipeline.set("x", "1").set("y", "1").execute()

    async def body(world):
        client = world.existing_cache.aclient()
        for name in ("alice", "bob"):
            world.actor(name, write, client)
        await world.run()

    result = check(body, search="all-schedules")
    assert (result.verdict, result.executions) == (Verdict.HOLDS, schedules)
    assert "pipelines" not in result.coverage


def test_pipelines_of_valkey_py_take_as_many():
    import valkey

    result = check(_two_writers(_write, lambda _world: valkey.Valkey()), search="all-schedules")
    assert (result.verdict, result.executions) == (Verdict.HOLDS, 6)


def test_where_answers_are_parted_from_what_follows_only_the_last_one_of_a_pipeline_is():
    labels = []

    def body(world):
        world.actor("alice", _write, world.existing_cache.client())
        world.run()
        labels.append([step.label for step in world.context.record.steps])

    assert check(body, memory="shared").verdict is Verdict.HOLDS
    assert labels[0] == ["start", "SET x", "SET y", "answer of SET y"]


@pytest.mark.parametrize(
    ("kind", "connections", "schedules"),
    [
        (redis.BlockingConnectionPool, 1, 2),
        (redis.BlockingConnectionPool, 2, 6),
        (redis.ConnectionPool, 2, 6),
    ],
)
def test_who_holds_the_only_connection_of_a_blocking_pool_is_not_come_upon(
    kind, connections, schedules
):
    def connect(_world):
        return redis.Redis(connection_pool=kind(max_connections=connections))

    result = check(_two_writers(_write, connect), search="all-schedules")
    assert (result.verdict, result.executions) == (Verdict.HOLDS, schedules)
    assert (FEW_CONNECTIONS in result.coverage) == (connections == 1)


def test_what_stands_between_multi_and_exec_is_one_step_whoever_sends_them():
    def write(client):
        pipeline = client.pipeline(transaction=False)
        for words in (("multi",), ("SET", "x", "1"), ("SET", "y", "1"), ("EXEC",)):
            pipeline.execute_command(*words)
        return pipeline.execute()[-1]

    result = check(_two_writers(write, _usual), search="all-schedules")
    assert (result.verdict, result.executions) == (Verdict.HOLDS, 2)
    assert BY_HAND in result.coverage


BREAKS = Faults(kinds=("error_before", "error_after"))


@pytest.mark.parametrize(
    ("transaction", "halves"), [(True, set()), (False, {("broken", b"1", None)})]
)
def test_a_pipeline_whose_connection_breaks_has_done_what_came_before(transaction, halves):
    seen = set()

    def body(world):
        client = world.existing_cache.client(max_connections=1)

        def write():
            try:
                return _write(client, transaction=transaction)
            except redis.ConnectionError:
                return "broken"

        world.actor("alice", write)
        answer = world.run()["alice"]
        seen.add((str(answer), client.get("x"), client.get("y")))

    result = check(body, faults=BREAKS)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert seen == halves | {
        ("[True, True]", b"1", b"1"),
        ("broken", None, None),
        ("broken", b"1", b"1"),
    }


def test_a_pipeline_of_a_coroutine_whose_connection_breaks_has_done_what_came_before():
    seen = set()

    async def body(world):
        client = world.existing_cache.aclient(max_connections=1)

        async def write():
            pipeline = client.pipeline(transaction=False)
            try:
                return await pipeline.set("x", "1").set("y", "1").execute()
            except redis.ConnectionError:
                return "broken"

        world.actor("alice", write)
        answer = (await world.run())["alice"]
        seen.add((str(answer), await client.get("x"), await client.get("y")))

    result = check(body, faults=BREAKS)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert seen == {
        ("[True, True]", b"1", b"1"),
        ("broken", None, None),
        ("broken", b"1", None),
        ("broken", b"1", b"1"),
    }


@pytest.mark.redis_server
def test_a_pipeline_asks_for_its_scripts_before_its_step():
    def body(world):
        client = world.existing_cache.client()
        double = client.register_script("redis.call('SET', KEYS[1], redis.call('GET', KEYS[1])*2)")
        client.set("n", 1)

        def twice():
            pipeline = client.pipeline()
            double(keys=["n"], client=pipeline)
            pipeline.execute()

        world.actor("alice", twice)
        world.run()
        race = [step for step in world.context.record.steps if step.phase == "race"]
        labels.append([step.label for step in race])

    labels, server = [], start_server("redis-server")
    try:
        result = check_on(server, body, Exploration(), guarantees=())
    finally:
        server.close()
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert [label.split()[0] for label in labels[0]] == ["SCRIPT", "SCRIPT", "MULTI"]


@pytest.mark.parametrize("evicts", [True, False])
def test_who_evicts_comes_upon_a_pipeline_that_holds_the_only_connection(evicts):
    def body(world):
        pool = redis.BlockingConnectionPool(max_connections=1)
        world.actor("alice", _write, redis.Redis(connection_pool=pool))
        evict = at_once_of(partial(disturb, world, "evict", node="a", key="x"))
        world.actor("bob", evict if evicts else partial(world.origin.get, "x"))
        world.run()

    result = check(body)
    assert result.verdict is (Verdict.UNKNOWN if evicts else Verdict.HOLDS), result.reasons
    assert ("by another way than that pool" in "".join(result.reasons)) == evicts


def test_a_task_that_would_wait_for_a_connection_is_not_controlled():
    async def body(world):
        pool = redis.asyncio.BlockingConnectionPool(max_connections=1)
        client = redis.asyncio.Redis(connection_pool=pool)

        async def watch():
            async with client.pipeline() as pipeline:
                await pipeline.watch("x")
                await pipeline.get("x")

        world.actor("alice", watch)
        world.actor("bob", client.get, "x")
        await world.run()

    result = check(body)
    assert result.verdict is Verdict.UNKNOWN
    assert "max_connections=2" in "".join(result.reasons)
