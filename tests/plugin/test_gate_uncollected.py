"""A scenario file below the paths of a run that pytest does not collect is named, or told."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.scenario import walk
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import gate
from tests.repositories import committed, git
from tests.selection import few

LOST = "{} is not collected by pytest (norecursedirs, collect_ignore, --ignore in addopts, ...)"


@pytest.fixture
def held(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose only scenario in `scenarios` HOLDS."""
    monkeypatch.chdir(project.path)
    write(project, "scenarios/a.supercache.yaml", race("H-1", "uncached"))
    return project


def write(project: Project, path: str, text: str = race("V-9")) -> None:
    """Write a file; the text that is there unless it is said is a conflict."""
    file = project.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def settings(project: Project, line: str) -> None:
    with (project.path / "tox.ini").open("a") as written:
        written.write(f"\n{line}\n")


LEFT_OUT: dict[str, Callable[[Project], object]] = {
    "scenarios/build": lambda _: None,
    "scenarios/.hidden": lambda _: None,
    "scenarios/venv": lambda _: None,
    "scenarios/CVS": lambda _: None,
    "scenarios/__pycache__": lambda _: None,
    "scenarios/tree": lambda project: write(project, "scenarios/tree/pyvenv.cfg", ""),
    "scenarios/glob": lambda project: project.add_to_conftest("collect_ignore_glob = ['*/glob']"),
    "scenarios/one": lambda project: settings(project, "addopts = --ignore=scenarios/one"),
    "scenarios/old": lambda project: settings(project, "norecursedirs = old"),
    "scenarios/hook": lambda project: project.add_to_conftest(
        "def pytest_ignore_collect(collection_path): return collection_path.name == 'hook' or None"
    ),
}


@pytest.mark.parametrize(
    "folder", few(dict.fromkeys(["scenarios/build", "scenarios/old", *reversed(LEFT_OUT)]), 3)
)
def test_a_scenario_file_that_pytest_leaves_out_is_named(held: Project, folder: str) -> None:
    write(held, f"{folder}/b.supercache.yaml")
    LEFT_OUT[folder](held)
    assert held.run("--supercache-gate", "scenarios").ret == 6
    (reason,) = gate(held)["reasons"]
    assert reason.startswith(LOST.format(f"{folder}/b.supercache.yaml"))
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 2


@pytest.mark.parametrize(
    "name",
    [
        "b_supercache.yaml",
        "b.supercahce.yml",
        "b.supercache.yaml ",
        "b.YAML",
        "b.supercache",
        "b.supercache.json",
    ],
)
def test_so_is_a_scenario_whose_name_is_none_of_one(held: Project, name: str) -> None:
    """The twins: a copy of a collected file, flows to be included, another tool's settings."""
    write(held, "scenarios/copy.yaml", race("H-1", "uncached"))
    write(held, "scenarios/flows.yaml", "flows:\n  one: [{read: k}]\nusers: {}\n")
    write(held, "scenarios/load.yaml", "scenario: {users: 5}\nscenarios: [one]\n")
    assert held.run("--supercache-gate", "scenarios").ret == 0
    write(held, f"scenarios/{name}")
    assert held.run("--supercache-gate", "scenarios").ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format(f"scenarios/{name}"))


def test_arguments_that_pytest_merges_and_workers_make_no_difference(held: Project) -> None:
    write(held, "scenarios/build/b.supercache.YML")
    assert held.run("--supercache-gate", "scenarios", "scenarios/build").ret != 0
    assert held.run_apart("--supercache-gate", "scenarios", "-n", "1").ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format("scenarios/build/b.supercache.YML"))
    assert held.run("--supercache-gate", "scenarios/build").ret == 1


def test_environments_version_control_and_installed_packages_are_passed_over(
    held: Project,
) -> None:
    for folder in (".venv/lib/site-packages/x", ".git/x", ".tox/py/share", "node_modules/x"):
        write(held, f"{folder}/b.supercache.yaml")
    for environment in (".venv", ".tox/py"):
        write(held, f"{environment}/pyvenv.cfg", "")
        write(held, f"{environment}/bin/python", "")
    write(held, "package.json", "{}")
    assert held.run("--supercache-gate").ret == 0
    assert not [line for line in gate(held)["scope"] if "scenario files" in line]
    (held.path / ".venv" / "bin" / "python").unlink()
    assert held.run("--supercache-gate").ret == 6, "a mark alone makes no environment"


def test_another_work_tree_of_the_repository_is_passed_over(held: Project) -> None:
    """The twin: a repository in the repository, which is a part of the project."""
    write(held, ".gitignore", "__pycache__/\nreports/\n.wt/\n")
    write(held, "build/b.supercache.yaml", race("V-9"))
    committed(held.path)
    git(held.path, "worktree", "add", "-q", ".wt/old")
    git(held.path, "rm", "-q", "build/b.supercache.yaml")
    committed(held.path)
    assert held.run("--supercache-gate").ret == 0, gate(held)["reasons"]
    assert not [line for line in gate(held)["scope"] if "scenario files" in line]
    write(held, "module.git/HEAD", "")
    write(held, ".sub/.git", "gitdir: ../module.git")
    write(held, ".sub/b.supercache.yaml", race("V-9"))
    assert held.run("--supercache-gate").ret == 6


def test_a_copy_of_a_file_that_was_collected_is_no_other_file(held: Project) -> None:
    write(held, "build/lib/a.supercache.yaml", race("H-1", "uncached"))
    assert held.run("--supercache-gate").ret == 0
    write(held, "build/lib/a.supercache.yaml", race("H-1"))
    assert held.run("--supercache-gate").ret == 6


@pytest.fixture
def services(held: Project) -> Project:
    """Two services with a conftest each, of which pytest collects the first one's scenarios."""
    conftest = (held.path / "conftest.py").read_text()
    held.conftest("")
    settings(held, "norecursedirs = two")
    for service in ("one", "two"):
        write(held, f"{service}/conftest.py", conftest)
        write(held, f"{service}/scenarios/a.supercache.yaml", race("H-1", "uncached"))
    (held.path / "scenarios" / "a.supercache.yaml").unlink()
    return held


def racing(conftest: str) -> str:
    return conftest.replace("class Uncached(Shop):", "class Uncached(Shop): pass\nclass Other:")


@pytest.mark.parametrize(
    ("kind", "place"),
    few(
        [
            ("copy", "two/scenarios"),
            ("link", "one"),
            *((kind, "two") for kind in ("copy", "link")),
            ("copy", "one"),
            ("link", "two/scenarios"),
        ],
        2,
    ),
)
def test_a_copy_that_runs_on_other_systems_is_no_copy(
    services: Project, place: str, kind: str
) -> None:
    lost = services.path / "two" / "scenarios" / "a.supercache.yaml"
    if kind == "link":
        lost.unlink()
        lost.symlink_to("../../one/scenarios/a.supercache.yaml")
    assert services.run("--supercache-gate").ret == 0, "the twin: both conftests say the same"
    write(services, f"{place}/conftest.py", racing((services.path / "one/conftest.py").read_text()))
    assert services.run("--supercache-gate").ret == (1 if place == "one" else 6)
    assert services.verdict()["run"]["uncollected"] == ["two/scenarios/a.supercache.yaml"]


@pytest.mark.parametrize("lost", few(["one", "two"], 1))
def test_a_link_to_a_folder_makes_other_systems_of_what_is_in_it(
    services: Project, lost: str
) -> None:
    """Whichever of both is looked at first."""
    kept = {"one": "two", "two": "one"}[lost]
    tox = services.path / "tox.ini"
    tox.write_text(tox.read_text().replace("norecursedirs = two", f"norecursedirs = {lost} again"))
    folder = services.path / lost / "scenarios"
    (folder / "a.supercache.yaml").unlink()
    folder.rmdir()
    folder.symlink_to(f"../{kept}/scenarios")
    (folder / "again").symlink_to("../scenarios")
    assert services.run("--supercache-gate").ret == 0, "the twin: both conftests say the same"
    write(
        services, f"{lost}/conftest.py", racing((services.path / kept / "conftest.py").read_text())
    )
    assert services.run("--supercache-gate").ret == 6
    assert services.verdict()["run"]["uncollected"] == [f"{lost}/scenarios/a.supercache.yaml"]


def test_a_copy_that_includes_another_text_is_no_copy(held: Project) -> None:
    """`include` is relative: the same words stand for other steps there."""
    flows = "flows: {{price: [{{write: {{key: k, value: {value}}}}}]}}\n"
    text = race("H-2", "uncached", "include: flows.yaml\n")
    write(held, "scenarios/b.supercache.yaml", text.replace("bob: [", "bob: [{use: price}, "))
    write(held, "scenarios/flows.yaml", flows.format(value=1))
    write(held, "build/b.supercache.yaml", (held.path / "scenarios/b.supercache.yaml").read_text())
    write(held, "build/flows.yaml", flows.format(value=1))
    assert held.run("--supercache-gate").ret == 0
    for other in (flows.format(value=2), "flows: {"):
        write(held, "build/flows.yaml", other)
        assert held.run("--supercache-gate").ret == 6
        assert gate(held)["reasons"][0].startswith(LOST.format("build/b.supercache.yaml"))


@pytest.mark.parametrize("argument", few(["a name", "testpaths", "a link"], 2))
def test_arguments_that_are_names_of_packages_or_links_are_looked_below(
    held: Project, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    monkeypatch.syspath_prepend(held.path)
    package = "pkg_" + argument.replace(" ", "_")
    for folder in (package, f"{package}/flows"):
        write(held, f"{folder}/__init__.py", "")
    (held.path / "scenarios").rename(held.path / package / "flows" / "scenarios")
    (held.path / "link").symlink_to(f"{package}/flows")
    given = {"a name": ["--pyargs", f"{package}.flows"], "a link": ["link"], "testpaths": []}
    settings(held, "testpaths = link")
    assert held.run("--supercache-gate", *given[argument]).ret == 0
    assert held.verdict()["run"]["paths"] == [f"{package}/flows"]
    write(held, f"{package}/flows/build/b.supercache.yaml")
    assert held.run("--supercache-gate", *given[argument]).ret == 6
    assert "/build/b.supercache.yaml is not collected" in gate(held)["reasons"][0]


def test_what_git_ignores_is_not_covered(held: Project) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    write(held, "build/b.supercache.yaml")
    assert held.run("--supercache-gate").ret == 6
    write(held, ".gitignore", "build/\n")
    assert held.run("--supercache-gate").ret == 0
    told = "not covered: scenarios and tests that git ignores: build/b.supercache.yaml"
    assert told in gate(held)["scope"]
    subprocess.run(["git", "add", "-f", "build"], check=True)
    assert held.run("--supercache-gate").ret == 6, "git has it, so the project does"


def test_what_only_this_clone_ignores_is_named(held: Project) -> None:
    """The twin: the last rule of the project ignores it."""
    subprocess.run(["git", "init", "-q"], check=True)
    write(held, "build/b.supercache.yaml")
    write(held, ".git/info/exclude", "build/\n")
    assert held.run("--supercache-gate").ret == 6
    assert "build/b.supercache.yaml is not collected" in " ".join(gate(held)["reasons"])
    write(held, ".git/info/exclude", "")
    write(held, ".gitignore", "*.supercache.yaml\n!b.supercache.yaml\n")
    assert held.run("--supercache-gate").ret == 6
    write(held, ".gitignore", "!b.supercache.yaml\n*.supercache.yaml\n")
    assert held.run("--supercache-gate").ret == 0


def test_what_git_ignores_is_told_behind_a_link(held: Project) -> None:
    """Git itself refuses to say anything of paths behind links."""
    subprocess.run(["git", "init", "-q"], check=True)
    write(held, "scenarios/build/b.supercache.yaml")
    write(held, ".gitignore", "build/\n")
    (held.path / "link").symlink_to("scenarios")
    assert held.run("--supercache-gate", "link").ret == 0
    told = "not covered: scenarios and tests that git ignores: link/build/b.supercache.yaml"
    assert told in gate(held)["scope"]


def test_a_setting_leaves_paths_out_and_the_go_says_so(held: Project) -> None:
    write(held, "build/b.supercache.yaml")
    write(held, "pyproject.toml", "[tool.supercache]\nuncollected = ['build', 'docs/*']\n")
    assert held.run("--supercache-gate").ret == 0
    assert (
        "not covered: scenarios and tests in build, docs/* (`uncollected`)" in gate(held)["scope"]
    )
    assert CliRunner().invoke(main, ["verdict"]).exit_code == 0
    write(held, "dist/b.supercache.yaml")
    assert held.run("--supercache-gate").ret == 6
    write(held, "pyproject.toml", "[tool.supercache]\nuncollected = 'build'\n")
    assert held.run("--supercache-gate").ret == 4


def test_what_the_command_line_leaves_out_is_told(held: Project) -> None:
    write(held, "scenarios/b.supercache.yaml")
    assert held.run("--supercache-gate", "--ignore=scenarios/b.supercache.yaml").ret == 0
    told = "not covered: scenarios and tests that were not asked for: scenarios/b.supercache.yaml"
    assert told in gate(held)["scope"]


@pytest.mark.parametrize("name", few(["python_files", "python_classes", "testpaths"], 1))
def test_a_setting_of_this_run_that_is_about_other_files_leaves_none_out(
    held: Project, name: str
) -> None:
    """The twins: it is about folders, and the file lies in one of them, or does not."""
    write(held, "scenarios/build/b.supercache.yaml")
    assert held.run("--supercache-gate", "scenarios", "-o", f"{name}=x").ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format("scenarios/build/b.supercache.yaml"))
    folders = ("-o", "norecursedirs=build venv")
    assert held.run("--supercache-gate", "scenarios", *folders).ret == 0
    told = "not covered: scenarios and tests that were not asked for: "
    assert f"{told}scenarios/build/b.supercache.yaml" in gate(held)["scope"]
    held.add_to_conftest("collect_ignore = ['scenarios/one']")
    write(held, "scenarios/one/c.supercache.yaml", race("H-3"))
    assert held.run("--supercache-gate", "scenarios", *folders).ret == 6


NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", few(NO_FILES, 1))
def test_what_has_the_name_of_a_scenario_file_and_is_none_is_broken(
    held: Project, kind: str
) -> None:
    NO_FILES[kind](held.path / "scenarios" / "p.supercache.yaml")
    assert held.run("--supercache-gate", "scenarios").ret == 6
    assert gate(held)["reasons"][0].startswith("p could not be run whole: the file")
    held.run("scenarios").assert_outcomes(passed=1, failed=1)


def test_links_are_followed_within_the_root(
    held: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "b.supercache.yaml").write_text(race("V-9"))
    (held.path / "build").symlink_to(elsewhere)
    (held.path / "scenarios" / "again").symlink_to(held.path / "scenarios")
    write(held, "tox.ini", "[pytest]\nnorecursedirs = build again\n")
    assert held.run("--supercache-gate").ret == 0
    assert "not covered: what links lead to outside of the root: build" in gate(held)["scope"]
    (held.path / "build").unlink()
    assert held.run("--supercache-gate").ret == 0
    assert not [line for line in gate(held)["scope"] if "links" in line]
    write(held, "more/b.supercache.yaml")
    (held.path / "scenarios" / "build").symlink_to(held.path / "more")
    assert held.run("--supercache-gate", "scenarios").ret == 6


def test_a_link_out_of_the_root_is_looked_behind_where_pytest_collects(
    held: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere, further = (tmp_path_factory.mktemp(name) for name in ("elsewhere", "further"))
    (elsewhere / "h.supercache.yaml").write_text(race("H-2", "uncached"))
    (held.path / "scenarios" / "more").symlink_to(elsewhere)
    (elsewhere / "venv").symlink_to(further)
    (held.path / "scenarios" / "dist").symlink_to(held.path.parent)
    (further / "back").symlink_to(elsewhere)
    assert held.run("--supercache-gate", "scenarios").ret == 0
    told = (
        "not covered: what links lead to outside of the root: scenarios/dist, scenarios/more/venv"
    )
    assert told in gate(held)["scope"]
    (elsewhere / "build").mkdir()
    (elsewhere / "build" / "b.supercache.yaml").write_text(race("V-9"))
    assert held.run("--supercache-gate", "scenarios").ret == 6
    assert gate(held)["reasons"][0].startswith(
        LOST.format("scenarios/more/build/b.supercache.yaml")
    )


def test_a_walk_that_reaches_its_limit_decides_nothing(
    held: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "ENTRIES_MAX", 1)
    assert held.run("--supercache-gate").ret == 6
    assert gate(held)["reasons"][0].startswith("what lies beyond")


def test_lint_and_list_name_what_the_gate_names(held: Project) -> None:
    write(held, "scenarios/build/b.supercache.yaml")
    linted = CliRunner().invoke(main, ["lint", "scenarios"])
    assert linted.exit_code == 1
    assert "2 scenario files, 1 mistake" in linted.output
    assert LOST.format("").strip() in linted.output
    listed = CliRunner().invoke(main, ["list", "scenarios"])
    assert "scenarios/build/b.supercache.yaml: has mistakes" in listed.output


def test_lint_says_of_a_file_that_pytest_did_not_come_to_that_collecting_failed(
    held: Project,
) -> None:
    write(held, "scenarios/inner/b.supercache.yaml")
    write(held, "scenarios/inner/conftest.py", "import no_such_module_anywhere\n")
    linted = CliRunner().invoke(main, ["lint", "scenarios"])
    assert linted.exit_code == 1
    assert (
        "inner/b.supercache.yaml:1:1: was not collected: pytest failed before it came there, at "
        "scenarios/inner: ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    ) in linted.output
    assert "norecursedirs" not in linted.output


def test_a_link_to_itself_is_passed_over(project: Project) -> None:
    folder = project.path / "scenarios"
    folder.mkdir()
    (folder / "h.supercache.yaml").write_text(race(system="uncached"))
    (folder / "x").symlink_to("x")
    assert project.run("--supercache-gate", "scenarios").ret == 0


def test_a_path_of_the_run_without_a_file_is_told(held: Project) -> None:
    """The twin: it has one, if only a text."""
    (held.path / "library" / "deep").mkdir(parents=True)
    result = held.run("--supercache-gate", "scenarios", "library")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  not covered: there is no file in library"])
    write(held, "library/deep/README", "-")
    result = held.run("--supercache-gate", "scenarios", "library")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*there is no file in*")


EXPLORED = """
import pytest_supercache as sc

@sc.explore
def test_it(world):
    world.actor("alice", world.origin.get, "k")
    world.run()
"""


@pytest.mark.parametrize(
    "options", few([[], ["-n1"], ["--supercache-workers=2", "-p", "no:xdist"]], 1)
)
def test_a_module_of_explored_tests_that_pytest_leaves_out_is_named(
    held: Project, options: list[str]
) -> None:
    """A folder of tests called `build` is among those that pytest passes over by itself."""
    write(held, "scenarios/build/test_b.py", EXPLORED)
    assert held.run_apart("--supercache-gate", "scenarios", *options).ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format("scenarios/build/test_b.py"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("scenarios/build/test_b.py", "def test_it(): pass"),
        ("scenarios/build/helpers.py", EXPLORED),
        ("scenarios/test_b.py", EXPLORED),
        ("elsewhere/build/test_b.py", EXPLORED),
    ],
)
def test_a_module_that_is_none_of_ours_or_was_collected_is_not(
    held: Project, path: str, text: str
) -> None:
    """Without the name of this package, or of a test; collected, or outside of the run's paths."""
    write(held, path, text)
    assert held.run("--supercache-gate", "scenarios").ret == 0


@pytest.mark.parametrize(
    "path", ["scenarios/tests.py", "scenarios/test-shop.py", "scenarios/tests/shop.py"]
)
def test_so_is_one_whose_name_is_none_of_tests(held: Project, path: str) -> None:
    write(held, path, EXPLORED.replace("import pytest", "import pytest_supercache\nimport pytest"))
    assert held.run("--supercache-gate", "scenarios").ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format(path))


@pytest.mark.parametrize(
    "text",
    [
        EXPLORED.replace("def test_it", "def check_it"),
        EXPLORED.replace("@sc.explore", "@other.explored"),
        f"TEXT = {EXPLORED!r}",
    ],
)
def test_a_module_among_tests_that_defines_none_is_not(held: Project, text: str) -> None:
    write(held, "scenarios/tests/shop.py", text)
    assert held.run("--supercache-gate", "scenarios").ret == 0


@pytest.mark.parametrize("options", few([[], ["-n1"]], 1))
def test_one_whose_tests_another_module_takes_over_is_not(
    held: Project, options: list[str]
) -> None:
    write(held, "scenarios/shop_tests.py", EXPLORED.replace("test_it(", "test_reader("))
    write(held, "scenarios/test_shop.py", "from shop_tests import *\n")
    held.run_apart("--supercache-gate", "scenarios", *options)
    assert not any("is not collected" in one for one in gate(held)["reasons"])


@pytest.mark.parametrize(
    "importing", ["from app import shop", "import shop", "if False:\n    from tests import shop"]
)
def test_what_is_only_called_as_something_imported_is_named(held: Project, importing: str) -> None:
    """A module `shop` of the application, and an import that is never made, take over nothing."""
    write(held, "scenarios/tests/shop.py", EXPLORED)
    for name, text in (("app", "shop = 1\n"), ("shop", ""), ("test_it", f"{importing}\n")):
        write(held, f"scenarios/{name}.py", f"{text}\ndef test_it(): pass\n")
    assert held.run("--supercache-gate", "scenarios").ret == 6
    assert gate(held)["reasons"][0].startswith(LOST.format("scenarios/tests/shop.py"))


@pytest.mark.parametrize("options", few([[], ["-n1"]], 1))
def test_one_that_is_imported_and_whose_tests_nobody_takes_over_is_named(
    held: Project, options: list[str]
) -> None:
    write(held, "scenarios/shop_tests.py", EXPLORED)
    write(held, "scenarios/test_shop.py", "import shop_tests\ndef test_it(): pass\n")
    assert held.run_apart("--supercache-gate", "scenarios", *options).ret == 6
    assert gate(held)["reasons"][0].startswith("scenarios/shop_tests.py:4 test_it is decorated")


def test_a_module_of_explored_tests_has_the_excuses_of_scenario_files(held: Project) -> None:
    write(held, "scenarios/build/test_b.py", EXPLORED)
    told = "not covered: scenarios and tests that were not asked for: scenarios/build/test_b.py"
    assert held.run("--supercache-gate", "scenarios", "--ignore=scenarios/build").ret == 0
    assert told in gate(held)["scope"]
    write(held, "pyproject.toml", "[tool.supercache]\nuncollected = ['scenarios/build']\n")
    assert held.run("--supercache-gate", "scenarios").ret == 0
    assert (
        "not covered: scenarios and tests in scenarios/build (`uncollected`)"
        in (gate(held)["scope"])
    )


def test_a_copy_of_a_module_that_was_collected_is_none_of_its_own(held: Project) -> None:
    """What a build leaves behind; the twin has changed since."""
    write(held, "scenarios/test_b.py", EXPLORED)
    write(held, "scenarios/build/test_b.py", EXPLORED)
    assert held.run("--supercache-gate", "scenarios").ret == 0
    write(held, "scenarios/build/test_b.py", f"{EXPLORED}\n")
    assert held.run("--supercache-gate", "scenarios").ret == 6


def test_a_run_without_the_python_plugin_names_the_modules_of_tests(held: Project) -> None:
    write(held, "scenarios/test_shop.py", "import pytest_supercache\n")
    write(held, "scenarios/shop.py", "import pytest_supercache\n")
    result = held.run("--supercache-gate", "-p", "no:python", "scenarios")
    assert result.ret == 6
    assert "INTERNALERROR" not in result.stdout.str()
    reasons = [one for one in gate(held)["reasons"] if "is not collected by pytest" in one]
    assert [one.split()[0] for one in reasons] == ["scenarios/test_shop.py"]
