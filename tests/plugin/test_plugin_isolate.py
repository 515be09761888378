"""Nodes that must not share a module: each imports it for itself, afresh in every execution."""

from textwrap import indent

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import on_two_nodes, race
from tests.selection import few

pytestmark = pytest.mark.python

MODULE = """
import functools
import threading

guard = threading.Lock()
origin = None

@functools.lru_cache
def remember(key):
    return origin.get(key)

def look_up(key):
    return remember(key)
"""

CONFTEST = """
import pytest_supercache as sc

{watch}

class Memo:
    def __init__(self, module, db):
        self.module, self.db = module, db
        module.origin = db

    def get(self, key):
        with self.module.guard:
            return self.module.look_up(key)

    def set(self, key, value):
        self.db.set(key, value)
        with self.module.guard:
            self.module.remember.cache_clear()

@sc.system("memo"{isolate})
def memo(layers):
    import shop_memo
    return Memo(shop_memo, layers.origin)
"""

TWO_NODES = """
scenario: After a change no node answers the old value
id: ISO-1
system: memo
given: {origin: {k: 1}}
users:
  alice:
    - read: k
  bob:
    node: b
    steps:
      - read: k
      - write: {key: k, value: 2}
"""


def project_with(project: Project, isolate: str, watch: str = "") -> None:
    project.pytester.syspathinsert()
    project.pytester.makepyfile(shop_memo=MODULE)
    project.conftest(CONFTEST.format(isolate=isolate, watch=watch))
    project.scenario(TWO_NODES)


def test_a_node_keeps_what_another_one_has_changed_when_each_has_its_own_import(
    project: Project,
) -> None:
    project_with(project, ', isolate=["shop_memo"]', 'sc.watch("shop_memo:look_up", reads="key")')
    result = project.run()
    row = project.row()
    assert (row["verdict"], row["guarantee"]) == ("violated", "coherent_when_settled")
    result.stdout.fnmatch_lines(["*look_up k*"])
    result.stdout.no_fnmatch_line("*waits for ever*")


def test_one_node_that_forgets_under_its_lock_answers_nothing_old(project: Project) -> None:
    project_with(project, ', isolate=["shop_memo"]', 'sc.watch("shop_memo:look_up", reads="key")')
    project.scenario(TWO_NODES.replace("node: b", "node: a"))
    project.run().assert_outcomes(passed=1)


def test_without_it_the_state_that_nodes_share_is_an_error(project: Project) -> None:
    project_with(project, "")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*keeps state that its nodes share*shop_memo:remember*"])


ASKED_AT_IMPORT = {
    "a server": ("import socket; socket.create_connection(('127.0.0.1', 1), 1)", "127.0.0.1:1"),
    "a name": ("import socket; socket.gethostbyname('cache.invalid')", "cache.invalid"),
    "a process": ("import subprocess; subprocess.run(['false'], check=True)", "a process"),
    "a thread": (
        "import threading\nasking = threading.Thread(target=int); asking.start(); asking.join()",
        "while a module is imported",
    ),
    "memcached": (
        "from pymemcache import Client; Client(('127.0.0.1', 1), ignore_exc=True).get('k')",
        "memcached at 127.0.0.1:1",
    ),
    "redis": (
        "import redis; from redis.backoff import NoBackoff; from redis.retry import Retry\n"
        "redis.Redis(port=1, retry=Retry(NoBackoff(), 0)).ping()",
        "127.0.0.1:1",
    ),
    "postgres": (
        "import psycopg; psycopg.connect('host=127.0.0.1 port=1')",
        "could not connect to PostgreSQL",
    ),
}
PROBING = """
try:
{probe}
    is_there = True
except Exception:
    is_there = False
"""
LOOKING = """
import pytest_supercache as sc

@sc.system("shop", isolate=["probing"])
class Shop:
    def __init__(self, layers):
        import probing
        self.origin, self.near, self.is_there = layers.origin, layers.super_cache, probing.is_there

    def get(self, key):
        return self.near.get(key) or self.origin.get(key) if self.is_there else self.origin.get(key)

    def set(self, key, value):
        self.origin.set(key, value)
"""


@pytest.mark.parametrize("asked", few(ASKED_AT_IMPORT, 4))
def test_what_leaves_control_while_an_isolated_module_is_imported_is_named(
    project: Project, asked: str
) -> None:
    probe, named = ASKED_AT_IMPORT[asked]
    project.pytester.syspathinsert()
    (project.path / "probing.py").write_text(PROBING.format(probe=indent(probe, "    ")))
    project.conftest(LOOKING)
    project.scenario(race("P-1", "shop"))
    project.run_apart()
    assert project.row()["verdict"] == "unknown"
    assert named in project.reasons()


def test_an_isolated_module_that_asks_nobody_holds(project: Project) -> None:
    project.pytester.syspathinsert()
    probe = "    import socket, threading; socket.socketpair(); threading.Thread(target=int)"
    (project.path / "probing.py").write_text(PROBING.format(probe=probe))
    project.conftest(LOOKING)
    project.scenario(race("P-1", "shop"))
    project.run_apart()
    assert project.row()["verdict"] == "holds"


@pytest.mark.parametrize("name", ["shop_memmo", ""])
def test_a_module_that_does_not_exist_is_told(project: Project, name: str) -> None:
    project_with(project, f', isolate=["{name}"]')
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*isolate='{name}'*Expected the name of a module*"])
    assert "Traceback" not in result.stdout.str()


FORGETTING = """
_cache = {}

class Near:
    def __init__(self, db):
        self.db = db
    def get(self, key):
        if key not in _cache:
            _cache[key] = self.db.get(key)
        return _cache[key]
    def set(self, key, value):
        self.db.set(key, value)
        _cache.pop(key, None)

@sc.system("near")
def near(layers):
    return Near(layers.origin)
"""


def test_module_state_that_a_write_deletes_is_found_too(project: Project) -> None:
    project.add_to_conftest(FORGETTING)
    project.scenario(on_two_nodes("A", "near"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*conftest:_cache*"])


LEARNS = """
learned = {}
seen = []

class Learning(Shop):
    def get(self, key):
        seen.append(key)
        if len(seen) == 8:
            self.redis.get("another key")
        return self.db.get(key)

    def set(self, key, value):
        learned.setdefault("writes", True)  # at the first write, which is not the race's
        self.db.set(key, value)

@sc.system("learning")
def learning(layers):
    return Learning(layers.existing_cache.client(), layers.origin)
"""


def test_what_changed_before_the_search_is_not_named_as_its_reason(project: Project) -> None:
    project.add_to_conftest(LEARNS)
    project.scenario(race("A", "learning", "explore: {memory: declared}\n"))
    project.run().assert_outcomes(failed=1)
    reason = project.reasons()
    assert "not deterministic" in reason
    assert "conftest:seen" in reason
    assert "conftest:learned" not in reason
