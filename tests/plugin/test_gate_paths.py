"""A lock is about the paths that were collected for it, and says so: a part does not look whole."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import gate
from tests.selection import few


@pytest.fixture
def folders(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two folders of scenarios, in which one HOLDS each."""
    monkeypatch.chdir(project.path)
    for name in ("one", "two"):
        folder = project.path / "scenarios" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.supercache.yaml").write_text(race(name, "uncached"))
    return project


def settings(project: Project, line: str) -> None:
    with (project.path / "tox.ini").open("a") as written:
        written.write(f"\n{line}\n")


def lock(project: Project, *paths: str) -> tuple[int, str]:
    """Run the gate on paths, and write the lock from that."""
    assert project.run("--supercache-gate", *paths).ret == 0
    done = CliRunner().invoke(main, ["verdict", "--lock"])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("testpaths", "paths", "part"),
    few(
        [
            ("scena*", ["scenarios/one"], "scenarios/one is only a part of scenarios"),
            ("scenarios", ["-o", "testpaths=scenarios/one"], "-o testpaths=scenarios/one leaves "),
            ("scenarios more", ["more", "scenarios/one"], "scenarios/one is only a part of scen"),
            ("scenarios", ["scenarios/one"], "scenarios/one is only a part of scenarios"),
            (".", ["scenarios"], "scenarios is only a part of ."),
            (
                "scenarios",
                ["scenarios/one/one.supercache.yaml"],
                "scenarios/one/one.supercache.yaml is only a part of scenarios",
            ),
            ("", ["-o", "norecursedirs=two"], "-o norecursedirs=two leaves out items"),
        ],
        3,
    ),
)
def test_a_run_of_a_part_of_the_testpaths_is_not_locked(
    folders: Project, testpaths: str, paths: list[str], part: str
) -> None:
    (folders.path / "more").mkdir()
    settings(folders, f"testpaths = {testpaths}" if testpaths else "")
    status, output = lock(folders, *paths)
    assert (status, part in output) == (2, True)
    assert not (folders.path / "gate.lock").exists()


@pytest.mark.parametrize(
    ("testpaths", "paths", "missing"),
    few(
        [
            ("scenarios/one gone/*/tests scenarios/tw?", [], ["gone/*/tests"]),
            ("scenarios/one gone", ["scenarios"], []),
            ("scenarios/one gone", [], ["gone"]),
            ("scenarios/*", [], []),
            ("gone", [], []),
        ],
        2,
    ),
)
def test_testpaths_that_match_nothing_are_named(
    folders: Project, testpaths: str, paths: list[str], missing: list[str]
) -> None:
    """The twins: they do not say what is collected, or each of them matches."""
    settings(folders, f"testpaths = {testpaths}")
    assert folders.run("--supercache-gate", *paths).ret == (6 if missing else 0)
    told = [f"{one} is one of the testpaths and matches nothing" for one in missing]
    reasons = gate(folders)["reasons"] if missing else []
    assert [reason.partition(",")[0] for reason in reasons] == told
    done = CliRunner().invoke(main, ["verdict", "--lock"])
    assert done.exit_code == (2 if missing else 0), done.output


@pytest.mark.parametrize(
    ("testpaths", "paths", "outside_of"),
    few(
        [
            ("scenarios/*", [], "scenarios/one, scenarios/two"),
            ("scenarios", ["."], None),
            ("scenarios/one", [], "scenarios/one"),
            (".", [], None),
            ("", [], None),
        ],
        2,
    ),
)
def test_what_lies_outside_of_testpaths_is_said_not_to_be_covered(
    folders: Project, testpaths: str, paths: list[str], outside_of: str | None
) -> None:
    settings(folders, f"testpaths = {testpaths}" if testpaths else "")
    assert folders.run("--supercache-gate", *paths).ret == 0
    told = [line for line in gate(folders)["scope"] if "lies outside of" in line]
    line = f"not covered: what lies outside of {outside_of}"
    assert told == ([line] if outside_of else [])


@pytest.mark.parametrize(
    ("testpaths", "paths", "about"),
    few(
        [
            ("scenarios", [], ["scenarios"]),
            ("", ["scenarios/two", "./scenarios/one/"], ["scenarios/one", "scenarios/two"]),
            ("scenarios", ["."], ["."]),
            ("", [], ["."]),
            ("", ["scenarios"], ["scenarios"]),
            ("tests", ["scenarios"], ["scenarios"]),
            ("tests scenarios", ["scenarios"], ["scenarios"]),
        ],
        3,
    ),
)
def test_a_lock_says_which_paths_it_is_about(
    folders: Project, testpaths: str, paths: list[str], about: list[str]
) -> None:
    (folders.path / "tests").mkdir()
    settings(folders, f"testpaths = {testpaths}" if testpaths else "")
    said = "" if about == ["."] else f" of {', '.join(about)}"
    assert lock(folders, *paths) == (0, f"gate.lock: 2 scenarios{said}; commit it\n")
    lines = (folders.path / "gate.lock").read_text().splitlines()
    assert [line for line in lines if line.startswith("path")] == [f"path {one}" for one in about]
    assert folders.run("--supercache-gate", *paths).ret == 0


def test_a_run_of_less_than_the_lock_is_about_is_no_verdict(folders: Project) -> None:
    """All that the lock names was run; what came into the folder since then was not."""
    assert lock(folders, "scenarios")[0] == 0
    new = folders.path / "scenarios" / "new"
    new.mkdir()
    (new / "new.supercache.yaml").write_text(race("N-1"))
    parts = ["scenarios/one", "scenarios/two"]
    assert folders.run("--supercache-gate", *parts).ret == 6
    told = "gate.lock is about scenarios, and the run was given scenarios/one, scenarios/two"
    assert gate(folders)["reasons"] == [told]
    assert CliRunner().invoke(main, ["verdict"]).exit_code == 6
    assert folders.run("--supercache-gate", "scenarios").ret == 1
    assert folders.run("--supercache-gate").ret == 1, "more than the lock is about is fine"


def test_what_lies_outside_of_the_paths_is_not_covered(folders: Project) -> None:
    nobody = "so nobody knows whether scenarios are missing"
    assert lock(folders, "scenarios/one")[0] == 0
    assert "not covered: what lies outside of scenarios/one" in gate(folders)["scope"]
    assert folders.run("--supercache-gate", "scenarios").ret == 0
    assert (
        f"not covered: gate.lock is about scenarios/one, {nobody} elsewhere"
        in (gate(folders)["scope"])
    )
    assert lock(folders, "scenarios")[0] == 0, "a lock may become about more"
    assert folders.run("--supercache-gate", "scenarios").ret == 0
    assert not [line for line in gate(folders)["scope"] if nobody in line]


def test_a_lock_does_not_become_about_less(folders: Project) -> None:
    assert lock(folders, "scenarios")[0] == 0
    whole = (folders.path / "gate.lock").read_text()
    assert folders.run("--supercache-gate", "scenarios/one").ret == 6
    refused = CliRunner().invoke(main, ["verdict", "--lock"])
    assert refused.exit_code == 2
    assert "the present gate.lock is about scenarios (remove it first if less" in refused.output
    assert (folders.path / "gate.lock").read_text() == whole


def test_paths_are_meant_from_the_root_wherever_pytest_is_started(
    folders: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders.path / "scenarios")
    root = ["--rootdir=..", "-c", "../tox.ini"]
    assert folders.run("--supercache-gate", *root, "one").ret == 0
    assert folders.verdict()["run"]["paths"] == ["scenarios/one"]
    assert folders.run("--supercache-gate", *root).ret == 0
    assert folders.verdict()["run"]["paths"] == ["scenarios"]


def test_a_link_to_a_part_of_the_testpaths_is_that_part(folders: Project) -> None:
    """The twin: a link to the whole is the whole."""
    settings(folders, "testpaths = scenarios")
    for name, where in (("part", "scenarios/one"), ("whole", "scenarios")):
        (folders.path / name).symlink_to(where)
    status, output = lock(folders, "part")
    assert (status, "scenarios/one is only a part of scenarios (testpaths)" in output) == (2, True)
    assert lock(folders, "whole") == (0, "gate.lock: 2 scenarios of scenarios; commit it\n")
    assert folders.run("--supercache-gate").ret == 0
