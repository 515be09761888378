"""The printed command brings the same violation back, in a new process, every time."""

import json
import shlex
import sys

import pytest

from pytest_supercache.runtime.memory import sharing
from tests.plugin.conftest import Project, replay_command
from tests.plugin.projects import STALE_TEST, race
from tests.selection import either

pytestmark = pytest.mark.python


REPLAYS = """
import json, pathlib, sys
import pytest

def replayed(path, token):
    told = [path, f"--supercache-replay={token}", "--supercache-report=again"]
    pytest.main(["-p", "no:cacheprovider", *told])
    last = max(pathlib.Path("again/runs").glob("*/verdict.json"))
    (row,) = json.loads(last.read_text())["scenarios"]
    return row["counterexample"]["replays"]

tokens = json.loads(sys.argv[1])
print(json.dumps({path: replayed(path, token) for path, token in tokens.items()}))
"""


def tokens_by_file(project: Project) -> dict[str, str]:
    """Return the token of each item of the last run, by the only file that it is in."""
    rows = project.verdict()["scenarios"]
    return {row["path"]: row["counterexample"]["token"] for row in rows}


def replayed_apart(
    project: Project, monkeypatch: pytest.MonkeyPatch, tokens: dict[str, str], hash_seed: int
) -> dict[str, str]:
    """Replay tokens one after another in one new process; say how often each of them failed."""
    monkeypatch.setenv("PYTHONHASHSEED", str(hash_seed))
    result = project.pytester.run(sys.executable, "-c", REPLAYS, json.dumps(tokens))
    assert result.ret == 0, result.stderr.str()
    replays: dict[str, str] = json.loads(result.outlines[-1])
    return replays


def test_the_printed_command_fails_with_the_same_violation_every_time(project: Project) -> None:
    project.scenario(race())
    _, *arguments = shlex.split(replay_command(project.run()))
    found = project.row()["counterexample"]
    for _ in range(either(1, 10)):
        result = project.pytester.run(sys.executable, "-m", "pytest", *arguments)
        assert result.ret == 1
        replayed = project.row()["counterexample"]
        assert replayed["violation"] == found["violation"]
        assert replayed["token"] == found["token"]
        assert replayed["steps"] == found["steps"]


def test_a_replay_on_a_system_that_was_mended_is_unknown(project: Project) -> None:
    project.scenario(race())
    command = replay_command(project.run())
    text = (project.path / "conftest.py").read_text()
    mended = text.replace("self.redis.set(key, json.dumps(value))", "self.redis.get(key)")
    (project.path / "conftest.py").write_text(mended)
    result = project.rerun(command)
    assert result.ret == 1
    assert "one schedule proves nothing" in project.reasons()


def test_a_token_that_no_longer_fits_the_code_is_an_error_without_a_traceback(
    project: Project,
) -> None:
    project.scenario(race())
    result = project.run("--supercache-replay=sc1:S-1:alice*30,bob*2")
    result.assert_outcomes(failed=1)
    assert "Traceback" not in result.stdout.str()
    assert "S-1" in result.stdout.str()


def test_a_replay_runs_only_the_item_that_the_token_names(project: Project) -> None:
    project.scenario(race())
    project.scenario(race("S-2"), "other")
    project.test_file("def test_ordinary(): pass")
    project.run()
    token = project.rows()["S-2"]["counterexample"]["token"]
    result = project.run(f"--supercache-replay={token}")
    result.assert_outcomes(failed=1, deselected=2)
    assert list(project.rows()) == ["S-2"]


def test_a_replay_shows_a_documented_conflict_as_a_failure(project: Project) -> None:
    project.scenario(race().replace("system: shop", "systems: {shop: violated, uncached: holds}"))
    project.run().assert_outcomes(passed=2)
    token = project.rows()["S-1[shop]"]["counterexample"]["token"]
    project.run(f"--supercache-replay={token}").assert_outcomes(failed=1, deselected=1)


def test_a_token_of_an_item_that_is_not_there_is_an_error_that_names_what_is(
    project: Project,
) -> None:
    project.scenario(race())
    result = project.run("--supercache-replay=sc1:S-9:alice")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--supercache-replay*'S-9'*Collected: S-1*"])


@pytest.mark.parametrize(
    "token", ["nonsense", "sc1:S-1", "sc9:S-1:alice", "sc1:S-1:alice**2", "sc1:S-1:alice;jump@1"]
)
def test_a_broken_token_is_a_usage_error(project: Project, token: str) -> None:
    project.scenario(race())
    result = project.run(f"--supercache-replay={token}")
    assert result.ret == 4
    assert "--supercache-replay" in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_token_with_an_actor_that_does_not_exist_is_told(project: Project) -> None:
    project.scenario(race())
    result = project.run("--supercache-replay=sc1:S-1:carol")
    result.assert_outcomes(failed=1)
    assert "carol" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_names_with_other_characters_survive_the_printed_command(project: Project) -> None:
    project.test_file(
        STALE_TEST
        + """
import pytest

@pytest.mark.parametrize("key", ["käse/42: a,b", "100%"])
@sc.explore
def test_stale(world, key):
    world.origin.set(key, 1)
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("Älice, the 1st*2", shop.get, key)
    world.actor("bob's; tick*1", shop.set, key, 2)
    world.run()
    world.settle()
    assert shop.get(key) == 2
"""
    )
    result = project.run("-k", "100")
    result.assert_outcomes(failed=1, deselected=1)
    command = replay_command(result)
    token = project.token()
    assert project.rerun(command).ret == 1
    assert project.token() == token


def test_a_body_of_another_module_is_replayed_in_the_file_of_its_test(project: Project) -> None:
    (project.path / "bodies.py").write_text(
        STALE_TEST
        + """
def stale(world):
    world.origin.set("k", 1)
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.set, "k", 2)
    world.run()
    world.settle()
    assert shop.get("k") == 2
"""
    )
    project.test_file(f"{STALE_TEST}import bodies\n\ntest_stale = sc.explore(bodies.stale)\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    command = replay_command(result)
    assert " test_it.py " in command
    assert project.rerun(command).ret == 1


def test_a_counterexample_of_two_nodes_with_deliveries_replays(project: Project) -> None:
    text = race("S-3", "reference.naive")
    project.scenario(
        text.replace(
            'bob: [{write: {key: "product:42", value: 120}}]',
            'bob: {node: b, steps: [{write: {key: "product:42", value: 120}}]}',
        )
    )
    command = replay_command(project.run())
    found = project.row()["counterexample"]
    assert found["replays"] == "10/10"
    assert project.rerun(command).ret == 1
    assert project.row()["counterexample"]["violation"] == found["violation"]


NEAR_TEST = """
import pytest_supercache as sc

class Near:
    def __init__(self, redis):
        self.redis, self.entries = redis, {}

    def get(self, key):
        if key not in self.entries:
            self.entries[key] = self.redis.get(key)
        return self.entries[key]

    def put(self, key, value):
        self.redis.set(key, value)
        self.entries.pop(key, None)

@sc.explore
def test_near(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near, others = Near(redis), {"alice", "bob", "carol"}
    world.actor("alice", near.get, "k")
    world.actor("bob", near.put, "k", "new")
    world.run()
    assert near.get("k") == "new" and others
"""


AWAITED = (
    NEAR_TEST.replace("    def get", "    async def get")
    .replace("    def put", "    async def put")
    .replace("self.redis.", "await self.redis.")
    .replace("def test_near", "async def test_near")
    .replace("world.existing_cache.client(", "world.existing_cache.aclient(")
    .replace('    redis.set("k"', '    await redis.set("k"')
    .replace("world.run()", "await world.run()")
    .replace("near.get(", "await near.get(")
)


OF_A_WORKER = """
import threading
from concurrent.futures import ThreadPoolExecutor
import pytest_supercache as sc

here = threading.local()

def job(tenant):
    here.__dict__.setdefault("tenant", tenant)  # a dict that the worker of a pool makes
    return here.tenant

@sc.explore
def test_worker(world):
    pool = ThreadPoolExecutor(1)
    for tenant in ("acme", "globex"):
        world.actor(tenant, lambda tenant=tenant: pool.submit(job, tenant).result())
    assert world.run()["globex"] == "globex"
"""

STARTED_TASK = """
import asyncio
import pytest_supercache as sc

@sc.explore
async def test_task(world):
    redis, near = world.existing_cache.aclient(decode_responses=True), {}

    async def fill(value):
        if "k" not in near:  # before the first step of a task that a user has started
            near["k"] = await redis.get(value)
        return near["k"]

    async def flow(value):
        return await asyncio.create_task(fill(value))

    await redis.mset({"a": "a", "b": "b"})
    world.actor("alice", flow, "a")
    world.actor("bob", flow, "b")
    answers = await world.run()
    assert answers["alice"] == answers["bob"]
"""

REPLACED_FUNCTION = """
import pytest_supercache as sc

class Prices:
    loads = 0

    def price(self):
        return self.load() + self.load()

    def load(self):
        return 1

@sc.explore
def test_price(world):
    redis, prices = world.existing_cache.client(), Prices()

    def deploy():
        redis.set("version", 2)
        Prices.load = lambda self: 10

    def restore():
        Prices.load = old

    old = Prices.load
    world.actor("alice", prices.price)
    world.actor("bob", deploy)
    answer = world.run()["alice"]
    restore()
    assert answer in (2, 20)
"""

LAST_WRITE_WINS = """
import threading
import time
import pytest_supercache as sc

class Price:
    def __init__(self):
        self.lock, self.at, self.value = threading.Lock(), 0.0, None

    def put(self, value):
        with self.lock:
            now = time.time()
            if now > self.at:
                self.at, self.value = now, value

@sc.explore
def test_last(world):
    price = Price()
    world.actor("alice", price.put, "a")
    world.actor("bob", price.put, "b")
    world.run()
    assert price.value == "b"
"""

KEYS = either(3, 40)
MANY_KEYS = """
import pytest_supercache as sc

@sc.explore
def test_keys(world):
    redis, near = world.existing_cache.client(), {}

    def fill(name):
        for number in range(KEYS):
            near[number] = name
        redis.incr("fills")
        return list(near.values())

    world.actor("alice", fill, "alice")
    world.actor("bob", fill, "bob")
    assert world.run()["alice"] != ["bob"] * KEYS
""".replace("KEYS", str(KEYS))


RACES_IN_MEMORY = {
    "threads": NEAR_TEST,
    "many_keys": MANY_KEYS,
    "replaced_function": REPLACED_FUNCTION,
    "started_task": STARTED_TASK,
    "coroutines": AWAITED,
    "worker": OF_A_WORKER,
    "sections_that_read_the_clock": LAST_WRITE_WINS,
}


BATCH_OF_A_MILLISECOND = """
import time
import pytest_supercache as sc

def now_ms():
    return int(time.time() * 1000)

sc.watch(f"{__name__}:now_ms", clock=True)

@sc.explore
def test_batch(world):
    world.actor("alice", lambda: now_ms())
    world.actor("bob", lambda: now_ms())
    answers = world.run()
    assert answers["alice"] == answers["bob"]
"""

CLOCK_IN_SHARED_MEMORY = """
import time
import pytest_supercache as sc

shift = {"seconds": 0}

def now_ms():
    return int((time.time() + shift["seconds"]) * 1000)

sc.watch(f"{__name__}:now_ms", clock=True)

@sc.explore
def test_shift(world):
    def look():
        before = now_ms()
        return shift["seconds"], now_ms() - before

    shift["seconds"] = 0
    world.actor("alice", look)
    world.actor("bob", lambda: shift.update(seconds=1))
    assert world.run()["alice"] != (1, 1001)
"""

COUNT_BY_TWO_ANSWERS_OF_THE_LOOP = """
import asyncio
import pytest_supercache as sc

@sc.explore
async def test_count(world):
    hits = []

    async def look():
        return len(hits)

    async def store(number):
        hits[:] = range(number)

    def count(loop):
        def ask(coroutine):
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        ask(store(ask(look()) + 1))

    async def serve():
        await asyncio.to_thread(count, asyncio.get_running_loop())

    world.actor("alice", serve)
    world.actor("bob", serve)
    await world.run()
    assert len(hits) == 2
"""


PSEUDO_ACTORS = {
    "next_millisecond": ("clock@1ms", BATCH_OF_A_MILLISECOND),
    "callbacks_of_threads": ("calls@loop", COUNT_BY_TWO_ANSWERS_OF_THE_LOOP),
    "next_millisecond_of_a_clock_in_shared_memory": ("clock@1ms", CLOCK_IN_SHARED_MEMORY),
}


def test_races_in_memory_and_moves_of_pseudo_actors_replay_in_new_processes_of_any_hash_seed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side in one project: a process for each hash seed replays them all."""
    monkeypatch.setattr(sharing, "PARTS_MAX", min(KEYS - 1, sharing.PARTS_MAX))
    races = dict(list(RACES_IN_MEMORY.items())[: either(4, 7)])
    moves = dict(list(PSEUDO_ACTORS.items())[: either(1, 3)])
    for name, test in {**races, **{name: test for name, (_, test) in moves.items()}}.items():
        project.test_file(test, f"test_{name}")
    project.run().assert_outcomes(failed=len(races) + len(moves))
    tokens = tokens_by_file(project)
    assert {f"test_{name}.py" for name in (*races, *moves)} == set(tokens)
    assert all(";memory=" in tokens[f"test_{name}.py"] for name in races)
    assert tokens["test_many_keys.py"].endswith(";memory=near/%2A%2A")
    for name, (pseudo_actor, _) in moves.items():
        assert pseudo_actor in tokens[f"test_{name}.py"]
    for seed in range(either(1, 10)):
        assert replayed_apart(project, monkeypatch, tokens, seed) == dict.fromkeys(tokens, "10/10")
