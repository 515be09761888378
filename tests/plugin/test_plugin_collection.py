"""Scenario files among tests: marks, selection, cases, systems, fixtures, workers, JUnit."""

import sys
import xml.etree.ElementTree as ElementTree

import pytest

from pytest_supercache.runtime.kernel.under_test import modules_under_test
from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader, race
from tests.plugin.test_plugin_async import ASYNC
from tests.plugin.test_plugin_threads import BACKGROUND
from tests.selection import either

TAGGED = "tags: [pricing, gate]\n"
CASES = """
scenario: Two systems and two cases
id: C-1
systems: {shop: violated, uncached: holds}
given: {origin: {k: 1}}
users:
  alice: [{read: k}]
  bob: [{write: {key: k, value: 2}}]
cases:
  cold: {}
  warm: {given: {existing_cache: {k: 1}}}
"""
UNRELATED = "import xml, json\ndef test_it(): assert json.loads('1') == 1\n"
HEAVY = {"hypothesis", "allure", "redis", "freezegun", "ruamel", "jinja2", "rich", "fakeredis"}


@pytest.mark.parametrize("strict", [(), ("--strict-markers",)])
def test_tags_select_like_marks(project: Project, strict: tuple[str, ...]) -> None:
    project.scenario(race("C-2", "uncached", TAGGED))
    project.scenario(race("C-3", "uncached"), "other")
    result = project.run("-m", "pricing and gate", *strict, "-W", "error")
    result.assert_outcomes(passed=1, deselected=1)
    assert list(project.rows()) == ["C-2"]
    project.run("-m", "not pricing", *strict).assert_outcomes(passed=1, deselected=1)
    assert list(project.rows()) == ["C-3"]


def test_systems_and_cases_make_items_of_their_own(project: Project) -> None:
    project.scenario(CASES)
    result = project.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "story.supercache.yaml::C-1[[]shop-cold]",
            "story.supercache.yaml::C-1[[]shop-warm]",
            "story.supercache.yaml::C-1[[]uncached-cold]",
            "story.supercache.yaml::C-1[[]uncached-warm]",
        ]
    )


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (("story.supercache.yaml::C-1[uncached-warm]",), ["C-1[uncached-warm]"]),
        (("-k", "uncached"), ["C-1[uncached-cold]", "C-1[uncached-warm]"]),
        (("-k", "cold and uncached"), ["C-1[uncached-cold]"]),
        (("story.supercache.yaml", "-k", "C-1 and shop and cold"), ["C-1[shop-cold]"]),
    ],
)
def test_items_are_selected_by_node_id_and_keyword(
    project: Project, selection: tuple[str, ...], expected: list[str]
) -> None:
    project.scenario(CASES)
    project.run(*selection)
    assert list(project.rows()) == expected


def test_a_case_changes_what_is_given(project: Project) -> None:
    project.scenario(CASES)
    project.run("-k", "shop")
    rows = project.rows()
    assert rows["C-1[shop-cold]"]["verdict"] == "violated"
    assert rows["C-1[shop-warm]"]["verdict"] == "holds"  # a warm reader stores nothing


def test_fixtures_of_every_scope_work_for_scenarios(project: Project) -> None:
    project.add_to_conftest(
        "import pytest\n"
        "LOG = []\n"
        "def made(scope):\n"
        "    @pytest.fixture(scope=scope, autouse=True, name=f'of_{scope}')\n"
        "    def fixture(request):\n"
        "        LOG.append(scope)\n"
        "        yield\n"
        "        LOG.append(f'{scope} ends')\n"
        "    return fixture\n"
        "one, two, three = made('session'), made('module'), made('function')\n"
        "def pytest_unconfigure():\n"
        "    print('LOG', ', '.join(LOG))\n"
    )
    project.scenario(race("C-4", "uncached"))
    result = project.run("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*LOG session, module, function, function ends, module ends, session ends*"]
    )


def test_a_project_can_skip_a_scenario_through_its_mark(project: Project) -> None:
    project.add_to_conftest(
        "import pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def slow_ones(request):\n"
        "    if request.node.get_closest_marker('slow'): pytest.skip('slow')\n"
    )
    project.scenario(race("C-5", "shop", "tags: [slow]\n"))
    project.run("--strict-markers").assert_outcomes(skipped=1)


def test_items_run_on_workers_and_their_findings_meet(project: Project) -> None:
    for number in range(4):
        project.scenario(race(f"C-6{number}", "uncached" if number % 2 else "shop"), f"s{number}")
    result = project.run_apart("-n", "2")
    result.assert_outcomes(passed=2, failed=2)
    assert sorted(project.rows()) == ["C-60", "C-61", "C-62", "C-63"]
    counts = project.verdict()["counts"]
    assert (counts["holds"], counts["violated"]) == (2, 2)
    result.stdout.fnmatch_lines(["*= supercache =*", "C-60: VIOLATED *", "C-61: HOLDS"])
    assert result.stdout.str().count("written: ") == 1


def of_all_kinds(project: Project) -> list[str]:
    """Write scenarios on threads, background threads, coroutines; return their files."""
    project.add_to_conftest(BACKGROUND + ASYNC)
    systems = ["naive.worker", "plain.uncached", "shop", "uncached"][: either(2, 4)]
    for system in systems:
        project.scenario(race(f"C-7-{system}", system, "explore: {executions: 60}\n"), system)
    return [f"{system}.supercache.yaml" for system in systems]


def found(project: Project) -> dict[str, object]:
    """Return what the last run has found, but for how long it took."""
    times = {"seconds": None, "started": None}
    return {name: row | times for name, row in project.rows().items()}


def test_workers_find_the_same_as_one_process_in_any_order(project: Project) -> None:
    files = of_all_kinds(project)
    project.run(*files).assert_outcomes(failed=either(1, 2), passed=either(1, 2))
    alone = found(project)
    project.run(*reversed(files))
    assert found(project) == alone
    project.run_apart("-n", "1")
    assert found(project) == alone


def test_junit_properties_carry_verdict_and_token(project: Project) -> None:
    project.scenario(race("C-9"))
    project.run("--junit-xml=junit.xml")
    case = ElementTree.parse(project.path / "junit.xml").find(".//testcase")
    assert case is not None
    assert case.get("name") == "C-9"
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties["supercache_verdict"] == "violated"
    assert properties["supercache_token"] == project.token()
    failure = case.find("failure")
    assert failure is not None
    assert "C-9: VIOLATED" in (failure.text or "")


def test_the_plugin_loads_by_name_without_autoloading(project: Project) -> None:
    project.scenario(race("C-10", "uncached"))
    result = project.run_apart("-p", "supercache", "--disable-plugin-autoload")
    result.assert_outcomes(passed=1)


def test_the_plugin_can_be_turned_off(project: Project) -> None:
    project.conftest("")
    project.scenario(race("C-11"))
    project.test_file("def test_ordinary(): pass")
    project.run_apart("-p", "no:supercache").assert_outcomes(passed=1)


def imported(project: Project, *args: str) -> set[str]:
    """Return the top-level packages that a run of the project imports."""
    result = project.pytester.run(
        sys.executable, "-X", "importtime", "-m", "pytest", "-s", "-p", "no:cacheprovider",
        "-p", "no:allure_pytest", "-p", "no:hypothesispytest", *args,
    )  # fmt: skip
    names = [line.rsplit("|", 1)[-1].strip() for line in result.stderr.lines if "|" in line]
    return {name.partition(".")[0] for name in names}


def test_a_project_without_scenarios_pays_for_none_of_the_libraries(project: Project) -> None:
    project.conftest("")
    project.test_file(UNRELATED)
    found = imported(project)
    assert "pytest_supercache" in found
    assert not found & HEAVY


def test_a_project_with_a_scenario_does_import_them(project: Project) -> None:
    project.scenario(race("C-12", "uncached"))
    assert imported(project) >= {"redis", "fakeredis", "freezegun", "ruamel"}


def test_nothing_is_written_where_there_is_no_scenario(project: Project) -> None:
    project.test_file(UNRELATED)
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "supercache =" not in result.stdout.str()
    assert not (project.path / "reports").exists()


def test_a_second_run_in_the_same_process_starts_without_the_systems_of_the_first(
    project: Project,
) -> None:
    project.scenario(race("C-13", "uncached"))
    project.run().assert_outcomes(passed=1)
    project.conftest("import pytest_supercache as sc")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'uncached'*"])
    project.scenario(race("C-14", "reference.naive"))
    project.run().assert_outcomes(failed=1)
    assert project.row()["verdict"] == "violated"


@pytest.mark.parametrize("ini", ["[pytest]", None])
def test_a_file_may_include_what_lies_in_another_folder_of_the_project(
    project: Project, ini: str | None
) -> None:
    """Also without an ini file, where pytest's root would be the folder of the one file."""
    if ini is None:
        (project.path / "tox.ini").unlink()
    for folder in ("flows", "stories"):
        (project.path / folder).mkdir()
    (project.path / "flows" / "look.yaml").write_text("flows: {look: [{read: $key}]}")
    text = one_reader("I-1", "uncached", "include: ../flows/look.yaml\n")
    text = text.replace("[{read: k}]", "[{use: look, with: {key: k}}]")
    project.scenario(text, "stories/one")
    project.run("stories/one.supercache.yaml").assert_outcomes(passed=1)
    project.scenario(text.replace("../flows", "../../flows"), "stories/one")
    result = project.run("stories/one.supercache.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*include '../../flows/look.yaml' leaves the project"])


def test_the_conftests_of_a_run_are_no_code_under_test_of_the_next_one(project):
    project.scenario(one_reader("R-1", "shop"))
    project.run("-q")
    folders = [getattr(module, "__file__", None) or "" for module in modules_under_test()]
    assert str(project.path / "conftest.py") not in folders
