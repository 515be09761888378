"""The searches as users choose them: what they find, what they remember, what repeats."""

import re

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import few

HYPOTHESIS = "--supercache-search=hypothesis"


@pytest.mark.long  # test_plugin_hypothesis.py: the database holds the smallest witness
@pytest.mark.usefixtures("hypothesis_of_the_project")
def test_hypothesis_finds_the_conflict_of_the_story_and_replays_it_first(project: Project) -> None:
    project.scenario(race("H-1", "reference.naive"))
    project.run(HYPOTHESIS).assert_outcomes(failed=1)
    row, token = project.row(), project.token()
    assert (row["verdict"], row["label"]) == ("violated", "conflict")
    assert row["counterexample"]["replays"] == "10/10"
    for _ in range(2):  # once could be luck
        project.run(HYPOTHESIS).assert_outcomes(failed=1)
        assert (project.token(), project.row()["executions"]) == (token, 1)


@pytest.mark.long  # test_plugin_hypothesis.py: a word is a seed, and nothing is kept
def test_without_a_database_hypothesis_searches_again_as_its_seed_says(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")  # Hypothesis keeps no database there, as its import decides
    project.scenario(race("H-3", "reference.naive"))
    seen = []
    for _ in range(2):
        project.run_apart(HYPOTHESIS, "--hypothesis-seed=3").assert_outcomes(failed=1)
        seen.append((project.row()["executions"], project.token()))
    assert seen[0] == seen[1]
    assert seen[0][0] > 1


def kept_examples(project: Project) -> set[str]:
    """Return the names under which Hypothesis keeps what it found."""
    folders = (project.path / ".hypothesis" / "examples").iterdir()
    return {folder.name for folder in folders if any(folder.iterdir())}


TORN = """
class Torn(Uncached):
    def get(self, key):
        first, second = self.db.get(key), self.db.get(key)
        assert first == second, "torn"
        return second

sc.system("torn")(lambda layers: Torn(layers.existing_cache.client(), layers.origin))
"""
"""Two of its six schedules fail, and Hypothesis tries all six: it finds one, whatever it draws."""


@pytest.mark.usefixtures("hypothesis_of_the_project")
def test_two_scenarios_do_not_share_examples(project: Project) -> None:
    project.add_to_conftest(TORN)
    kept = []
    for name in ("H-4", "H-4", "H-5"):
        project.scenario(race(name, "torn"))
        project.run(HYPOTHESIS).assert_outcomes(failed=1)
        assert project.row()["verdict"] == "violated", project.row()["reasons"]
        kept.append(kept_examples(project))
    assert kept[0] == kept[1] < kept[2]


@pytest.mark.parametrize("search", few(["random", "pct", "uniform"], 1))
def test_a_search_that_draws_repeats_with_its_seed(project: Project, search: str) -> None:
    project.scenario(race("H-7", "reference.naive"))
    found: dict[int, set[tuple[str, int]]] = {}
    for seed in (1, 2, 1):
        project.run(f"--supercache-search={search}", f"--supercache-seed={seed}")
        found.setdefault(seed, set()).add((project.token(), project.row()["executions"]))
    assert all(len(each) == 1 for each in found.values())
    assert len(set.union(*found.values())) > 1, "the seed changes nothing"


def searched(project: Project, name: str, system: str) -> None:
    """Write a scenario that names its search, which is also its own name."""
    project.scenario(race(name, system, f"explore: {{search: {name}}}\n"), name)


def test_a_search_that_can_prove_nothing_never_holds(project: Project) -> None:
    for name in ("random", "hypothesis", "pct", "uniform"):
        searched(project, name, "uncached")
    result = project.run("--supercache-executions=30")
    result.assert_outcomes(failed=4)
    for row in project.rows().values():
        assert row["verdict"] == "unknown"
        assert "can prove nothing" in "\n".join(row["reasons"])


def test_an_unknown_search_is_refused_with_the_known_ones(project: Project) -> None:
    project.scenario(race("H-10"))
    result = project.run("--supercache-search=telepathy")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'telepathy'*all-schedules*"])


def test_all_searches_agree_on_the_label_and_the_guarantee(project: Project) -> None:
    searches = ("auto", "all-schedules", "hypothesis", "pct", "exhaustive", "random", "uniform")
    for name in searches:
        searched(project, name, "shop")
    project.run().assert_outcomes(failed=len(searches))
    assert {
        (row["label"], row["guarantee"], row["counterexample"]["preemptions"])
        for row in project.rows().values()
    } == {("conflict", "coherent_when_settled", 1)}


def test_a_scenario_too_large_for_its_budget_is_unknown_and_says_how_much_there_is(
    project: Project,
) -> None:
    users = "\n".join(
        f'  u{n}: [{{read: "product:42"}}, {{write: {{key: "product:42", value: {n}}}}}]'
        for n in range(4)
    )
    project.scenario(
        "scenario: Four users read and write\nid: L-1\nsystem: uncached\n"
        f"guarantees: [coherent_when_settled]\nusers:\n{users}\n"
    )
    assert project.run("--supercache-executions=150").ret == 1
    row = project.row()
    assert (row["verdict"], row["exhausted"], row["odds"]) == ("unknown", False, None)
    (reason,) = row["reasons"]
    assert reason.startswith("the budget of 150 executions ran out; 150 of at most 150")
    assert re.search(r"about [0-9,]+( \+- [0-9,]+)? schedules, which make about [0-9,]+", reason)
    assert "miss a violation: one that needs 2 orderings" in reason
    assert "Give more with --supercache-executions, or make the flow smaller" in reason
