"""What a run leaves behind: verdict.json, Allure results, the terminal section."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "pytest_supercache/report/verdict.schema.json").read_text(
        encoding="utf-8"
    )
)
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}  # fmt: skip


def mismatches(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """Compare a value with a schema; only the words that verdict.schema.json uses."""
    if "$ref" in schema:
        return mismatches(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    if "anyOf" in schema:
        return min((mismatches(value, one, place) for one in schema["anyOf"]), key=len)
    found = [f"{place}: {value!r}: {word}" for word, fits in FITS.items()
             if word in schema and not fits(value, schema[word])]  # fmt: skip
    inner: list[tuple[str, Any, dict[str, Any]]] = []
    if isinstance(value, dict):
        found += [f"{place}: no {key}" for key in schema.get("required", ()) if key not in value]
        inner = [(k, value[k], s) for k, s in schema.get("properties", {}).items() if k in value]
    elif isinstance(value, list) and "items" in schema:
        inner = [(str(number), item, schema["items"]) for number, item in enumerate(value)]
    return found + [m for key, item, s in inner for m in mismatches(item, s, f"{place}.{key}")]


def is_of_type(value: Any, names: str | list[str]) -> bool:
    return any(isinstance(value, TYPES[n]) for n in ([names] if isinstance(names, str) else names))


FITS: dict[str, Any] = {
    "const": lambda value, wanted: value == wanted,
    "enum": lambda value, wanted: value in wanted,
    "type": is_of_type,
}


def allure_results(project: Project) -> dict[str, dict[str, Any]]:
    files = (project.path / "allure").glob("*-result.json")
    return {result["name"]: result for result in (json.loads(f.read_text()) for f in files)}


def steps_below(step: dict[str, Any]) -> int:
    return sum(1 + steps_below(inner) for inner in step.get("steps", []))


def test_verdict_json_keeps_to_its_schema(project: Project) -> None:
    stated = "systems: {shop: violated, uncached: holds}"
    project.scenario(race("J-1", more="tags: [a]\nowner: karim\n").replace("system: shop", stated))
    project.scenario(race("J-2", "reference.fixed", "explore: {executions: 5}\n"), "unknown")
    project.run()
    document = project.verdict()
    assert {row["verdict"] for row in document["scenarios"]} == {"violated", "holds", "unknown"}
    assert mismatches(document, SCHEMA) == []


def test_the_check_against_the_schema_can_fail(project: Project) -> None:
    project.scenario(race("J-3"))
    project.run()
    document = project.verdict()
    document["scenarios"][0]["verdict"] = "perhaps"
    del document["counts"]
    assert len(mismatches(document, SCHEMA)) == 2


def test_the_picture_of_verdict_json_is_what_the_layers_held(project: Project) -> None:
    project.scenario(race("J-4"))
    project.run()
    last = project.row()["counterexample"]["steps"]
    values = [step["layers"] for step in last if step["layers"] is not None]
    assert values[-1]["existing_cache"] == {"product:42": "100"}
    assert values[-1]["origin"] == {"product:42": 120}


@pytest.mark.parametrize("chosen", ["out", "deep/er"])
def test_reports_go_where_the_option_says(project: Project, chosen: str) -> None:
    project.scenario(race("J-5", "uncached"))
    result = project.run(f"--supercache-report={chosen}")
    assert project.verdict(chosen)["scenarios"][0]["id"] == "J-5"
    assert not (project.path / "reports").exists()
    result.stdout.fnmatch_lines([f"written: *{chosen}/verdict.json"])


def test_a_report_folder_outside_the_project_is_taken_as_it_is(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    project.scenario(race("J-6", "uncached"))
    project.run(f"--supercache-report={folder}")
    assert (folder / "verdict.json").exists()


def test_the_page_is_written_beside_verdict_json(project: Project) -> None:
    project.scenario(race("J-16"))
    project.run()
    page = (project.path / "reports" / "index.html").read_text(encoding="ascii")
    assert '"id":"J-16"' in page
    assert "1 of 1 scenario not as expected: 1 conflict" in page
    minute = project.verdict()["when"][:16].replace("T", " ")
    assert f'"when","{minute} UTC"' in page


def test_the_terminal_names_every_item_and_its_verdict(project: Project) -> None:
    stated = "systems: {shop: violated, uncached: holds}"
    project.scenario(race("J-7").replace("system: shop", stated))
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "*= supercache =*",
            "J-7[[]shop]: VIOLATED coherent_when_settled, as expected",
            "J-7[[]uncached]: HOLDS, as expected",
            "written: *verdict.json",
        ]
    )


def test_pictures_of_stated_conflicts_are_printed_with_v_only(project: Project) -> None:
    project.scenario(race("J-8").replace("system: shop", "systems: {shop: violated}"))
    picture = "*alice @a*bob @a*| existing cache*origin*"
    quiet = project.run()
    assert not any("alice @a" in line for line in quiet.outlines)
    project.run("-v").stdout.fnmatch_lines(["*= supercache =*", picture, "*SET product:42*"])


def test_a_run_that_was_not_about_scenarios_keeps_the_last_verdict(project: Project) -> None:
    project.scenario(race("J-9"))
    project.run()
    before = project.verdict()
    project.test_file("def test_ordinary(): pass")
    project.run("test_it.py")
    assert project.verdict() == before


def test_allure_gets_text_history_and_a_picture_and_few_steps(project: Project) -> None:
    stated = "systems: {shop: violated, uncached: holds}"
    project.scenario(
        race("J-10", more="owner: karim\nseverity: critical\ntags: [gate]\n").replace(
            "system: shop", stated
        )
    )
    result = project.run_apart("--alluredir=allure")
    result.assert_outcomes(passed=2)
    results = allure_results(project)
    (conflict,) = [r for name, r in results.items() if "J-10[shop]" in name]
    kinds = {a["name"]: a["type"] for a in conflict["attachments"]}
    assert kinds == {
        "timeline": "image/svg+xml",
        "layers after each step": "text/csv",
        "explanation": "text/markdown",
        "history": "application/json",
        "reproducer": "text/plain",
        "verdict": "text/plain",
        "verdict.json": "application/json",
    }
    for attachment in conflict["attachments"]:
        assert (project.path / "allure" / attachment["source"]).stat().st_size > 0
    assert conflict["status"] == "passed"
    assert 0 < steps_below(conflict) < 20
    labels = {(label["name"], label["value"]) for label in conflict["labels"]}
    assert {("severity", "critical"), ("owner", "karim"), ("tag", "gate")} <= labels
    (proved,) = [r for name, r in results.items() if "J-10[uncached]" in name]
    assert {a["name"] for a in proved["attachments"]} == {"verdict", "verdict.json"}
    assert steps_below(proved) == 1, "how far the search went"


@pytest.mark.long  # test_plugin_allure.py: history depends on no search, and both say the same
def test_allure_shows_a_conflict_as_failed_whose_history_does_not_depend_on_the_token(
    project: Project,
) -> None:
    project.scenario(race("J-12"))
    seen = []
    for search in ("all-schedules", "random"):
        project.run_apart("--alluredir=allure", "--clean-alluredir",
                          f"--supercache-search={search}")  # fmt: skip
        ((_, result),) = allure_results(project).items()
        assert result["status"] == "failed"
        assert "J-12: VIOLATED" in result["statusDetails"]["message"]
        seen.append(result["historyId"])
    assert seen[0] == seen[1]


@pytest.mark.long  # test_plugin_allure.py: under xdist, the controller writes one folder
def test_findings_of_workers_reach_allure_and_one_verdict(project: Project) -> None:
    for number in range(2):
        project.scenario(race(f"J-13{number}"), f"s{number}")
    project.run_apart("-n", "2", "--alluredir=allure").assert_outcomes(failed=2)
    assert len(allure_results(project)) == 2
    assert sorted(project.rows()) == ["J-130", "J-131"]
    assert mismatches(project.verdict(), SCHEMA) == []
