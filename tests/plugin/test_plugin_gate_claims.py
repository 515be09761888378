"""What the gate says in a run is true: its conditions, what is below the minimum."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import RAISES, configure, gate

HELD = race("C-W", "uncached")
CRITICAL = 'minimum_severity = "critical"'


@pytest.mark.parametrize(
    ("severity", "status"), [("", 1), ("severity: normal\n", 0), ("severity: critical\n", 1)]
)
def test_only_what_somebody_rated_is_below_the_minimum(
    project: Project, severity: str, status: int
) -> None:
    configure(project, CRITICAL)
    project.scenario(race("C-1", more=severity))
    project.scenario(HELD, "held")
    assert project.run("--supercache-gate").ret == status
    said = severity.removeprefix("severity: ").rstrip() or None
    assert project.rows()["C-1"]["severity"] == said
    below = "not covered: below severity critical: C-1"
    assert (below in gate(project)["scope"]) == (status == 0)


def test_an_explored_test_is_never_below_the_minimum(project: Project) -> None:
    configure(project, CRITICAL)
    project.scenario(HELD, "held")
    project.test_file(RAISES.format(name="test_a", error="KeyError"))
    assert project.run("--supercache-gate").ret == 1
    assert project.rows()["test_a"]["severity"] is None
    assert "nobody has waived it" in gate(project)["reasons"][0]


def test_an_unknown_scenario_that_nobody_rated_is_never_below_the_minimum(
    project: Project,
) -> None:
    configure(project, CRITICAL)
    project.scenario(HELD, "held")
    project.scenario(race("C-2", "uncached", "explore: {executions: 1}\n"))
    assert project.run("--supercache-gate").ret == 6
    assert "C-2 is UNKNOWN" in gate(project)["reasons"][0]


def test_a_go_that_rests_on_an_assumption_says_so(project: Project) -> None:
    project.scenario(HELD + "assume: {pause: 500ms}\n")
    result = project.run("--supercache-gate", "--color=yes")
    pause = "no operation pauses 500 ms or more"
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"*\x1b[[]32m*GO, while {pause}*", f"*search, while {pause}"])
    assert gate(project)["verdict"] == "GO"
    assert gate(project)["assumptions"] == [pause]
