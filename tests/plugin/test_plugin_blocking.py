"""Code that blocks where no schedule can see it: UNKNOWN with stacks, and the run goes on."""

import os
import re

import pytest

from pytest_supercache.runtime.kernel import ending, left_threads
from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader, race

STUCK = """
import os

EMPTY, _ = os.pipe()  # the system's own: nothing can make it cooperative

def never():
    os.read(EMPTY, 1)

class Stuck:
    def __init__(self, layers, where):
        self.redis, self.where = layers.existing_cache.client(), where
        self.asked = 0

    def get(self, key):
        if self.where == "entry":
            never()
        self.redis.get(key)
        if self.where == "actor":
            never()
        self.asked += 1
        if self.where == "probe" and self.asked == 2:
            never()

def register(where):
    @sc.system(f"stuck_{where}")
    def build(layers):
        if where == "factory":
            never()
        return Stuck(layers, where)

for where in ("entry", "actor", "probe", "factory", "nowhere"):
    register(where)
"""


PLACES = ("entry", "actor", "probe", "factory")


def test_code_that_blocks_for_ever_is_unknown_with_its_stack_and_the_run_goes_on(
    project: Project,
) -> None:
    """On xdist workers, so that timeouts elapse in parallel; each then runs a good system."""
    project.add_to_conftest(STUCK)
    flows = {place: one_reader(place, f"stuck_{place}") for place in PLACES}
    two = race("two_users", "stuck_actor", "guarantees: []\n").replace("write", "read")
    flows["two_users"] = two.replace('{key: "product:42", value: 120}', '"product:42"')
    for name, text in flows.items():
        project.scenario(
            re.sub(r"system: (\w+)", r"systems: {\1: holds, uncached: holds}", text), name
        )
    result = project.run_apart("--supercache-step-timeout=3", "-n3", "--dist=loadfile")
    result.assert_outcomes(failed=len(flows), passed=len(flows))
    rows = {row["id"].partition("[")[0]: row for row in project.verdict()["scenarios"]
            if row["system"] != "uncached"}  # fmt: skip
    assert set(rows) == set(flows)
    for row in rows.values():
        assert row["verdict"] == "unknown"
        assert "did not arrive within 3 s" in "\n".join(row["reasons"])
    for place in PLACES:
        assert "in never: os.read(EMPTY, 1)" in "\n".join(rows[place]["reasons"])
    assert "alice" in "\n".join(rows["two_users"]["reasons"])


def test_the_same_code_that_blocks_nowhere_holds(project: Project) -> None:
    project.add_to_conftest(STUCK)
    project.scenario(one_reader("Q-2", "stuck_nowhere"))
    project.run().assert_outcomes(passed=1)


HANGS = """
import os
import pytest
import pytest_supercache as sc

@pytest.mark.parametrize("name", "abc")
@sc.explore()
def test_hangs(world, name):
    world.actor("one", lambda: os.open("pipe", os.O_RDONLY))  # until somebody writes to it
    world.run()
"""


def test_a_run_ends_and_says_so_when_too_many_threads_hang(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_threads, "LEFT_MAX", 2)
    monkeypatch.setattr(ending, "UNWIND_SECONDS", 0.05)
    os.mkfifo(project.path / "pipe")
    project.test_file(HANGS)
    shown = project.run("--supercache-gate", "--supercache-step-timeout=0.05")
    os.close(os.open(project.path / "pipe", os.O_WRONLY))  # now they end
    shown.assert_outcomes(failed=2)
    assert shown.ret == pytest.ExitCode.INTERRUPTED
    shown.stdout.fnmatch_lines(["*Interrupted: 2 threads hang in code under test*"])
    document = project.verdict()
    assert document["gate"]["verdict"] == "NO VERDICT"
    assert "2 of 3 items were run" in document["run"]["stopped"]
