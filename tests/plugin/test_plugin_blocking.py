"""Code that blocks where no schedule can see it: UNKNOWN with stacks, and the run goes on."""

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


def test_code_that_blocks_for_ever_is_unknown_with_its_stack(project: Project) -> None:
    """On workers, because each of them does nothing but wait; one has a good scenario, too."""
    places = ("entry", "actor", "probe", "factory")
    project.add_to_conftest(STUCK)
    for where in places:
        project.scenario(one_reader(where, f"stuck_{where}"), where)
    two = race("two_users", "stuck_actor", "guarantees: []\n").replace("write", "read")
    project.scenario(two.replace('{key: "product:42", value: 120}', '"product:42"'), "two")
    project.scenario(race("G-1", "uncached"), "zz_good")
    result = project.run_apart("--supercache-step-timeout=2", "-n5")
    result.assert_outcomes(failed=5, passed=1)
    rows = project.rows()
    assert "alice" in "\n".join(rows["two_users"]["reasons"])
    for where in places:
        assert rows[where]["verdict"] == "unknown"
        reasons = "\n".join(rows[where]["reasons"])
        assert "did not arrive within 2 s" in reasons
        assert "in never: os.read(EMPTY, 1)" in reasons


def test_the_run_goes_on_in_the_process_in_which_code_blocked(project: Project) -> None:
    project.add_to_conftest(STUCK)
    project.scenario(one_reader("Q-1", "stuck_entry"))
    project.scenario(race("G-1", "uncached"), "zz_good")
    project.run_apart("--supercache-step-timeout=2").assert_outcomes(failed=1, passed=1)


def test_the_same_code_that_blocks_nowhere_holds(project: Project) -> None:
    project.add_to_conftest(STUCK)
    project.scenario(one_reader("Q-2", "stuck_nowhere"))
    project.run().assert_outcomes(passed=1)
