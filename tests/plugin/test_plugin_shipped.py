"""The scenarios that the repository ships say what they state; a wrong statement fails the run."""

import shutil
from pathlib import Path

import pytest

from tests.plugin.conftest import Project

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture
def shipped(project: Project) -> Project:
    """A copy of the shipped scenarios, so that reports of the repository stay as they are."""
    (project.path / "conftest.py").unlink()
    shutil.copytree(SCENARIOS / "story", project.path / "story")
    return project


STATED = {
    "PRICE-07[reference.naive]": "violated",
    "PRICE-07[reference.workaround]": "violated",
    "PRICE-07[reference.fixed]": "holds",
    "PRICE-08[reference.workaround]": "holds",
}


@pytest.mark.parametrize(
    "left_out", ["PRICE-07 and workaround", pytest.param("nothing", marks=pytest.mark.long)]
)
def test_the_story_says_what_it_states(shipped: Project, left_out: str) -> None:
    result = shipped.run("-k", f"not ({left_out})")
    assert result.ret == 0, result.stdout.str()
    verdicts = {name: row["verdict"] for name, row in shipped.rows().items()}
    assert verdicts == {
        name: verdict
        for name, verdict in STATED.items()
        if left_out == "nothing" or name != "PRICE-07[reference.workaround]"
    }
    assert all(row["as_stated"] for row in shipped.rows().values())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("reference.naive: violated", "reference.naive: holds"),
        pytest.param(
            "reference.workaround: violated", "reference.workaround: holds", marks=pytest.mark.long
        ),
    ],
)
def test_a_wrong_statement_in_the_story_fails_the_run(
    shipped: Project, right: str, wrong: str
) -> None:
    path = shipped.path / "story" / "price-change.supercache.yaml"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    result = shipped.run("-k", right.partition(":")[0], str(path))
    assert result.ret == 1
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["PRICE-07*: expected to hold, but VIOLATED coherent_when_settled"])


def test_every_shipped_scenario_states_its_verdict() -> None:
    files = sorted(SCENARIOS.rglob("*.supercache.yaml"))
    assert files
    for path in files:
        assert "systems:" in path.read_text(), path
