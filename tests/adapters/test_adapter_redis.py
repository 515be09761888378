"""redis-py and redis.asyncio on a real server: pipelines and scripts, each with its twin.

A pipeline or a script is one step; two of them after another are two, and others come between.
"""

import pytest
import redis
import redis.asyncio

from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.adapters.flows import is_conflict

READ = "return tonumber(redis.call('get', KEYS[1]) or 0)"
STORE = "return redis.call('set', KEYS[1], ARGV[1])"
COUNT = "return redis.call('incr', KEYS[1])"

WITHOUT_ODDS = Exploration(odds=Simulation(runs=0))


def two_scripts(client):
    number = client.register_script(READ)(keys=["n"])
    client.register_script(STORE)(keys=["n"], args=[number + 1])


def one_script(client):
    client.register_script(COUNT)(keys=["n"])


def two_pipelines(client):
    (number,) = client.pipeline().get("n").execute()
    client.pipeline().set("n", int(number or 0) + 1).execute()


def one_pipeline(client):
    client.pipeline().incr("n").get("n").execute()


async def two_scripts_awaited(client):
    number = await client.register_script(READ)(keys=["n"])
    await client.register_script(STORE)(keys=["n"], args=[number + 1])


async def one_script_awaited(client):
    await client.register_script(COUNT)(keys=["n"])


async def two_pipelines_awaited(client):
    (number,) = await client.pipeline().get("n").execute()
    await client.pipeline().set("n", int(number or 0) + 1).execute()


async def one_pipeline_awaited(client):
    await client.pipeline().incr("n").get("n").execute()


@pytest.fixture(scope="module")
def server():
    server = start_server("redis-server")
    yield server
    server.close()


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("bump", "conflict"),
    [(two_scripts, True), (one_script, False), (two_pipelines, True), (one_pipeline, False)],
)
def test_a_count_is_lost_between_two_of_them_and_never_within_one(server, bump, conflict):
    def body(world):
        client = redis.Redis("production")
        world.actor("a", bump, client)
        world.actor("b", bump, client)
        world.run()
        assert int(world.existing_cache.peek("n")) == 2

    result = check_on(server, body, WITHOUT_ODDS, guarantees=())
    assert is_conflict(result) is conflict


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("bump", "conflict"),
    [
        (two_scripts_awaited, True),
        (one_script_awaited, False),
        (two_pipelines_awaited, True),
        (one_pipeline_awaited, False),
    ],
)
def test_so_it_is_on_asyncio(server, bump, conflict):
    async def body(world):
        async with redis.asyncio.Redis(host="production") as client:
            world.actor("a", bump, client)
            world.actor("b", bump, client)
            await world.run()
        assert int(world.existing_cache.peek("n")) == 2

    result = check_on(server, body, WITHOUT_ODDS, guarantees=())
    assert is_conflict(result) is conflict
