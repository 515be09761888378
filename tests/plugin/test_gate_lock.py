"""A lock that cannot be read is no GO, and a run with `verdict --lock` after it mends that."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.gate import git as git_module
from pytest_supercache.gate.git import ask
from pytest_supercache.gate.lock import GateLock, read_lock, write_lock
from pytest_supercache.gate.project import read_rules
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import gate
from tests.repositories import committed, git
from tests.selection import either, few


def _cut(path: Path) -> None:
    path.write_text(path.read_text().rpartition("counts ")[0])


def _conflict(path: Path) -> None:
    path.write_text(f"<<<<<<< ours\n{path.read_text()}=======\n>>>>>>> theirs\n")


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing.lock")


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (_cut, "gate.lock: its lines are not those that were written"),
    "old": (lambda path: path.write_text("counts K-1\n"), "gate.lock: its lines are not those"),
    "conflict": (_conflict, "gate.lock:1: '<<<<<<< ours'"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe"), "gate.lock cannot be read: byte 0xff"),
    "dangling": (_dangle, "gate.lock is a link to nothing"),
}


@pytest.mark.parametrize("name", few(dict.fromkeys(["cut", "dangling", *BAD]), 2))
def test_a_bad_lock_is_named_and_can_be_written_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(project.path)
    project.scenario(race("K-1", "uncached"), "a")
    project.scenario(race("K-2", "uncached"), "b")
    lock = project.path / "gate.lock"
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    good = lock.read_text()
    spoil, said = BAD[name]
    spoil(lock)
    assert project.run("--supercache-gate").ret == 6
    assert said in gate(project)["reasons"][0]
    decided = CliRunner().invoke(main, ["verdict"])
    assert decided.exit_code == 6
    assert said in decided.output
    anew = CliRunner().invoke(main, ["verdict", "--lock"])
    assert (anew.exit_code, anew.output) == (0, "gate.lock: 2 scenarios; commit it\n")
    assert lock.read_text() == good
    assert project.run("--supercache-gate").ret == 0


def test_a_bad_lock_that_is_removed_after_the_run_leaves_no_go(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    project.scenario(race("K-1", "uncached"))
    for spoil, _ in list(BAD.values())[-either(2, len(BAD)) :]:
        (project.path / "gate.lock").write_text("")
        spoil(project.path / "gate.lock")
        assert project.run("--supercache-gate").ret == 6
        (project.path / "gate.lock").unlink()
        decided = CliRunner().invoke(main, ["verdict"])
        assert decided.exit_code == 6
        assert "gate.lock is missing here" in decided.output


def test_a_lock_is_written_anew_though_the_run_was_judged_by_another(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    project.scenario(race("K-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    document = project.verdict()
    document["gate"]["lock_digest"] = "of the lock that was there"
    (project.path / "reports" / "verdict.json").write_text(json.dumps(document))
    assert CliRunner().invoke(main, ["verdict"]).exit_code == 6
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0


def _changed(path: Path, change: Callable[[GateLock], GateLock]) -> None:
    path.write_text(write_lock(change(read_lock(path.read_text()))))


def _without(lock: GateLock) -> GateLock:
    return replace(lock, scenarios={"K-1[uncached]": True})


LESS: dict[str, tuple[Callable[[Path], None], str]] = {
    "removed": (Path.unlink, "gate.lock is missing, and the last commit has it"),
    "one scenario less": (
        lambda at: _changed(at, _without),
        "gate.lock asks for less than the committed one (K-2[uncached] is missing)",
    ),
    "one that no longer counts": (
        lambda at: _changed(
            at, lambda lock: replace(lock, scenarios={**lock.scenarios, "K-2[uncached]": False})
        ),
        "gate.lock asks for less than the committed one (K-2[uncached] no longer counts)",
    ),
    "about less": (
        lambda at: _changed(at, lambda lock: replace(lock, paths=("a.supercache.yaml",))),
        "gate.lock asks for less than the committed one (it is no longer about .)",
    ),
}


@pytest.mark.parametrize("name", few(LESS, 1))
def test_a_lock_that_asks_for_less_than_the_committed_one_has_to_be_committed(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The twins: one that asks for more, and the same one once it is committed."""
    monkeypatch.chdir(project.path)
    (project.path / ".gitignore").write_text("__pycache__/\nreports/\n")
    lock = project.path / "gate.lock"
    project.scenario(race("K-1", "uncached"), "a")
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    committed(project.path)
    project.scenario(race("K-2", "uncached"), "b")
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    assert project.run("--supercache-gate").ret == 0
    committed(project.path)
    spoil, said = LESS[name]
    spoil(lock)
    assert project.run("--supercache-gate").ret == 6
    assert said in gate(project)["reasons"][0]
    decided = CliRunner().invoke(main, ["verdict"])
    assert (decided.exit_code, said in " ".join(decided.output.split())) == (6, True)
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict"]).exit_code == 0


def test_a_smaller_lock_is_written_from_a_run_without_the_committed_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    project.scenario(race("K-1", "uncached"), "a")
    project.scenario(race("K-2", "uncached"), "b")
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    committed(project.path)
    (project.path / "b.supercache.yaml").unlink()
    (project.path / "gate.lock").unlink()
    assert project.run("--supercache-gate").ret == 6
    anew = CliRunner().invoke(main, ["verdict", "--lock"])
    assert (anew.exit_code, anew.output) == (0, "gate.lock: 1 scenario; commit it\n")
    assert project.run("--supercache-gate").ret == 6
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0


def test_a_committed_lock_that_git_cannot_read_is_not_taken_for_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: git can read it again."""
    monkeypatch.chdir(project.path)
    project.scenario(race("K-1", "uncached"), "a")
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    content = _object_of(project.path, "HEAD:gate.lock")
    aside = content.rename(project.path / "reports" / "content")
    (project.path / "gate.lock").unlink()
    said = "git cannot read the committed gate.lock: "
    assert project.run("--supercache-gate").ret == 6
    assert said in gate(project)["reasons"][0]
    decided = CliRunner().invoke(main, ["verdict"])
    assert (decided.exit_code, said in " ".join(decided.output.split())) == (6, True)
    aside.rename(content)
    git(project.path, "checkout", "gate.lock")
    assert project.run("--supercache-gate").ret == 0


@pytest.mark.parametrize("spoilt", ["<<<<<<< ours\n", "\udcff"])
def test_a_committed_lock_that_is_none_is_not_taken_for_none(
    project: Project, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    """The twin: a lock that can be read is committed."""
    monkeypatch.chdir(project.path)
    (project.path / ".gitignore").write_text("__pycache__/\nreports/\n")
    lock = project.path / "gate.lock"
    project.scenario(race("K-1", "uncached"), "a")
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    lock.write_text(spoilt + lock.read_text(), errors="surrogateescape")
    committed(project.path)
    lock.unlink()
    said = "the committed gate.lock cannot be read ("
    assert project.run("--supercache-gate").ret == 6
    assert said in gate(project)["reasons"][0]
    anew = CliRunner().invoke(main, ["verdict", "--lock"])
    assert anew.output == "gate.lock: 1 scenario; commit it\n"
    assert project.run("--supercache-gate").ret == 6
    assert said in gate(project)["reasons"][0]
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0


def test_a_lock_of_which_git_says_nothing_in_time_is_not_taken_for_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twins: git answers, and there is no git."""
    project.scenario(race("K-1", "uncached"), "a")
    committed(project.path)
    asked = git_module.subprocess.run

    def late(command: list[str], **how: Any) -> Any:
        if "gate.lock" in " ".join(command):
            raise git_module.subprocess.TimeoutExpired(command, 10)
        return asked(command, **how)

    def missing(command: list[str], **how: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory")

    for run, fault in ((asked, False), (late, True), (missing, False)):
        with monkeypatch.context() as replaced:
            replaced.setattr(git_module.subprocess, "run", run)
            rules = read_rules(project.path, {}, date(2026, 12, 7))
        said = "git cannot read the committed gate.lock: no answer within 10 seconds"
        assert (rules.lock_fault or "").startswith(said) is fault
        assert bool(rules.lock_fault) is fault


def _object_of(folder: Path, name: str) -> Path:
    """Return the file in which git keeps an object."""
    digits = ask(folder, "rev-parse", name).text
    assert digits is not None
    return folder / ".git" / "objects" / digits[:2] / digits[2:]
