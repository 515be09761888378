"""The layers as fixtures of ordinary tests: real code, no scheduler, nothing left behind."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race

ORDINARY = """
import time
import pytest

def test_the_existing_cache_is_a_redis(existing_cache):
    client = existing_cache.client(decode_responses=True)
    assert client.set("k", "v") and client.get("k") == "v"
    assert existing_cache.peek("k") == "v"

def test_it_is_empty_again(existing_cache, origin, super_cache):
    assert existing_cache.content() == {}
    assert origin.content() == {}
    assert super_cache.content() == {}

def test_the_origin_counts_versions(origin):
    origin.set("k", {"price": 1})
    origin.set("k", {"price": 2})
    assert (origin.get("k"), origin.version("k")) == ({"price": 2}, 2)
    assert [commit.version for commit in origin.commits] == [1, 2]

def test_the_super_cache_keeps_values(super_cache):
    super_cache.put("k", 1)
    assert super_cache.get("k") == 1
    assert super_cache.peek("other") is None

def test_all_fixtures_show_one_stack(cache_layers, existing_cache, super_cache, origin):
    assert cache_layers.existing_cache is existing_cache
    assert cache_layers.super_cache is super_cache
    assert cache_layers.origin is origin
    assert cache_layers.node == "a"
    assert cache_layers.tmp_path.is_dir()
"""

CLOCK = """
import time
import datetime

def test_time_stands_still_and_moves_when_told(virtual_clock):
    begin, day = time.time(), datetime.datetime.now()
    assert time.time() == begin
    virtual_clock.advance(60)
    assert time.time() - begin == 60
    assert (datetime.datetime.now() - day).total_seconds() == 60

def test_a_key_expires_on_that_clock(virtual_clock, existing_cache):
    client = existing_cache.client()
    client.set("k", "v", ex=10)
    virtual_clock.advance(9)
    assert client.get("k") == b"v"
    virtual_clock.advance(2)
    assert client.get("k") is None

def test_without_the_fixture_time_goes_on(existing_cache):
    begin = time.perf_counter()
    while time.perf_counter() == begin:
        pass
"""


@pytest.mark.parametrize(
    "backend", ["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)]
)
def test_ordinary_tests_use_the_layers(project: Project, backend: str) -> None:
    project.test_file(ORDINARY)
    project.run(f"--supercache-backend={backend}").assert_outcomes(passed=5)


def test_the_virtual_clock_moves_time_and_expiries(project: Project) -> None:
    project.test_file(CLOCK)
    project.run().assert_outcomes(passed=3)


def test_a_wrong_assertion_on_a_fixture_fails_like_any_test(project: Project) -> None:
    project.test_file(
        "def test_it(existing_cache):\n    assert existing_cache.client().get('k') == b'v'\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert None == b'v'"])


RACE = """
import pytest
from pytest_supercache import explore

@pytest.fixture
def client(existing_cache):
    client = existing_cache.client()
    client.ping()
    return client

def visit(client, firsts):
    if client.get("seen") is None:
        firsts.append(1)
    client.set("seen", "1")

def visits(world, client):
    firsts = []
    for user in ("alice", "bob"):
        world.actor(user, visit, client, firsts)
    world.run()
    assert len(firsts) <= 1

@explore(search="exhaustive")
def test_a_client_of_the_fixture(world, client):
    visits(world, client)

@explore(search="exhaustive")
def test_a_client_of_the_world(world):
    visits(world, world.existing_cache.client())
"""


def test_what_a_client_of_the_fixture_does_in_a_race_proves_nothing(project: Project) -> None:
    project.test_file(RACE)
    project.run()
    assert {name: row["verdict"] for name, row in project.rows().items()} == {
        "test_a_client_of_the_fixture": "unknown",
        "test_a_client_of_the_world": "violated",
    }


def test_the_fixtures_are_listed_with_their_meaning(project: Project) -> None:
    result = project.run("--fixtures")
    for name in ("existing_cache", "super_cache", "origin", "cache_layers", "virtual_clock"):
        result.stdout.re_match_lines([rf"{name}( \[.*\])? -- .*"])
        assert f"{name} -- no docstring" not in result.stdout.str()


def test_a_backend_that_cannot_be_had_is_told_without_a_traceback(project: Project) -> None:
    project.test_file("def test_it(existing_cache): pass")
    result = project.run("--supercache-backend=memcached")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'memcached' is not known*"])
    assert "servers.py" not in result.stdout.str()


@pytest.mark.redis_server
def test_one_server_serves_scenarios_and_fixtures_of_a_run(project: Project) -> None:
    project.test_file(
        "SEEN = set()\n"
        "def test_one(existing_cache): SEEN.add(existing_cache.url)\n"
        "def test_two(existing_cache): SEEN.add(existing_cache.url); assert len(SEEN) == 1\n"
    )
    project.run("--supercache-backend=redis-server").assert_outcomes(passed=2)


ASKING = """
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

@pytest.fixture(autouse=True)
def asks():
    {asks}
"""
REFUSED = "redis.Redis(unix_socket_path='/nowhere', retry=Retry(NoBackoff(), 0)).ping()"
HINT = "What fixtures and migrations ask of Redis is asked before the first execution"


@pytest.mark.parametrize(
    ("asks", "is_ours", "is_told"),
    [(REFUSED, True, True), (REFUSED, False, False), ("raise ConnectionError", True, False)],
)
def test_a_set_up_that_needs_a_redis_server_is_told_what_to_do(
    project: Project, asks: str, is_ours: bool, is_told: bool
) -> None:
    project.add_to_conftest(ASKING.format(asks=asks))
    if is_ours:
        project.scenario(race())
    else:
        project.test_file("def test_it(): ...")
    ran = project.run()
    ran.assert_outcomes(errors=1)
    assert (HINT in ran.stdout.str()) is is_told
