"""Stated verdicts: a scenario passes when the run says what the file states, and only then."""

import pytest

from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Label, Verdict
from pytest_supercache.plugin.item_runner import is_as_stated
from pytest_supercache.scenario.scenario import Stated
from tests.plugin.conftest import Project
from tests.plugin.projects import race


def stating(project: Project, systems: str, name: str = "P-1") -> None:
    project.scenario(race(name).replace("system: shop", f"systems: {systems}"), name)


def test_only_the_stated_verdict_passes(project: Project) -> None:
    files = {
        ("P-1", "{shop: violated}"): "P-1[[]shop]: VIOLATED coherent_when_settled, as expected",
        ("P-2", "{uncached: holds}"): "P-2[[]uncached]: HOLDS, as expected",
        ("P-3", "{shop: holds}"): "P-3[[]shop]: expected to hold, but VIOLATED *",
        ("P-4", "{uncached: violated}"): "P-4[[]uncached]: expected to be violated, but HOLDS",
    }
    for name, systems in files:
        stating(project, systems, name)
    result = project.run()
    result.assert_outcomes(passed=2, failed=2)
    for line in files.values():
        result.stdout.fnmatch_lines([line])
    assert [row["as_stated"] for row in project.rows().values()] == [True, True, False, False]
    assert result.ret == 1
    assert project.run("P-1.supercache.yaml", "P-2.supercache.yaml").ret == 0


def test_unknown_is_never_what_was_stated(project: Project) -> None:
    for stated in ("violated", "holds"):
        stating(project, f"{{uncached: {stated}}}", f"P-{stated}")
    project.run("--supercache-executions=1").assert_outcomes(failed=2)
    for row in project.rows().values():
        assert (row["verdict"], row["as_stated"]) == ("unknown", False)


def test_one_wrong_verdict_among_right_ones_fails_the_run(project: Project) -> None:
    project.add_to_conftest('sc.system("mended")(uncached)')
    stating(project, "{shop: violated, uncached: violated, mended: holds}")
    result = project.run()
    assert result.ret == 1
    result.assert_outcomes(passed=2, failed=1)
    counts = project.verdict()["counts"]
    assert counts == {"holds": 2, "unknown": 0, "violated": 1, "not_as_stated": 1}


def test_a_search_that_is_stopped_early_is_unknown_and_never_holds(project: Project) -> None:
    searches = ("auto", "all-schedules", "random", "hypothesis", "pct", "uniform")
    for name in searches:
        text = race(name, "reference.fixed", f"explore: {{search: {name}}}\n")
        project.scenario(text, name)
    result = project.run("--supercache-executions=5")
    result.assert_outcomes(failed=6)
    assert result.stdout.str().count("UNKNOWN is not a pass") == 6
    for name in searches:
        result.stdout.fnmatch_lines([f"{name}: UNKNOWN"])
        row = project.rows()[name]
        assert (row["verdict"], row["exhausted"]) == ("unknown", False)


def test_the_same_search_left_to_finish_holds_and_says_what_it_covered(project: Project) -> None:
    project.scenario(race("P-3", "uncached"))
    project.run("--supercache-search=all-schedules").assert_outcomes(passed=1)
    row = project.row()
    assert row["exhausted"]
    assert row["executions"] == row["schedules"] == 3  # one step against two
    assert row["interleavings"] is None
    assert row["coverage"].startswith("exhaustive: all 3 schedules were executed (2 users, 1 key,")


def test_a_preemption_bound_that_leaves_schedules_out_is_no_proof(project: Project) -> None:
    project.scenario(race("P-4", "uncached"))
    project.run("--supercache-preemptions=0").assert_outcomes(failed=1)
    assert project.row()["verdict"] == "unknown"


def test_a_stated_class_or_family_must_be_the_one_that_is_found(project: Project) -> None:
    for name, stated in (("A", "stale-set"), ("B", "late-fill"), ("C", "resurrection")):
        systems = f"systems: {{shop: {{violated: {stated}}}}}"
        project.scenario(race(f"S-{name}").replace("system: shop", systems), name)
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["S-C[[]shop[]]: VIOLATED *, but not as expected: expected resurrection, found stale-set"]
    )


def test_a_stated_label_must_be_the_one_that_is_found(project: Project) -> None:
    for name, label in (("A", "conflict"), ("B", "order bug")):
        systems = f"systems: {{shop: {{violated: {{label: {label}}}}}}}"
        project.scenario(race(f"S-{name}").replace("system: shop", systems), name)
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["S-B[[]shop[]]: VIOLATED *, but not as expected: expected order bug, found conflict, *"]
    )
    summary = (project.path / "reports" / "job-summary.md").read_text()
    assert "VIOLATED coherent_when_settled, but not the expected order bug" in summary


@pytest.mark.parametrize("label", [None, *Label])
def test_a_label_that_was_not_found_out_is_not_the_stated_one(label: Label | None) -> None:
    result = CheckResult(verdict=Verdict.VIOLATED, label=label)
    stated = Stated(verdict=Verdict.VIOLATED, label=Label.CONFLICT.value)
    assert is_as_stated(result, stated) == (label is Label.CONFLICT)
    assert is_as_stated(result, Stated(verdict=Verdict.VIOLATED)), "any label will do"
