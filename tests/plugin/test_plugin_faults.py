"""`faults:` in scenario files and in `@explore`, the option, the picture, the printed command."""

import pytest

from tests.plugin.conftest import Project, replay_command
from tests.plugin.projects import race

NEAR = '''
class Near(Shop):
    """Keeps what it has read in a dictionary of its own, and relies on Redis having it too."""

    def __init__(self, redis, db):
        super().__init__(redis, db)
        self.near = {}

    def layers(self):
        return {"near": self.near}

    def get(self, key):
        if key in self.near:
            return self.near[key]
        self.near[key] = super().get(key)
        return self.near[key]

    def twice(self, key):
        self.get(key)
        self.redis.ping()
        return self.near[key]

@sc.system("near")
def near(layers):
    return Near(layers.existing_cache.client(), layers.origin)

@sc.verb("look_twice")
def look_twice(near, user, key):
    return near.twice(key)
'''

WRITER = """
scenario: A change that was saved is seen
id: F-1
system: shop
given: {origin: {k: 1}, existing_cache: {k: 1}}
users:
  bob:
    - write: {key: k, value: 2}
    - read: k
      expect: 2
"""


def test_a_file_with_faults_names_the_fault_draws_it_and_prints_its_token(
    project: Project,
) -> None:
    project.scenario(WRITER + "faults: {max: 1, kinds: [error_before]}\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*VIOLATED coherent_when_settled*",
            "*fault bug: with this fault it fails even when users take turns*",
            "*fault: error_before at step 2 of bob's operation 1: DEL k*",
            "*DEL k, no effect,*",
        ]
    )
    row = project.row()
    assert row["label"] == "fault bug"
    assert row["scope"]["faults"] == 1
    assert ";error_before(bob,1,1)@2" in row["counterexample"]["token"]
    assert row["counterexample"]["faults"][0].startswith("error_before")
    # An operation that a fault has ended is answered; what follows in the flow is not tried.
    assert [op["error"] is None for op in row["counterexample"]["history"]] == [False]
    token = row["counterexample"]["token"]
    project.run(f"--supercache-replay={token}").assert_outcomes(failed=1)
    assert project.row()["counterexample"]["token"] == token


@pytest.mark.parametrize(("option", "verdict"), [("0", "holds"), ("1", "violated")])
def test_the_command_line_says_how_many_faults_and_the_file_which(
    project: Project, option: str, verdict: str
) -> None:
    project.scenario(WRITER + "faults: {max: 1, kinds: [error_before]}\n")
    project.run(f"--supercache-faults={option}")
    assert project.row()["verdict"] == verdict
    project.scenario(WRITER)
    project.run(f"--supercache-faults={option}")  # the usual kinds
    assert project.row()["verdict"] == verdict
    assert project.row()["scope"]["faults"] == int(option)


def test_a_move_is_a_row_of_its_own_and_a_token_with_another_place_is_unknown(
    project: Project,
) -> None:
    project.add_to_conftest(NEAR)
    project.scenario(
        "scenario: Nobody is left without an answer\nid: F-2\nsystem: near\n"
        "given: {origin: {k: 1}}\nusers:\n  alice: [{look_twice: {key: k}}]\n"
        "faults: {kinds: [evict]}\n"
    )
    result = project.run()
    token = project.row()["counterexample"]["token"]
    assert ";evict(near@a,k)@" in token
    assert "KeyError" in project.row()["counterexample"]["violation"]["summary"]
    result.stdout.fnmatch_lines(["*fault: evict k in the near of node a*", "*evict k in*"])
    assert "--supercache-replay" in replay_command(result)
    for other in ("evict(near@b,k)", "evict(near@a,other)", "restart(near@a)"):
        changed = token.replace("evict(near@a,k)", other)
        project.run(f"--supercache-replay={changed}").assert_outcomes(failed=1)
        assert project.row()["verdict"] == "unknown"
    broken = project.run(f"--supercache-replay={token.replace('evict', 'evct')}")
    assert broken.ret == 4


def test_faults_of_explore_and_a_restart_by_hand(project: Project) -> None:
    project.test_file(
        """
import pytest_supercache as sc

@sc.explore(faults=sc.Faults(kinds=("restart",)))
def test_warm(world):
    world.actor("alice", lambda: (world.super_cache.put("k", 1), world.super_cache.get("k")))
    assert world.run()["alice"][1] == 1

@sc.explore
def test_by_hand(world):
    def restart():
        world.super_cache.put("k", 1)
        world.restart(node="a")
        return world.super_cache.get("k")

    world.actor("alice", restart)
    assert world.run()["alice"] is None
"""
    )
    project.run().assert_outcomes(passed=1, failed=1)
    rows = project.rows()
    assert rows["test_by_hand"]["verdict"] == "holds"
    assert rows["test_warm"]["counterexample"]["faults"] == ["restart of the super cache of node a"]


def test_stated_conflicts_may_need_a_fault(project: Project) -> None:
    project.scenario(
        race("F-3", "x", "faults: {kinds: [error_before]}\n").replace(
            "system: x", "systems: {shop: violated, uncached: holds}"
        )
    )
    project.run().assert_outcomes(passed=2)
    assert project.rows()["F-3[uncached]"]["scope"]["faults"] == 1
