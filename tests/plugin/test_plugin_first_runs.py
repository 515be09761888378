"""Libraries that fill something once in a process: verdicts as stated, tokens for new processes."""

import json
from collections.abc import Iterator

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import either, few

pytestmark = pytest.mark.python

CATALOGUE = '''
import functools
import re
import threading

_lock = threading.Lock()
_kinds, _pattern = {}, None

@functools.lru_cache
def kind_of(key):
    return key.partition(":")[0]

def known(redis, key):
    """Fill a registry, a memo function and a pattern of this module, and one that stays filled."""
    global _pattern
    with _lock:
        if kind_of(key) not in _kinds:
            _kinds[kind_of(key)] = redis.exists("kinds")
        if _pattern is None:
            _pattern = re.compile("[a-z]+:")
        if not hasattr(json.JSONEncoder, "catalogue_kinds"):
            json.JSONEncoder.catalogue_kinds = redis.exists("catalogue")

def knowing(system):
    class Knowing(system):
        def get(self, key):
            known(self.redis, key)
            return super().get(key)

        def set(self, key, value):
            known(self.redis, key)
            super().set(key, value)

    return Knowing

@sc.system("knowing_shop")
def knowing_shop(layers):
    return knowing(Shop)(layers.existing_cache.client(), layers.origin)

@sc.system("knowing_uncached")
def knowing_uncached(layers):
    return knowing(Uncached)(layers.existing_cache.client(), layers.origin)
'''


ALONE, WORKERS, XDIST = ("-p", "no:xdist"), ("--supercache-workers=2",), ("-n", "2")
VIOLATED_FIRST, HOLDS_FIRST = ("shop", "uncached"), ("uncached", "shop")
SHORT = [(ALONE, VIOLATED_FIRST)]
RUNS = [
    pytest.param(options, order, marks=[] if (options, order) in SHORT else pytest.mark.long)
    for options in (ALONE, WORKERS, XDIST)
    for order in (VIOLATED_FIRST, HOLDS_FIRST)
]
"""Each way to run and each order; what workers find: test_plugin_workers.py."""


@pytest.fixture
def emptied() -> Iterator[None]:
    """Leave the class of the standard library as it is in a new process."""
    yield
    if hasattr(json.JSONEncoder, "catalogue_kinds"):
        del json.JSONEncoder.catalogue_kinds


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize(("options", "order"), RUNS, ids=" ".join)
def test_two_scenarios_in_a_row_are_as_stated_and_their_tokens_replay_in_new_processes(
    project: Project, options: tuple[str, ...], order: tuple[str, str]
) -> None:
    project.add_to_conftest(CATALOGUE)
    for number, system in enumerate((*order, "shop")):
        project.scenario(race(f"S-{number}", f"knowing_{system}"), f"s{number}")
    result = project.run(*options)
    result.assert_outcomes(failed=2, passed=1)
    verdicts = {row["system"]: row["verdict"] for row in project.rows().values()}
    assert verdicts == {"knowing_shop": "violated", "knowing_uncached": "holds"}
    found = {
        row["replay"]: row["counterexample"]["violation"]
        for row in project.rows().values()
        if row["counterexample"]
    }
    for command, violation in found.items():
        for _ in range(either(1, 10)):
            assert project.rerun(command).ret == 1
            assert project.row()["counterexample"]["violation"] == violation


ASKED_ONCE = {
    "a memo of whether a server answers": """
import functools, socket
@functools.lru_cache
def is_there():
    try:
        socket.create_connection(("127.0.0.1", 1), 1)
    except OSError:
        return False
    return True
""",
    "a client that takes its server for dead": """
from pymemcache.client.hash import HashClient
client = HashClient([("127.0.0.1", 1)], ignore_exc=True)
def is_there():
    return client.get("k") is not None
""",
    "a module that asks when it is imported": """
import socket
try:
    socket.getaddrinfo("cache.invalid", 80)
    FOUND = True
except OSError:
    FOUND = False
def is_there():
    return FOUND
""",
}
LAZY = """
import pytest_supercache as sc

@sc.system("lazy")
class Lazy:
    def __init__(self, layers):
        import asked_once
        self.origin, self.near, self.is_there = layers.origin, layers.super_cache, {is_there}

    def get(self, key):
        value = self.near.get(key) if self.is_there() else None
        if value is None:
            value = self.origin.get(key)
            if self.is_there():
                self.near.put(key, value)
        return value

    def set(self, key, value):
        self.origin.set(key, value)
"""


@pytest.mark.parametrize("asked", few(ASKED_ONCE, 1))
def test_what_leaves_control_in_the_first_execution_only_is_named(
    project: Project, asked: str
) -> None:
    """Later executions remember what came of it; the twin asks nobody."""
    (project.path / "asked_once.py").write_text(ASKED_ONCE[asked])
    project.conftest(LAZY.format(is_there="asked_once.is_there"))
    project.scenario(race("P-1", "lazy"))
    project.run_apart()
    assert project.row()["verdict"] == "unknown"
    assert "127.0.0.1:1" in str(project.row()["reasons"]) or "cache.invalid" in str(project.row())
    (project.path / "asked_once.py").write_text("is_there = bool")
    project.run_apart()
    assert project.row()["verdict"] == "holds"
