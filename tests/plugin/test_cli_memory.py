"""`supercache explain --memory` says who uses which memory, and an option how that is treated."""

import subprocess
import sys

import pytest

from tests.plugin.conftest import Project

CONFTEST = """
import threading
import pytest_supercache as sc

class Stats:
    hits = 0

class Shop:
    def __init__(self, origin):
        self.origin, self.near, self.index, self.lock = origin, {}, {}, threading.Lock()
        self.own = {}

    def get(self, key):
        Stats.hits += 1
        with self.lock:
            self.index[key] = True
        if key not in self.near:
            self.near[key] = self.origin.get(key)
        return self.near[key]

    def set(self, key, value):
        self.origin.set(key, value)
        self.own[key] = value
        self.near.pop(key, None)

@sc.system("shop")
def shop(layers):
    return Shop(layers.origin)
"""

RACE = """
scenario: A change is seen
id: MEM-1
system: shop
given: {origin: {tea: 1}}
users:
  alice:
    - read: tea
  bob:
    - read: tea
  carol:
    - write: {key: tea, value: 2}
"""


def explained(project: Project) -> list[str]:
    command = [sys.executable, "-m", "pytest_supercache.cli", "explain", "--memory"]
    done = subprocess.run(
        [*command, "story.supercache.yaml"],
        check=False, capture_output=True, text=True, cwd=project.pytester.path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_memory_that_users_share_is_listed_with_who_uses_it_and_under_which_lock(
    project: Project,
) -> None:
    project.conftest(CONFTEST)
    project.scenario(RACE)
    lines = explained(project)
    assert lines[0] == "MEM-1: memory that its users share (violated)"
    both = "alice reads and writes, bob reads and writes"
    assert f"Shop.near['tea'] {both}, carol writes raced" in lines
    assert f"Stats.hits {both} raced" in lines
    locked = [line for line in lines if line.startswith("Shop.index['tea']")]
    assert locked[0].startswith("Shop.index['tea'] alice writes, bob writes locked: conftest.py:")
    assert not [line for line in lines if "Shop.own" in line], "carol alone uses it"
    assert lines[-1] == """explore: {atomic: ["Shop.near['tea']", "Stats.hits"]}"""
    assert not (project.pytester.path / "reports").exists()


def test_what_is_declared_atomic_is_listed_so_and_a_scenario_without_any_says_that(
    project: Project,
) -> None:
    project.conftest(CONFTEST)
    project.scenario(f"{RACE}explore: {{atomic: [Stats.hits, Shop.near]}}\n")
    lines = explained(project)
    assert lines[0] == "MEM-1: memory that its users share (holds)"
    assert {line.rpartition(" ")[2] for line in lines[1:] if "locked" not in line} == {"atomic"}
    project.scenario(RACE.replace("system: shop", "system: reference.naive"))
    assert explained(project) == [
        "MEM-1: its users share no memory of the process, one of them writing"
    ]


def test_systems_that_could_not_be_searched_are_named(project: Project) -> None:
    project.conftest(CONFTEST)
    project.add_to_conftest('@sc.system("broken")\ndef broken(layers):\n    return 1 / 0\n')
    project.scenario(RACE.replace("system: shop", "systems: {shop: holds, broken: holds}"))
    lines = explained(project)
    assert lines[0] == "MEM-1[shop]: memory that its users share (violated)"
    assert lines[-1].startswith("MEM-1[broken]: not searched: system 'broken' could not be built")


@pytest.mark.parametrize(("memory", "verdict"), [("auto", "violated"), ("declared", "holds")])
def test_the_command_line_says_how_memory_is_treated(
    project: Project, memory: str, verdict: str
) -> None:
    project.conftest(CONFTEST)
    project.scenario(RACE)
    project.run(f"--supercache-memory={memory}")
    assert project.row()["verdict"] == verdict


def test_another_word_for_memory_is_refused(project: Project) -> None:
    project.conftest(CONFTEST)
    project.scenario(RACE)
    result = project.run("--supercache-memory=shred")
    result.assert_outcomes(failed=1)
    assert "memory='shred': expected one of auto, declared, shared" in result.stdout.str()
