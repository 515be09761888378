"""Nodes are processes: memory that two of them use, one of them writing, is an error."""

import pytest

from tests.plugin.conftest import Project
from tests.selection import few

pytestmark = pytest.mark.python

SHOP = """
import functools
from types import SimpleNamespace

near = {}
hits = SimpleNamespace(count=0)
client = None
rows = {"tea": 100}

class Plain:
    def __init__(self, origin):
        self.origin = origin

    def get(self, key):
        return self.origin.get(key)

    def set(self, key, value):
        self.origin.set(key, value)

class Near(Plain):
    def get(self, key):
        if key not in near:
            near[key] = self.origin.get(key)
        return near[key]

    def set(self, key, value):
        super().set(key, value)
        near.pop(key, None)

class Kept(Near):
    '''It keeps a file, too, which nobody empties.'''
    def __init__(self, origin, folder):
        super().__init__(origin)
        (folder / "log").write_text("")

class Counting(Plain):
    made = 0

    def get(self, key):
        Counting.made = Counting.made + 1
        return super().get(key)

class Remembering(Plain):
    @functools.lru_cache
    def _look_up(self, key):
        return self.origin.get(key)

    get = lambda self, key: remembered(key, self.origin)

    def set(self, key, value):
        super().set(key, value)
        remembered.cache_clear()

@functools.lru_cache
def remembered(key, origin):
    return origin.get(key)

@functools.lru_cache
def options():
    return {"ttl": 30}

class WithOptions(Plain):
    def get(self, key):
        assert options()["ttl"] == 30
        return super().get(key)

class Lazy(Plain):
    def get(self, key):
        global client
        if client is None:
            client = object()
        return super().get(key)

class Table:
    '''It stands for a database, which all processes use.'''
    def read(self, key):
        return rows[key]

    def write(self, key, value):
        rows[key] = value

class OnTable:
    def __init__(self):
        self.table = Table()

    def get(self, key):
        return self.table.read(key)

    def set(self, key, value):
        self.table.write(key, value)
"""

CONFTEST = """
import pytest_supercache as sc
{watches}

@sc.system("shop"{options})
def shop(layers):
    import shop_of_nodes
    return shop_of_nodes.{made}
"""

TWO_NODES = """
scenario: The other process is told of a change
id: NODES-1
system: shop
given: {origin: {tea: 100}}
before:
  - read: tea
    node: all
users:
  clerk:
    - write: {key: tea, value: 120}
finally:
  - read: tea
    node: b
    expect: 120
"""

ON_TABLE = "sc.watch('shop_of_nodes:Table.{}', layer='origin', {}='key')"


def run(project: Project, made: str, options: str = "", watches: str = "") -> pytest.RunResult:
    project.pytester.syspathinsert()
    project.pytester.makepyfile(shop_of_nodes=SHOP)
    project.conftest(CONFTEST.format(made=made, options=options, watches=watches))
    project.scenario(TWO_NODES)
    return project.run()


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("Kept(layers.origin, layers.tmp_path)", "state=['shop_of_nodes:near']"),
        ("Counting(layers.origin)", "state=['shop_of_nodes:Counting.made']"),
        ("Remembering(layers.origin)", "isolate=['shop_of_nodes']"),
        ("Lazy(layers.origin)", "state=['shop_of_nodes:client']"),
    ],
)
def test_memory_that_two_nodes_use_is_an_error_that_names_it(
    project: Project, made: str, named: str
) -> None:
    result = run(project, made)
    result.assert_outcomes(failed=1)
    assert "keeps state that its nodes share in this process" in result.stdout.str()
    assert named in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ("Counting(layers.origin)", ', state=["shop_of_nodes:Counting.made"]'),
        ("Lazy(layers.origin)", ', state=["shop_of_nodes:client"]'),
        ("Plain(layers.origin)", ""),
        ("WithOptions(layers.origin)", ""),
    ],
    ids=["counting", "lazy", "nothing", "a memo without a step"],
)
def test_nodes_that_share_nothing_hold(project: Project, made: str, options: str) -> None:
    run(project, made, options).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ("Kept(layers.origin, layers.tmp_path)", ', state=["shop_of_nodes:near"]'),
        ("Remembering(layers.origin)", ', isolate=["shop_of_nodes"]'),
    ],
)
def test_a_node_that_is_not_told_keeps_what_it_has(
    project: Project, made: str, options: str
) -> None:
    run(project, made, options).assert_outcomes(failed=1)
    assert (project.row()["verdict"], project.row()["guarantee"]) == ("violated", "expect")


def test_what_stands_for_a_database_is_declared_by_its_methods(project: Project) -> None:
    run(project, "OnTable()").assert_outcomes(failed=1)
    watches = "\n".join([ON_TABLE.format("read", "reads"), ON_TABLE.format("write", "writes")])
    run(project, "OnTable()", ", state=[]", watches).assert_outcomes(passed=1)


def test_memory_of_a_conftest_is_raced_though_another_folder_has_one_too(project: Project) -> None:
    project.conftest("import pytest_supercache as sc\n")
    for name in ("one", "two"):
        folder = project.pytester.mkdir(name)
        (folder / "conftest.py").write_text(
            "import pytest_supercache as sc\n"
            "class Stats:\n    hits = 0\n"
            "class Shop:\n"
            "    def get(self, key):\n        Stats.hits += 1\n        return Stats.hits\n"
            "    def set(self, key, value):\n        pass\n"
            f"@sc.system('{name}')\ndef {name}(layers):\n    return Shop()\n"
        )
        (folder / f"{name}.supercache.yaml").write_text(
            f"scenario: Hits\nid: {name.upper()}-1\nsystem: {name}\n"
            "guarantees: []\nusers:\n  a: [{read: k}]\n  b: [{read: k}]\n"
        )
    project.run()
    rows = project.rows().values()
    assert ["Stats.hits" in row["coverage"] for row in rows] == [True, True]


def test_locks_of_each_conftest_make_others_wait(project: Project) -> None:
    project.conftest("import pytest_supercache as sc\n")
    for name in ("one", "two"):
        folder = project.pytester.mkdir(name)
        (folder / "conftest.py").write_text(
            "import threading\n"
            "import pytest_supercache as sc\n"
            "guard = threading.Lock()\n"
            "class Shop:\n"
            "    def __init__(self, cache):\n        self.cache = cache\n"
            "    def get(self, key):\n"
            "        with guard:\n"
            "            self.cache.get(key)\n"
            "            return self.cache.get(key)\n"
            "    def set(self, key, value):\n        self.cache.set(key, value)\n"
            f"@sc.system('{name}')\n"
            f"def {name}(layers):\n    return Shop(layers.origin)\n"
        )
        (folder / f"{name}.supercache.yaml").write_text(
            f"scenario: One at a time\nid: {name.upper()}-1\nsystem: {name}\n"
            "guarantees: []\nusers:\n  a: [{read: k}]\n  b: [{read: k}]\n"
        )
    project.run()
    assert [row["verdict"] for row in project.rows().values()] == ["holds", "holds"]


TRYING = """
import threading
from collections import deque

import pytest_supercache as sc

locks = deque([threading.Lock()])

class Shop:
    def __init__(self, layers):
        self.cache = layers.existing_cache.client()

    def get(self, key):
        if not locks[0].acquire(blocking=False):
            raise RuntimeError("somebody else has it")
        try:
            return self.cache.get(key)
        finally:
            locks[0].release()

    def set(self, key, value):
        pass

@sc.system("shop")
def shop(layers):
    return Shop(layers)
"""

TWO_READERS = """
scenario: Each reads alone
id: TRY-1
system: shop
guarantees: []
users:
  alice:
    - read: k
  bob:
    node: {node}
    steps:
      - read: k
"""


@pytest.mark.parametrize(("node", "verdict"), [("b", "holds"), ("a", "violated")])
def test_each_node_has_its_own_of_a_lock_that_no_walk_finds(
    project: Project, node: str, verdict: str
) -> None:
    project.conftest(TRYING)
    project.scenario(TWO_READERS.format(node=node))
    project.run()
    assert project.row()["verdict"] == verdict


ASYNCIO = """
import asyncio
import atexit
import functools
import json

import anyio

{made}

class Locked:
    def __init__(self, layers):
        self.db, self.redis = layers.origin.aio, layers.existing_cache.aclient()

    async def get(self, key):
        async with {found}:
            raw = await self.redis.get(key)
            if raw is not None:
                return json.loads(raw)
            value = await self.db.get(key)
            await self.redis.set(key, json.dumps(value))
            return value

    async def set(self, key, value):
        async with {found}:
            await self.db.set(key, value)
            await self.redis.delete(key)
"""

STALE_SET = """
scenario: Nobody keeps an old price
id: NODES-2
system: shop
given: {{origin: {{tea: 100}}}}
users:
  alice: [{{read: tea}}]
  bob: {{node: {node}, steps: [{{write: {{key: tea, value: 120}}}}]}}
"""

LOCK = "LOCK = asyncio.Lock()"
IN_MEMO = "@functools.lru_cache\ndef lock(): return asyncio.Lock()"
GATES = """
class Gates:
    def __init__(self, tokens):
        self.tokens = tokens
    async def __aenter__(self):
        await self.tokens.get()
    async def __aexit__(self, *_):
        self.tokens.put_nowait(1)
tokens = asyncio.Queue()
tokens.put_nowait(1)
gate = Gates(tokens)
"""
STREAM = """
send, receive = anyio.create_memory_object_stream(1)
atexit.register(send.close)
atexit.register(receive.close)
send.send_nowait(1)
class Gate:
    async def __aenter__(self):
        await receive.receive()
    async def __aexit__(self, *_):
        send.send_nowait(1)
"""
FLAG = """
free = asyncio.Event()
free.set()
class Gate:
    async def __aenter__(self):
        while not free.is_set():
            await free.wait()
        free.clear()
    async def __aexit__(self, *_):
        free.set()
"""


def locked(
    project: Project, made: str, found: str, *, node: str = "b", options: str = ""
) -> pytest.RunResult:
    project.pytester.syspathinsert()
    project.pytester.makepyfile(shop_of_nodes=ASYNCIO.format(made=made, found=found))
    project.conftest(CONFTEST.format(made="Locked(layers)", options=options, watches=""))
    project.scenario(STALE_SET.format(node=node))
    return project.run()


@pytest.mark.parametrize(
    ("made", "found", "named"),
    few(
        [
            (LOCK, "LOCK", "state=['shop_of_nodes:LOCK']"),
            (IN_MEMO, "lock()", "isolate=['shop_of_nodes']"),
            (GATES, "gate", "state=['shop_of_nodes:tokens']"),
            ("LOCK = anyio.Lock()", "LOCK", "state=['shop_of_nodes:LOCK']"),
            ("LOCK = asyncio.Semaphore(1)", "LOCK", "state=['shop_of_nodes:LOCK']"),
            ("LOCK = asyncio.Condition()", "LOCK", "state=['shop_of_nodes:LOCK']"),
            ("LOCKS = {'tea': asyncio.Lock()}", "LOCKS[key]", "state=['shop_of_nodes:LOCKS']"),
            (
                "class Kept:\n    lock = asyncio.Lock()",
                "Kept.lock",
                "state=['shop_of_nodes:Kept.lock']",
            ),
            (FLAG, "Gate()", "state=['shop_of_nodes:free']"),
            (IN_MEMO.replace("asyncio", "anyio"), "lock()", "isolate=['shop_of_nodes']"),
            (STREAM, "Gate()", "shop_of_nodes:"),
        ],
        4,
    ),
    ids=[
        "lock",
        "memo",
        "queue",
        "anyio",
        "semaphore",
        "condition",
        "dict",
        "class",
        "event",
        "memo of anyio",
        "stream of anyio",
    ],
)
def test_a_tool_of_asyncio_that_two_nodes_use_is_an_error_that_names_it(
    project: Project, made: str, found: str, named: str
) -> None:
    result = locked(project, made, found)
    result.assert_outcomes(failed=1)
    assert "keeps state that its nodes share in this process" in result.stdout.str()
    assert named in result.stdout.str()


@pytest.mark.parametrize(
    ("made", "found"),
    few([(LOCK, "LOCK"), ("LOCK = asyncio.Condition()", "LOCK"), (IN_MEMO, "lock()")], 1),
    ids=["lock", "condition", "memo"],
)
def test_a_tool_of_asyncio_excludes_users_of_one_node(
    project: Project, made: str, found: str
) -> None:
    locked(project, made, found, node="a").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("made", "options"),
    few(
        [
            (LOCK, ', state=["shop_of_nodes:LOCK"]'),
            (LOCK, ', isolate=["shop_of_nodes"]'),
            ("class LOCK:\n    lock = asyncio.Lock()", ', state=["shop_of_nodes:LOCK.lock"]'),
        ],
        1,
    ),
    ids=["state", "isolate", "class"],
)
def test_a_lock_that_each_node_has_for_itself_excludes_nobody_on_another(
    project: Project, made: str, options: str
) -> None:
    found = "LOCK.lock" if "class" in made else "LOCK"
    locked(project, made, found, options=options).assert_outcomes(failed=1)
    assert project.row()["verdict"] == "violated"
