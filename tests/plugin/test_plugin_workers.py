"""``--supercache-workers``: scenarios side by side, reported as if there had been one process."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from time import monotonic

import pytest

from pytest_supercache.checking import divided, workers
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_interrupt import hear_ctrl_c
from tests.processes import is_running
from tests.selection import few

NOTED = """
import os, pathlib

def noted(name, times=1):
    path = pathlib.Path(f"{name}-{os.getpid()}")
    noted.times[name] = noted.times.get(name, 0) + 1
    if noted.times[name] == times:
        path.touch()

noted.times = {}

@sc.system("quick")
def quick(layers):
    noted("quick")
    return Uncached(layers.existing_cache.client(), layers.origin)

@sc.system("wrong")
def wrong(layers):
    noted("wrong")
    return Shop(layers.existing_cache.client(), layers.origin)

class Secret(Exception):
    def __init__(self, one, two):  # it can be sent, but not received
        super().__init__(one)

class Raising(Shop):
    def get(self, key):
        raise Secret(key, lambda: None)

@sc.system("raising")
def raising(layers):
    noted("raising")
    return Raising(layers.existing_cache.client(), layers.origin)

class Unhelpful(Shop):
    def set(self, key, value):
        noted("unhelpful")
        raise sc.SupercacheError("never mind")

@sc.system("unhelpful")
def unhelpful(layers):
    return Unhelpful(layers.existing_cache.client(), layers.origin)
"""


def who(project: Project, name: str) -> set[int]:
    """Return the processes that built a system."""
    return {int(path.name.rpartition("-")[2]) for path in project.path.glob(f"{name}-*")}


def rows(project: Project, *args: str) -> tuple[dict, list[str]]:
    """Return what a run wrote about its items, without how long they took, and its summary."""
    result = project.run(*args)
    found = project.rows()
    for row in found.values():
        del row["seconds"]
    lines = [line for line in result.stdout.lines if line.startswith(("FAILED", "ERROR", "E "))]
    return found, lines


@pytest.mark.python
def test_workers_search_scenarios_and_the_run_tells_the_same(project: Project) -> None:
    project.add_to_conftest(NOTED)
    for name in ("quick", "wrong", "raising", "unhelpful"):
        project.scenario(race(name, name), name)
    alone = rows(project)
    for path in project.path.glob("*-*"):
        path.unlink()
    before = set(multiprocessing.active_children())
    assert rows(project, "--supercache-workers=2") == alone
    assert set(multiprocessing.active_children()) == before
    assert [alone[0][name]["verdict"] for name in ("quick", "wrong", "raising")] == [
        "holds", "violated", "violated"
    ]  # fmt: skip
    assert who(project, "quick").isdisjoint({os.getpid()})  # nothing to record
    assert len(who(project, "wrong")) == 2  # searched there, recorded here
    assert who(project, "wrong") > {os.getpid()} < who(project, "unhelpful")


THREE_USERS = """
scenario: three users
id: LONG-1
system: quick
given: {origin: {p: 1, q: 2}}
users:
  alice: [{read: {key: p}}, {write: {key: q, value: 3}}, {read: {key: p}}]
  bob: [{read: {key: q}}, {write: {key: p, value: 4}}]
  carol: [{read: {key: p}}, {write: {key: p, value: 5}}]
"""


@pytest.mark.python
def test_a_scenario_that_becomes_long_is_searched_by_all_workers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that searches ahead gives it up: in its turn it is divided among all."""
    project.add_to_conftest(NOTED)
    project.scenario(THREE_USERS, "long")
    project.scenario(race("S-1", "quick"), "short")
    alone = rows(project)
    for path in project.path.glob("*-*"):
        path.unlink()
    monkeypatch.setattr(divided, "DIVIDED_AFTER", 0.0)
    monkeypatch.setattr(workers, "GIVEN_UP_AFTER", 0.0)
    assert rows(project, "--supercache-workers=2") == alone
    assert alone[0]["LONG-1"]["verdict"] == "holds"
    assert alone[0]["LONG-1"]["interleavings"] > 20
    assert os.getpid() in who(project, "quick")
    assert len(who(project, "quick")) > 2


PLUGIN = """
class Flags:
    def pytest_runtest_setup(self, item): pass

def pytest_configure(config): config.pluginmanager.register(Flags())
"""


@pytest.mark.parametrize(
    ("conftest", "more"),
    few(
        [
            ("@pytest.fixture(autouse=True)\ndef needed(): pass", ""),
            (PLUGIN, ""),
            (
                "@pytest.fixture\n"
                "def supercache_runner(supercache_runner): return supercache_runner",
                "",
            ),
            (
                "def pytest_collection_modifyitems(items): items[-1].add_marker(pytest.mark.skip)",
                "",
            ),
            ("def pytest_runtest_setup(item): pass", ""),
            ("def pytest_runtestloop(session): pass", ""),
            ("def pytest_runtest_logstart(nodeid): pass", ""),
            ("def pytest_pyfunc_call(pyfuncitem): pass", ""),
            ("def pytest_fixture_setup(fixturedef): pass", ""),
            ("def pytest_runtest_teardown(item): pass", ""),
            ("def pytest_runtest_makereport(item, call): pass", ""),
            ("def pytest_sessionfinish(session): pass", ""),
            ("", "faults: {max: 1, kinds: [error_before]}\n"),
        ],
        4,
    ),
)
def test_what_needs_more_than_its_file_is_searched_in_its_turn(
    project: Project, conftest: str, more: str
) -> None:
    project.add_to_conftest(f"{NOTED}\nimport pytest\n{conftest}")
    project.scenario(race("A-1", "wrong"), "a")
    project.scenario(race("B-1", "quick", more), "b")
    project.run("--supercache-workers=2")
    assert who(project, "wrong") == {os.getpid()}


def test_a_hook_that_only_reports_leaves_the_search_to_workers(project: Project) -> None:
    project.add_to_conftest(f"{NOTED}\ndef pytest_runtest_logreport(report): pass")
    project.scenario(race("A-1", "quick"), "a")
    project.scenario(race("B-1", "wrong"), "b")
    project.run("--supercache-workers=2")
    assert who(project, "quick").isdisjoint({os.getpid()})


MODES = """
import pytest
mode = ["safe"]

class Switched(Shop):
    def get(self, key):
        return Shop.get(self, key) if mode[0] == "cached" else self.db.get(key)

@sc.system("switched")
def switched(layers):
    return Switched(layers.existing_cache.client(), layers.origin)

@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    mode[0] = "cached"
    return (yield)
"""


def test_workers_do_not_search_what_a_hook_has_not_switched_yet(project: Project) -> None:
    """The twin: without workers."""
    project.add_to_conftest(MODES)
    project.scenario(race("A-1", "switched"), "a")
    project.scenario(race("B-1", "uncached"), "b")
    for number in ("1", "2"):
        assert project.run("--supercache-gate", f"--supercache-workers={number}").ret == 1


@pytest.mark.python
def test_an_item_whose_worker_died_is_searched_in_its_turn(project: Project) -> None:
    project.add_to_conftest(NOTED)
    project.add_to_conftest("""
import multiprocessing

@sc.system("deadly")
def deadly(layers):
    if multiprocessing.parent_process() is not None:
        os._exit(7)
    return Uncached(layers.existing_cache.client(), layers.origin)
""")
    project.scenario(race("A-1", "deadly"), "a")
    project.scenario(race("B-1", "quick"), "b")
    assert project.run("--supercache-workers=2").ret == 0
    assert {row["verdict"] for row in project.rows().values()} == {"holds"}


LONG = """
from pytest_supercache.checking import divided

divided.DIVIDED_AFTER = 3600.0  # however slow this machine is, workers keep what they search

class Long(Uncached):
    def get(self, key):
        for _ in range(6):
            self.redis.get(key)
    set = lambda self, key, value: [self.redis.set(key, value) for _ in range(6)]

@sc.system("long")
def long(layers):
    noted("long", 100)
    return Long(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.python
def test_ctrl_c_keeps_what_workers_found_and_leaves_none_of_them(project: Project) -> None:
    project.add_to_conftest(NOTED + LONG)
    users = "  carol: [{read: other}]\nguarantees: []\n"
    endless = f"{users}explore: {{executions: 1000000, time: 3600s}}\n"
    for name in "ac":
        project.scenario(race(f"{name}-1", "long", endless), name)
    project.scenario(race("b-1", "wrong"), "b")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:django",
         "--supercache-workers=2"],
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    try:
        end = monotonic() + 120
        while len(who(project, "long")) < 2 and monotonic() < end:
            assert process.poll() is None, process.communicate()
            select.select([], [], [], 0.05)
        busy = who(project, "long")
        assert len(busy) == 2
        assert process.pid not in busy
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 2, out + err
    assert not any(map(is_running, busy))
    assert (project.row()["id"], project.row()["verdict"]) == ("b-1", "violated")
    assert "b-1: VIOLATED" in out
