"""Coroutines in projects: async systems, factories, verbs and tests, and the mistakes with them."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import on_two_nodes, one_reader, race
from tests.selection import either

pytestmark = pytest.mark.python

ASYNC = '''
class AsyncShop:
    """The shop with coroutines."""

    def __init__(self, redis, db):
        self.redis, self.db = redis, db

    async def get(self, key):
        found = await self.redis.get(key)
        if found is not None:
            return json.loads(found)
        value = await self.db.get(key)
        if value is not None:
            await self.redis.set(key, json.dumps(value))
        return value

    async def set(self, key, value):
        await self.db.set(key, value)
        await self.redis.delete(key)

class AsyncUncached(AsyncShop):
    """Its twin that cannot be stale."""

    async def get(self, key):
        return await self.db.get(key)

LOG = []

@sc.system("plain")
def plain(layers):
    return AsyncShop(layers.existing_cache.aclient(), layers.origin.aio)

@sc.system("plain.uncached")
def plain_uncached(layers):
    return AsyncUncached(layers.existing_cache.aclient(), layers.origin.aio)

@sc.system("awaited")
async def awaited(layers):
    redis = layers.existing_cache.aclient()
    await redis.ping()
    return AsyncShop(redis, layers.origin.aio)

@sc.system("yielding")
async def yielding(layers):
    LOG.append(f"build {layers.node}")
    async with layers.existing_cache.aclient() as redis:
        yield AsyncShop(redis, layers.origin.aio)
    LOG.append(f"finish {layers.node}")

@sc.verb("checkout", observes=lambda answer, item: {item: answer})
async def checkout(shop, user, item):
    return await shop.get(item)

@sc.verb("look")
def look(shop, user, item):
    return shop.get(item)
'''


def conftest(project: Project, more: str = "") -> None:
    project.add_to_conftest(ASYNC + more)


def test_an_asynchronous_system_has_the_race_of_its_twin_with_the_same_token(
    project: Project,
) -> None:
    conftest(project)
    systems = ("plain", "awaited", "yielding")
    for system in systems:
        project.scenario(on_two_nodes(system, system), system)
    project.scenario(race("uncached", "plain.uncached"), "uncached")
    project.run("-W", "error").assert_outcomes(failed=len(systems), passed=1)
    rows = project.rows()
    assert rows["uncached"]["verdict"] == "holds"
    for system in systems:
        assert rows[system]["guarantee"] == "coherent_when_settled"
        token = rows[system]["counterexample"]["token"]
        assert token == f"sc1:{system}:alice*2,bob*2,alice"
    for system in systems[: either(1, 3)]:
        token = rows[system]["counterexample"]["token"]
        again = project.run(f"--supercache-replay={token}")
        again.assert_outcomes(failed=1, deselected=len(systems))
        assert token in again.stdout.str()


def test_an_asynchronous_generator_is_finished_on_every_node_in_reverse_order(
    project: Project,
) -> None:
    conftest(project)
    project.scenario(on_two_nodes("A-3", "yielding"))
    project.test_file(
        "import sys\n"
        "def test_log():\n"
        "    log = sys.modules['conftest'].LOG\n"
        "    cycle = ['build a', 'build b', 'finish b', 'finish a']\n"
        "    assert len(log) >= 8 and log == cycle * (len(log) // 4)\n"
    )
    project.run("story.supercache.yaml", "test_it.py").assert_outcomes(failed=1, passed=1)


STORY = """
scenario: Steps of every kind on an event loop
id: A-4
system: plain
given: {origin: {k: 1}, existing_cache: {k: "1"}}
before: [{read: k, node: all}]
users:
  alice:
    - checkout: {item: k}
      as: seen
      expect: {one_of: [1, 2]}
    - sleep: 100ms
    - look: {item: k}
      expect: {one_of: [1, 2]}
      id: looked
  bob:
    node: b
    steps:
      - evict: {layer: existing_cache, key: k}
      - wait_for: alice.looked
      - write: {key: k, value: 2}
finally: [{read: k, node: all, expect: 2}]
"""


def test_every_kind_of_step_works_on_an_event_loop(project: Project) -> None:
    conftest(project)
    project.scenario(STORY)
    project.run("-W", "error").assert_outcomes(passed=1)


def test_a_synchronous_system_with_an_asynchronous_verb_runs_on_threads_under_the_loop(
    project: Project,
) -> None:
    conftest(
        project,
        '\n@sc.verb("later")\nasync def later(shop, user, item):\n'
        "    return await user_loop(shop, item)\n"
        "async def user_loop(shop, item):\n"
        "    import asyncio\n"
        "    return await asyncio.to_thread(shop.get, item)\n",
    )
    project.scenario(
        race("A-5", "shop").replace('{read: "product:42"}', '{later: {item: "product:42"}}')
    )
    project.run("-W", "error").assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "coherent_when_settled"


def test_a_coroutine_where_none_was_announced_is_an_error_that_says_so(project: Project) -> None:
    project.add_to_conftest(
        '@sc.verb("hidden")\ndef hidden(shop, user):\n    return later(shop)\n'
        "async def later(shop): ...\n"
    )
    project.scenario(one_reader("A-6", "shop").replace("{read: k}", "{hidden: {}}"))
    result = project.run("-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'hidden' returned a coroutine*async def*"])


EXPLORED = """
import asyncio
import json
import pytest_supercache as sc
from conftest import AsyncShop, AsyncUncached

def scene(world, make):
    shop = make(world.existing_cache.aclient(), world.origin.aio)
    world.actor("alice", world.user("alice", shop).read, "k")
    world.actor("bob", world.user("bob", shop).write, "k", 2)
    return shop

@sc.explore
async def test_stale(world):
    await world.origin.aio.set("k", 1)
    shop = scene(world, AsyncShop)
    await world.run()
    world.settle()
    assert await shop.get("k") == 2

@sc.explore
async def test_fresh(world):
    await world.origin.aio.set("k", 1)
    shop = scene(world, AsyncUncached)
    results = await world.run()
    await world.settle()
    assert results["alice"] in (1, 2)
    assert await shop.get("k") == 2

@sc.explore
async def test_forgotten(world):
    scene(world, AsyncShop)
    world.run()
"""


def test_async_tests_are_explored_and_a_forgotten_await_is_told(project: Project) -> None:
    conftest(project)
    project.test_file(EXPLORED)
    result = project.run("-W", "error")
    result.assert_outcomes(passed=1, failed=2)
    assert "await world.run()" in result.stdout.str()


WATCHED = """
import pytest_supercache as sc
import near

sc.watch("near:Near.load", layer="super_cache", reads="key")
sc.watch("near:Near.store", layer="super_cache", writes="key")

@sc.explore(search="all-schedules")
async def test_watched(world):
    cache = near.Near()
    world.actor("alice", cache.add, "n")
    world.actor("bob", cache.add, "n")
    await world.run()
    assert cache.values["n"] == 2
"""

NEAR = """
class Near:
    def __init__(self):
        self.values = {}
    async def load(self, key):
        return self.values.get(key, 0)
    async def store(self, key, value):
        self.values[key] = value
    async def add(self, key):
        await self.store(key, await self.load(key) + 1)
"""


def test_watched_coroutine_functions_are_steps(project: Project) -> None:
    (project.path / "near.py").write_text(NEAR)
    project.test_file(WATCHED)
    project.run("-W", "error").assert_outcomes(failed=1)
    assert project.token().endswith(("alice,bob*2,alice", "bob,alice*2,bob"))


def test_the_same_code_without_watches_is_one_move_and_holds(project: Project) -> None:
    (project.path / "near.py").write_text(NEAR)
    unwatched = "\n".join(line for line in WATCHED.splitlines() if "sc.watch" not in line)
    project.test_file(unwatched)
    project.run("-W", "error").assert_outcomes(passed=1)


STATE = """
_memory = {}

class Remembering:
    def __init__(self, layers):
        self.db = layers.origin.aio
    async def get(self, key):
        if key not in _memory:
            value = await self.db.get(key)
            _memory[key] = value
        return _memory[key]
    async def set(self, key, value):
        await self.db.set(key, value)
        _memory.pop(key, None)

@sc.system("silent")
def silent(layers):
    return Remembering(layers)

@sc.system("declared", state=["conftest:_memory"])
def declared(layers):
    return Remembering(layers)
"""


def test_undeclared_state_of_an_asynchronous_system_is_named(project: Project) -> None:
    project.add_to_conftest(STATE)
    project.scenario(on_two_nodes("A-7", "silent"))
    result = project.run("-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*conftest:_memory*Declare it*"])


def test_declared_state_is_each_nodes_own_also_on_an_event_loop(project: Project) -> None:
    project.add_to_conftest(STATE)
    project.scenario(
        on_two_nodes("A-8", "declared") + 'finally: [{read: "product:42", node: b, expect: 120}]\n'
        "guarantees: []\n"
    )
    project.run("-W", "error").assert_outcomes(passed=1)
