"""Allure results of a run: our own, and those of allure-pytest, which must say the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.report.evidence import PLAYER
from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader, race
from tests.plugin.test_plugin_gate import TODAY, configure, waive
from tests.selection import few

OWN = "reports/allure-results"
RICH = "owner: karim\nseverity: critical\ntags: [gate]\nlinks: {issue: CACHE-7}\n"
STATED = race("A-1", more=RICH).replace("system: shop", "systems: {shop: holds, uncached: holds}")


def results(project: Project, folder: str = OWN) -> dict[str, dict[str, Any]]:
    """Return the results by the part of the name before the title."""
    files = sorted((project.path / folder).glob("*-result.json"))
    found = [json.loads(path.read_text("utf-8")) for path in files]
    return {result["name"].partition(":")[0]: result for result in found}


def told(project: Project, folder: str) -> dict[str, Any]:
    """Return what a reader of the report sees, whoever has written it."""
    found = results(project, folder)
    return {name: seen(result, project.path / folder) for name, result in found.items()}


def seen(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    ours = ("epic", "feature", "story", "severity", "owner", "tag", "conflict_class", "issue")
    labels = [(one["name"], one["value"]) for one in result["labels"]]
    steps = [(step["name"], step.get("steps", [])) for step in result["steps"]]
    return {
        "status": result["status"],
        "message": result.get("statusDetails", {}).get("message"),
        "description": result["description"],
        "labels": sorted(label for label in labels if label[0] in ours),
        "links": [(link["type"], link["url"]) for link in result.get("links", ())],
        "steps": [(name, [one["name"] for one in inner]) for name, inner in steps],
        "parameters": [
            (one["name"], one["value"].strip("'"), one["excluded"]) for one in result["parameters"]
        ],
        "attachments": [
            (one["name"], one["type"], text_of(folder / one["source"], one["name"]))
            for one in result["attachments"]
        ],
    }


def text_of(path: Path, name: str) -> str:
    """Return an attachment, without what differs between two runs."""
    return "..." if name in {"verdict.json", PLAYER} else path.read_text("utf-8")


def test_our_own_results_say_what_those_of_allure_pytest_say(project: Project) -> None:
    project.scenario(STATED)
    project.run().assert_outcomes(passed=1, failed=1)
    ours = told(project, OWN)
    project.run_apart("--alluredir=theirs").assert_outcomes(passed=1, failed=1)
    assert set(ours) == {"A-1[shop]", "A-1[uncached]"}
    assert ours == told(project, "theirs")
    shop = ours["A-1[shop]"]
    assert shop["status"] == "failed"
    assert shop["message"].startswith(
        "A-1[shop]: expected to hold, but VIOLATED coherent_when_settled (class stale-set)\nafter "
    )
    assert ("story", "shop") in shop["labels"]
    assert shop["labels"].count(("tag", "gate")) == 1
    assert ("issue", "CACHE-7") in shop["labels"]
    assert shop["links"] == []
    assert (
        shop["steps"][0][1][2]
        == "3. bob @a: origin write product:42 = 120 (write product:42 = 120)"
    )
    texts = {name: text for name, _, text in shop["attachments"]}
    assert texts["timeline"].startswith("<svg")
    *_, breaking, _ = texts["layers after each step"].splitlines()
    assert breaking == (
        '"5","alice @a: SET product:42 = 100 -> 100","100","120",'
        '"here the wrong value is stored, and it stays"'
    )
    assert json.loads(texts["history"])[1]["value"] == 120
    assert "sc.reproduce(" in texts["reproducer"]
    assert "class: stale-set" in texts["explanation"]
    for folder in (OWN, "theirs"):
        known = json.loads((project.path / folder / "categories.json").read_text())
        assert "Conflict: stale-set" in [rule["name"] for rule in known]
        said = (project.path / folder / "environment.properties").read_text()
        assert "version.fakeredis=" in said


@pytest.mark.parametrize("theirs", [False, True])
def test_a_ticket_leads_where_the_pattern_of_the_project_says(
    project: Project, theirs: bool
) -> None:
    """That of allure-pytest comes first, where it is given one."""
    configure(project, 'link_patterns = {issue = "https://tracker.example/{}"}')
    project.scenario(race("A-1", more=RICH))
    project.scenario(race("A-2", "uncached", "links: {docs: CACHE-7}\n"), "other")
    given = ["--alluredir=theirs"] if theirs else ["-p", "allure_pytest.plugin"]
    more = ["--allure-link-pattern=issue:https://other.example/{}"] if theirs else []
    project.run_apart(*given, *more).assert_outcomes(failed=1, passed=1)
    found = results(project, "theirs" if theirs else OWN)
    (link,) = found["A-1"]["links"]
    host = "other" if theirs else "tracker"
    assert (link["type"], link["name"]) == ("issue", "CACHE-7")
    assert link["url"] == f"https://{host}.example/CACHE-7"
    assert not found["A-2"].get("links")


def test_a_failing_test_has_the_page_of_its_conflict(project: Project) -> None:
    """The twin: a documented conflict has passed, and its page is that of the whole run."""
    project.scenario(race("A-1"))
    project.scenario(race("A-2").replace("system: shop", "systems: {shop: violated}"), "documented")
    project.run().assert_outcomes(failed=1, passed=1)
    found = results(project)
    pages = {
        name: [one for one in result["attachments"] if one["name"] == PLAYER]
        for name, result in found.items()
    }
    assert pages["A-2[shop]"] == []
    (attached,) = pages["A-1"]
    text = (project.path / OWN / attached["source"]).read_text()
    assert "A-1" in text
    assert "A-2" not in text


def test_under_xdist_the_controller_writes_one_folder(project: Project) -> None:
    for number in range(2):
        project.scenario(race(f"A-{number}"), f"s{number}")
    project.run_apart("-n", "1").assert_outcomes(failed=2)
    found = results(project)
    assert set(found) == {"A-0", "A-1"}
    for result in found.values():
        for one in result["attachments"]:
            assert (project.path / OWN / one["source"]).stat().st_size > 0
    config = json.loads((project.path / "reports" / "allurerc.json").read_text())
    assert config["resultsDir"] == "allure-results"
    assert [rule["name"] for rule in config["categories"]["rules"]][1] == "Conflict: stale-set"


def test_a_conflict_has_failed_and_a_stand_is_broken(project: Project) -> None:
    project.add_to_conftest(
        """
@sc.system("stateful")
def stateful(layers):
    raise sc.SupercacheError("the stand did not answer")
"""
    )
    project.scenario(race("A-1"))
    project.scenario(one_reader("A-2", "stateful"), "stand")
    project.scenario("scenario: x\nid: A-3\n", "unreadable")
    project.scenario(race("A-4", "uncached"), "fine")
    project.run()
    found = results(project)
    states = {name: result["status"] for name, result in found.items()}
    assert states == {"A-1": "failed", "A-2": "broken", "unreadable": "broken", "A-4": "passed"}
    assert "the stand did not answer" in found["A-2"]["statusDetails"]["trace"]


@pytest.mark.parametrize("folder", few([OWN, "theirs"], 1))
def test_what_a_waiver_in_force_accepts_is_known_and_nothing_else(
    project: Project, folder: str
) -> None:
    project.scenario(race("A-1"))
    project.scenario(race("A-2").replace('"product:42"}]', '"product:42", expect: 120}]'), "other")
    project.scenario(race("G-W", "uncached"), "workaround")
    project.run()
    first, second = (
        project.rows()[name]["counterexample"]["fingerprint"] for name in ("A-1", "A-2")
    )
    assert first != second
    waive(project, first, TODAY)
    options = [] if folder == OWN else ["--alluredir=theirs"]
    (project.run if folder == OWN else project.run_apart)("--supercache-gate", *options)
    found = results(project, folder)
    details = found["A-1"]["statusDetails"]
    assert details["known"] is True
    assert f"accepted until {TODAY} by KI-1: set cache.l1=off" in details["message"]
    assert not found["A-2"]["statusDetails"].get("known")
    assert "known" not in found["G-W"].get("statusDetails", {})


def test_history_and_files_do_not_depend_on_seed_or_search(project: Project) -> None:
    project.scenario(race("A-1"))
    seen = []
    for options in (["--supercache-search=all-schedules"], ["--supercache-seed=9"]):
        project.run(*options)
        seen.append((results(project)["A-1"]["historyId"],
                     sorted(path.name for path in (project.path / OWN).iterdir())))  # fmt: skip
    assert seen[0] == seen[1]


def test_results_of_the_last_run_go_and_lines_of_others_stay(project: Project) -> None:
    project.scenario(race("A-1"))
    project.run()
    project.scenario(race("A-2"))
    properties = project.path / OWN / "environment.properties"
    properties.write_text(f"stand=pre-prod\n{properties.read_text()}")
    project.run()
    assert set(results(project)) == {"A-2"}
    lines = properties.read_text().splitlines()
    assert lines[0] == "stand=pre-prod"
    assert len(lines) == len({line.partition("=")[0] for line in lines})
