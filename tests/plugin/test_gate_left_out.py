"""What was collected and not run counts: for the check of a waiver, for a lock, for the verdict."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import TODAY, gate, of_the_race, waive
from tests.selection import few

BOTH = """
scenario: The workaround, on two systems
id: G-W
systems: {{{first}: holds, {second}: holds}}
given: {{origin: {{k: 1}}}}
users:
  alice: [{{read: k}}]
  bob: [{{write: {{key: k, value: 120}}}}]
"""
TWIN = '\n@sc.system("twin")\ndef twin(layers):\n    return uncached(layers)\n'


@pytest.mark.parametrize("workers", few([[], ["-n", "1"]], 1), ids=["here", "workers"])
def test_the_check_of_a_waiver_does_not_shrink_by_k(project: Project, workers: list[str]) -> None:
    run = project.run_apart if workers else project.run
    project.add_to_conftest(TWIN)
    project.scenario(race("G-1"))
    project.scenario(BOTH.format(first="uncached", second="twin"), "workaround")
    waive(project, of_the_race(project), TODAY)
    assert project.run("--supercache-gate").ret == 0
    assert run("--supercache-gate", "-k", "not twin", *workers).ret == 1
    assert "the check of its workaround, G-W[twin], was not run" in gate(project)["reasons"][0]


def test_the_check_of_a_waiver_does_not_shrink_by_node_ids(project: Project) -> None:
    project.add_to_conftest(TWIN)
    project.scenario(race("G-1"), "g")
    project.scenario(BOTH.format(first="uncached", second="twin"), "workaround")
    waive(project, of_the_race(project), TODAY)
    ids = [f"workaround.supercache.yaml::G-W[{system}]" for system in ("uncached", "twin")]
    conflict = "g.supercache.yaml::G-1"
    assert project.run("--supercache-gate", conflict, *ids).ret == 0
    assert project.run("--supercache-gate", conflict, ids[0]).ret == 1
    assert "the check of its workaround, G-W[twin], was not run" in gate(project)["reasons"][0]


def test_the_check_of_a_waiver_in_python_does_not_shrink_by_node_ids(project: Project) -> None:
    project.scenario(race("G-1"), "g")
    project.test_file("""
import pytest
import pytest_supercache as sc

@pytest.mark.parametrize("number", [1, 2])
@sc.explore
def test_it(world, number):
    world.actor("alice", world.origin.get, "k")
    world.run()
""")
    waive(project, of_the_race(project), TODAY)
    known = project.path / "known-issues.toml"
    known.write_text(known.read_text().replace('"G-W"', '"test_it"'))
    conflict = "g.supercache.yaml::G-1"
    project.run("--supercache-gate", conflict, "test_it.py::test_it")
    assert gate(project)["verdict"] == "GO WITH KNOWN WORKAROUND"
    assert project.run("--supercache-gate", conflict, "test_it.py::test_it[1]").ret == 1
    assert "the check of its workaround, test_it[2], was not run" in gate(project)["reasons"][0]


REMOVED = {
    "from the items": "def pytest_collection_modifyitems(items): del items[0]",
    "before all others": """
import pytest
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    del items[0]
    yield
""",
    "for one that passes": """
import pytest
def pytest_collection_modifyitems(items):
    parent = items[0].parent
    items[0] = pytest.Function.from_parent(parent, name="L-1", callobj=lambda: None)
""",
    "at the end": "def pytest_collection_finish(session): del session.items[0]",
    "from what its file has": """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if collector.name.startswith("a."):
        report.result = []
    return report
""",
}


@pytest.mark.parametrize(
    ("how", "workers"),
    few(
        [
            ("for one that passes", ()),
            ("at the end", ()),
            ("from what its file has", ()),
            ("from the items", ("-n", "1")),
            ("from the items", ()),
            ("before all others", ()),
            ("at the end", ("-n", "1")),
            ("from what its file has", ("-n", "1")),
            ("before all others", ("-n", "1")),
            ("for one that passes", ("-n", "1")),
        ],
        4,
    ),
)
def test_an_item_that_a_conftest_removes_is_named(
    project: Project, how: str, workers: tuple[str, ...]
) -> None:
    project.scenario(race("L-1"), "a")
    project.scenario(race("L-2", "uncached"), "b")
    project.add_to_conftest(REMOVED[how])
    run = project.run_apart if workers else project.run
    if workers and how == "at the end":
        assert run("--supercache-gate", *workers).ret == 3  # xdist's controller has no items
        return
    assert run("--supercache-gate", *workers).ret == 6
    reasons = "\n".join(gate(project)["reasons"])
    assert "a.supercache.yaml::L-1 was collected and is missing from the run" in reasons


@pytest.mark.parametrize(
    "part",
    few(["--lf", "a.supercache.yaml::L-1", "--ignore=b.supercache.yaml", "--ignore-glob=b.*"], 2),
)
def test_a_run_that_leaves_files_out_without_a_word_is_not_locked(
    project: Project, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    project.scenario(race("L-1"), "a")
    project.scenario(race("L-2", "uncached"), "b")
    if part == "--lf":
        project.pytester.runpytest("--supercache-gate")  # with a cache, which it needs
    project.pytester.runpytest("--supercache-gate", part)
    assert list(project.rows()) == ["L-1"]
    assert f"not covered: what {part} leaves out" in gate(project)["scope"]
    monkeypatch.chdir(project.path)
    locked = CliRunner().invoke(main, ["verdict", "--lock"])
    assert locked.exit_code == 2
    assert f"{part} leaves out items" in locked.output
    assert not (project.path / "gate.lock").exists()


@pytest.mark.parametrize(
    "name", few(["b.Supercache.Yml", "b.supercache.yml", "b.supercache.YAML"], 1)
)
def test_scenario_files_are_collected_by_any_of_their_names(project: Project, name: str) -> None:
    project.scenario(race("N-1", "uncached"), "a")
    (project.path / name).write_text(race("N-2"))
    assert project.run("--supercache-gate").ret == 1
    assert set(project.rows()) == {"N-1", "N-2"}


def test_a_scenario_file_that_is_a_link_to_nothing_is_no_verdict(project: Project) -> None:
    project.scenario(race("N-1", "uncached"), "a")
    inner = project.path / "inner"
    inner.mkdir()
    (inner / "lost.supercache.yaml").symlink_to("nothing.yaml")
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"][0].startswith("lost could not be run whole: the file")
    assert project.run("--supercache-gate", "--ignore=inner").ret == 0


@pytest.mark.parametrize("name", few([".#a.supercache.yaml", ".supercache.yaml"], 1))
def test_a_link_that_an_editor_hides_beside_a_file_is_no_scenario(
    project: Project, name: str
) -> None:
    project.scenario(race("N-1", "uncached"), "a")
    (project.path / name).symlink_to("user@host:1")
    assert project.run("--supercache-gate").ret == 0
    assert set(project.rows()) == {"N-1"}


def test_a_broken_file_without_a_stem_has_a_name(project: Project) -> None:
    (project.path / ".supercache.yaml").write_text("users: 7")
    shown = project.run()
    assert shown.ret == 1
    shown.stdout.fnmatch_lines(["FAILED .supercache.yaml::.supercache.yaml*"])


def test_folders_without_scenarios_import_nothing_more(project: Project) -> None:
    """A module that was imported for a link to nothing would be there at the end."""
    said = "import sys\ndef pytest_unconfigure(): print('loaded', {name!r} in sys.modules)\n"
    project.conftest(said.format(name="pytest_supercache.plugin.collection"))
    project.test_file("def test_it(): pass")
    project.run_cold().stdout.fnmatch_lines(["loaded False"])
    (project.path / "lost.supercache.yaml").symlink_to("nothing")
    project.run_cold().stdout.fnmatch_lines(["loaded True"])


def test_a_worker_that_leaves_before_it_tells_its_items_is_named(project: Project) -> None:
    project.scenario(race("L-1"), "a")
    project.scenario(race("L-2", "uncached"), "b")
    project.add_to_conftest("""
import sys
def pytest_collection_modifyitems(items): del items[0]
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        sys.exit(0)
""")
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 6
    reasons = "\n".join(gate(project)["reasons"])
    assert "gw0 is a worker that ended without telling what it had collected" in reasons


def test_items_that_xdist_groups_are_not_missing(project: Project) -> None:
    project.scenario(race("L-1", "uncached"), "a")
    project.scenario(race("L-2", "uncached"), "b")
    project.add_to_conftest("""
import pytest
def pytest_itemcollected(item): item.add_marker(pytest.mark.xdist_group("group"))
""")
    assert project.run_apart("--supercache-gate", "-n", "1", "--dist=loadgroup").ret == 0
    assert gate(project)["verdict"] == "GO"


@pytest.mark.parametrize(
    "option", few(["--ignore docs", "--ignore=docs", "--ignore-glob=docs/*"], 1)
)
def test_what_the_settings_of_a_project_always_leave_out_is_no_part_of_a_whole_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(project.path)
    project.scenario(race("L-2", "uncached"), "b")
    with (project.path / "tox.ini").open("a") as settings:
        settings.write(f"\naddopts = {option}\n")
    assert project.run("--supercache-gate").ret == 0
    assert project.verdict()["run"]["selecting"] == []
    locked = CliRunner().invoke(main, ["verdict", "--lock"])
    assert (locked.exit_code, locked.output) == (0, "gate.lock: 1 scenario; commit it\n")


def test_settings_that_are_not_the_projects_leave_something_out(project: Project) -> None:
    project.scenario(race("L-2", "uncached"), "b")
    (project.path / "other.ini").write_text(
        (project.path / "tox.ini").read_text() + "\naddopts = --ignore=docs\n"
    )
    for words in (["-o", "addopts=--ignore=docs"], ["-c", "other.ini"]):
        project.run("--supercache-gate", *words)
        assert project.verdict()["run"]["selecting"] == ["--ignore=docs"]


SKIPPED = "import pytest\npytest.importorskip('no_such_library')\n"
SKIPS = ["importorskip('no_it')", "skip('later', allow_module_level=True)"]


def test_workers_collect_by_any_name_and_tell_what_they_could_not_collect(
    project: Project,
) -> None:
    project.scenario(race("N-1", "uncached"), "a")
    (project.path / "b.Supercache.Yml").write_text(race("N-2", "uncached"))
    (project.path / "lost.supercache.yaml").symlink_to("nothing.yaml")
    project.test_file(f"import pytest\nimport pytest_supercache as sc\npytest.{SKIPS[0]}\n")
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 6
    assert {"N-1", "N-2"} <= set(project.rows())
    reasons = gate(project)["reasons"]
    assert "test_it.py was skipped" in reasons
    assert any(reason.startswith("lost could not be run whole: the file") for reason in reasons)


@pytest.mark.parametrize("skip", few(reversed(SKIPS), 1))
def test_a_module_of_explored_tests_that_is_skipped_whole_is_no_verdict(
    project: Project, monkeypatch: pytest.MonkeyPatch, skip: str
) -> None:
    project.scenario(race("G-1", "uncached"))
    project.test_file(f"import pytest\nimport pytest_supercache as sc\npytest.{skip}\n")
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"] == ["test_it.py was skipped"]
    monkeypatch.chdir(project.path)
    locked = CliRunner().invoke(main, ["verdict", "--lock"])
    assert locked.exit_code == 2
    assert "test_it.py was skipped" in locked.output


def test_so_is_one_that_knows_explore_by_a_name_of_the_project(project: Project) -> None:
    project.scenario(race("G-1", "uncached"))
    project.test_file("from pytest_supercache import explore as race\n", "support")
    project.test_file(f"{SKIPPED}from support import race\n@race\ndef test_it(world): pass\n")
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"] == ["test_it.py was skipped"]


HIDING = {
    "the report about a failure": """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.failed:
        report.outcome, report.result, report.longrepr = "passed", [], None
    return report
""",
    "the error of an import": """
import pytest
class Lenient(pytest.Module):
    def collect(self):
        try:
            return list(super().collect())
        except self.CollectError:
            return []
def pytest_pycollect_makemodule(module_path, parent):
    return Lenient.from_parent(parent, path=module_path)
""",
}
EXPLORES = (
    "import pytest_supercache as sc\nimport missing_here\n@sc.explore\ndef test_it(world): pass\n"
)


@pytest.mark.parametrize(
    ("what", "options"),
    few(
        [
            ("the report about a failure", ()),
            ("the error of an import", ("--import-mode=importlib",)),
            ("the error of an import", ()),
            ("the report about a failure", ("-n", "1")),
        ],
        2,
    ),
)
def test_a_module_whose_failed_import_a_conftest_hides_is_no_verdict(
    project: Project, what: str, options: tuple[str, ...]
) -> None:
    """The twins: it has no test of ours, or it can be imported and has no test at all."""
    project.scenario(race("H-1", "uncached"))
    project.add_to_conftest(HIDING[what])
    run = project.run_apart if "-n" in options else project.run
    project.test_file("import missing_here\ndef test_it(): pass\n", "test_of_others")
    project.test_file("import pytest_supercache as sc\ndef helper(): pass\n", "test_helpers")
    assert run("--supercache-gate", *options).ret == 0
    project.test_file(EXPLORES, "test_lost")
    assert run("--supercache-gate", *options).ret == 6
    assert gate(project)["reasons"] == ["test_lost.py was skipped"]


def test_a_module_of_others_that_is_skipped_whole_is_as_good_as_its_tests(
    project: Project,
) -> None:
    project.scenario(race("G-1", "uncached"))
    project.test_file("import pytest\npytest.skip('on Windows only', allow_module_level=True)\n")
    assert project.run("--supercache-gate").ret == 0


def skipped_folder(project: Project, module: str, text: str) -> None:
    """Write a folder with a conftest file that is skipped, and a module somewhere below it."""
    folder = project.path / "more"
    (folder / "deep").mkdir(parents=True)
    (folder / "conftest.py").write_text(SKIPPED)
    (folder / module).write_text(text)


@pytest.mark.parametrize(
    ("module", "workers"),
    few([("deep/race_test.py", ()), ("test_race.py", ()), ("test_race.py", ("-n", "1"))], 1),
)
def test_a_folder_of_explored_tests_whose_conftest_is_skipped_is_no_verdict(
    project: Project, monkeypatch: pytest.MonkeyPatch, module: str, workers: tuple[str, ...]
) -> None:
    run = project.run_apart if workers else project.run
    project.scenario(race("G-1", "uncached"))
    skipped_folder(project, module, "from pytest_supercache import explore\n")
    assert run("--supercache-gate", *workers).ret == 6
    assert gate(project)["reasons"] == [f"more/{module} was skipped"]
    monkeypatch.chdir(project.path)
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 2


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("test_others.py", "def test_it(): pass\n"),
        ("systems.py", "import pytest_supercache as sc\n"),
    ],
)
def test_a_folder_of_others_whose_conftest_is_skipped_is_as_good_as_its_tests(
    project: Project, module: str, text: str
) -> None:
    project.scenario(race("G-1", "uncached"))
    skipped_folder(project, module, text)
    assert project.run("--supercache-gate").ret == 0


def test_links_out_of_a_skipped_folder_hide_nothing(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.scenario(race("G-1", "uncached"))
    skipped_folder(project, "test_others.py", "def test_it(): pass\n")
    (project.path / "more" / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"] == ["more/link was skipped"]


def test_an_item_that_is_kept_twice_is_run_twice(project: Project) -> None:
    project.scenario(race("G-1", "uncached"))
    twice = ("--supercache-gate", "--keep-duplicates", "story.supercache.yaml")
    assert project.run(*twice, "story.supercache.yaml").ret == 0
    assert gate(project)["verdict"] == "GO"


STOPPING = """
def pytest_runtest_teardown(item):
    item.session.shouldstop = "enough"
"""
RUNNING_AGAIN = """
import pytest
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        runtestprotocol(item, nextitem=item)
    item.session.shouldstop = "enough"
    return True
"""


@pytest.mark.parametrize("conftest", [STOPPING, RUNNING_AGAIN])
def test_one_item_that_was_run_makes_up_for_no_other(project: Project, conftest: str) -> None:
    """The twins: of two of one id, or of two ids, one was left; running one twice is no help."""
    project.add_to_conftest(conftest)
    project.scenario(race("G-1", "uncached"))
    if conftest is STOPPING:
        same = ("--keep-duplicates", "story.supercache.yaml", "story.supercache.yaml")
        assert project.run("--supercache-gate", *same).ret != 0
        assert "enough (1 of 2 items were run)" in "\n".join(gate(project)["reasons"])
    project.scenario(race("G-2", "uncached"), "other")
    assert project.run("--supercache-gate").ret != 0
    assert "enough (1 of 2 items were run)" in "\n".join(gate(project)["reasons"])
