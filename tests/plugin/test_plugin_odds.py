"""The odds of a conflict: how they are asked for, what they are told, where they are written."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_reports import SCHEMA, mismatches


def test_a_conflict_has_odds_in_its_text_in_verdict_json_and_on_the_page(project: Project) -> None:
    project.scenario(race("O-1"))
    result = project.run("--supercache-odds=40")
    row = project.row()
    odds = row["odds"]
    assert odds["runs"] == 40
    assert odds["at_least"] < odds["failing"] / 40 < odds["at_most"]
    assert odds["latencies"]["origin"] == {"median": 0.005, "p99": 0.05}
    line = f"odds: {odds['share']}, {odds['condition']}"
    assert line in row["counterexample"]["explanation"]
    assert line in result.stdout.str()
    assert odds["share"] in (project.path / "reports" / "index.html").read_text()
    assert mismatches(project.verdict(), SCHEMA) == []
    project.run("--supercache-odds=0")
    assert project.row()["odds"] is None
    explanation = project.row()["counterexample"]["explanation"]
    assert not [line for line in explanation if line.startswith("odds:")]


def test_a_replay_shows_one_schedule_and_no_odds(project: Project) -> None:
    project.scenario(race("O-1"))
    project.run("--supercache-odds=5")
    token = project.row()["counterexample"]["token"]
    project.run("--supercache-odds=5", f"--supercache-replay={token}")
    assert project.row()["verdict"] == "violated"
    assert project.row()["odds"] is None


def test_latencies_are_the_projects_own(project: Project) -> None:
    project.scenario(race("O-1"))
    table = "[tool.supercache.traffic]\nwithin = '1s'\n"
    slow = "origin = {median = '100ms', p99 = '2s'}\n"
    found = []
    for text in (table, table + slow):
        (project.path / "pyproject.toml").write_text(text)
        project.run("--supercache-odds=60")
        found.append(project.row()["odds"])
    usual, own = found
    assert own["within_seconds"] == 1
    assert own["latencies"]["origin"] == {"median": 0.1, "p99": 2.0}
    assert own["latencies"]["messages"] == usual["latencies"]["messages"]
    assert "origin 100 ms" in own["condition"]
    assert own["failing"] > usual["failing"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("traffic = 3", "traffic = 3: expected a table"),
        ("[tool.supercache.traffic]\norigins = '1ms'", "unknown names: origins. Expected within"),
        ("[tool.supercache.traffic]\nwithin = 'soon'", "within = 'soon': write 300ms, 2s"),
        ("[tool.supercache.traffic]\norigin = '5ms'", "origin = '5ms': expected {median"),
        (
            "[tool.supercache.traffic]\norigin = {median = '5ms', p99 = '1ms'}",
            "origin: latency with median 0.005 s and p99 0.001 s: expected 0 < median <= p99",
        ),
    ],
)
def test_a_wrong_latency_is_one_message(project: Project, table: str, said: str) -> None:
    project.scenario(race("O-1"))
    table = table if table.startswith("[") else f"[tool.supercache]\n{table}"
    (project.path / "pyproject.toml").write_text(table)
    output = project.run("--supercache-gate")
    text = output.stdout.str() + output.stderr.str()
    assert output.ret == 4
    assert said in text
    assert "Traceback" not in text


def test_what_is_tried_on_the_way_is_not_simulated(project: Project) -> None:
    """Candidates of --supercache-save and examples of @given: there are many of them."""
    project.add_to_conftest(
        "import pytest_supercache.checking.simulated_odds as simulating\n"
        "calls, simulated = [], simulating.simulated\n"
        "def counted(trial, result):\n"
        "    calls.append(1)\n"
        "    return simulated(trial, result)\n"
        "simulating.simulated = counted\n"
        "def pytest_unconfigure():\n"
        "    simulating.simulated = simulated\n"
        "    print('simulated', len(calls))\n"
    )
    project.scenario(race("O-1"))
    saved = project.run("--supercache-odds=3", "--supercache-save=saved")
    assert "simulated 1" in saved.stdout.str()
    assert project.row()["odds"]["runs"] == 3
    project.test_file(GIVEN)
    given = project.run("--supercache-odds=3", "test_it.py")
    given.assert_outcomes(failed=1)
    assert "simulated 0" in given.stdout.str()


GIVEN = """
from hypothesis import given, settings, strategies as st
from pytest_supercache import explore

@settings(max_examples=5)
@given(st.integers(1, 3))
@explore
def test_counter(world, step):
    world.origin.set("n", 0)
    def add():
        world.origin.set("n", world.origin.get("n") + step)
    world.actor("a", add)
    world.actor("b", add)
    world.run()
    assert world.origin.peek("n") == 2 * step
"""
