"""Git that does not answer when a verdict is asked for: what it said of the run is not compared."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_supercache.gate import git as asking
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.scenes import begin
from tests.plugin.test_gate_old_go import verdict
from tests.repositories import append, committed, git
from tests.selection import few


@pytest.fixture
def go(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository whose last gate run said GO."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    begin(project, _go)
    return project


def _go(project: Project) -> None:
    project.scenario(race("S-1", "uncached"))
    append(project.path / ".gitignore", "__pycache__/\nreports/\nbin/\n.hypothesis/\n")
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0


def program(lines: str) -> Callable[[Project], None]:
    def put(project: Project) -> None:
        path = project.path / "bin" / "git"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        os.environ["PATH"] = f"{path.parent}:{os.environ['PATH']}"

    return put


def _no_git(project: Project) -> None:
    os.environ["PATH"] = str(project.path / "bin")


def _gone(project: Project) -> None:
    (project.path / ".git").rename(project.path / "reports" / "git")


SILENT: dict[str, tuple[Callable[[Project], None], str]] = {
    "an error": (
        program("echo 'fatal: detected dubious ownership' >&2; exit 128"),
        "fatal: detected dubious ownership",
    ),
    "an error without a word": (program("exit 3"), "exit status 3"),
    "it hangs": (program("exec sleep 60"), "no answer within 0.2 seconds"),
    "there is no git": (_no_git, "git cannot be started: No such file or directory"),
    "there is no repository": (_gone, "fatal: "),
}


@pytest.mark.parametrize(
    "name", few(dict.fromkeys(["an error", "it hangs", "there is no repository", *SILENT]), 3)
)
def test_what_git_said_of_the_run_is_no_fact_when_it_says_nothing(
    go: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(go.path).parent))
    monkeypatch.setattr(asking, "_SECONDS_MAX", 0.2 if name == "it hangs" else 10)
    commit = go.verdict()["commit"]
    arrange, why = SILENT[name]
    arrange(go)
    told = verdict()
    assert told.exit_code == 6
    assert f"it is about commit {commit}".removeprefix("it ") in told.output
    assert f"git does not say which one is checked out here: {why}" in told.output
    assert "scope: commit unknown" in told.output


def _leads_nowhere(project: Project) -> None:
    _gone(project)
    (project.path / ".git").write_text("gitdir: ../modules/shop\n")


def _elsewhere(project: Project) -> None:
    other = project.path / "reports" / "other"
    other.mkdir()
    git(project.path, "config", "core.worktree", str(other))


REFUSED: dict[str, tuple[Callable[[Project], object], str]] = {
    **{name: SILENT[name] for name in ("an error", "an error without a word", "there is no git")},
    "its file leads nowhere": (_leads_nowhere, "fatal: not a git repository: "),
    "another repository is meant": (
        lambda p: os.environ.update(GIT_DIR=str(p.path / "nowhere")), "fatal: not a git repository",
    ),
    "its head is empty": (
        lambda p: (p.path / ".git" / "HEAD").write_text(""), "fatal: ",
    ),
    "its index is broken": (
        lambda p: (p.path / ".git" / "index").write_text("?"), "fatal: .git/index: ",
    ),
    "it has no memory left": (
        program('case "$*" in *status*) kill -ABRT $$;; esac; exec /usr/bin/git "$@"'),
        "exit status -6",
    ),
    "its work tree is elsewhere": (_elsewhere, "it answers for "),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    few(dict.fromkeys(["an error", "its file leads nowhere", *reversed(REFUSED)]), 3),
)
def test_a_repository_for_which_git_does_not_answer_is_not_taken_for_none(
    go: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The twin: with git as it was, it is GO; so it is without a repository, which is said."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("GIT_DIR", "")
    monkeypatch.delenv("GIT_DIR")
    arrange, why = REFUSED[name]
    arrange(go)
    assert go.run("--supercache-gate").ret == 6
    (reason,) = go.verdict()["gate"]["reasons"]
    assert reason.startswith(
        f"there is a repository here, and git does not say what is checked out: {why}"
    )
    append(go.path / "conftest.py")
    told = verdict()
    assert told.exit_code == 6
    assert "git does not say what is checked out: " in told.output


def test_git_that_is_slow_to_say_what_was_changed_is_told(
    go: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    program('case "$*" in *status*) exec sleep 60;; esac; exec /usr/bin/git "$@"')(go)
    monkeypatch.setattr(asking, "_SECONDS_MAX", 1)
    assert go.run("--supercache-gate").ret == 0
    told = verdict()
    assert told.exit_code == 0
    assert "perhaps with changes that are not committed" in told.output


def test_without_git_on_both_sides_the_commit_is_unknown(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PATH", str(project.path / "bin"))
    project.scenario(race("S-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    told = verdict()
    assert told.exit_code == 0
    assert "scope: commit unknown" in told.output


def test_a_commit_that_git_forgets_while_the_run_goes_on_is_no_change_of_it(go: Project) -> None:
    go.add_to_conftest("def pytest_runtestloop(): import os; os.rename('.git', 'reports/git')")
    (go.path / "conftest.py").touch()
    committed(go.path)
    assert go.run("--supercache-gate").ret == 0
    run = go.verdict()
    assert (run["run"]["changed"], run["dirty"]) == ([], None)
    assert verdict().exit_code == 6
    (go.path / "reports" / "git").rename(go.path / ".git")
    assert "git does not say what was changed and not committed when it was run" in (
        verdict().output
    )
