"""An old GO decides nothing: neither after a run that died early, nor by its age or its commit."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from pytest_supercache.gate.unmarked import forget_other_notes, note_unmarked, unmarked
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.scenes import begin
from tests.plugin.test_plugin_gate import configure
from tests.repositories import committed
from tests.selection import few

NOW = datetime.now(UTC)


def verdict(*words: str) -> Result:
    return CliRunner().invoke(main, ["verdict", *words], catch_exceptions=False)


@pytest.fixture
def old_go(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose last run with the gate said GO."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    begin(project, _go)
    return project


def _go(project: Project) -> None:
    project.scenario(race("O-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0


def _directory(name: str) -> Callable[[Project], None]:
    def put(project: Project) -> None:
        path = project.path / "reports" / name
        path.unlink(missing_ok=True)
        path.mkdir()

    return put


DEATHS: dict[str, Callable[[Project], object]] = {
    "killed in a conftest": lambda p: p.conftest("import os; os.kill(os.getpid(), 9)"),
    "left in a conftest": lambda p: p.conftest("import os; os._exit(0)"),
    "an error in a conftest": lambda p: p.conftest("1 / 0"),
    "an unknown setting": lambda p: configure(p, "releases = 7"),
    "a wrong setting": lambda p: configure(p, 'release = "shop"'),
    "a directory as page": _directory("index.html"),
    "a directory as message": _directory("message.md"),
}


@pytest.mark.parametrize(
    "name",
    few(
        dict.fromkeys(["left in a conftest", "a wrong setting", "a directory as page", *DEATHS]), 3
    ),
)
def test_a_run_that_died_before_it_had_begun_leaves_no_go(old_go: Project, name: str) -> None:
    DEATHS[name](old_go)
    old_go.run_apart("--supercache-gate")
    assert old_go.verdict()["run"]["finished"] is False
    (old_go.path / "pyproject.toml").unlink(missing_ok=True)
    decided = verdict()
    assert decided.exit_code == 6
    assert "the run did not finish" in decided.output


@pytest.mark.parametrize("setting", few(["uncollected = 3", "releases = 7"], 1))
def test_nor_does_a_wrong_setting_where_a_conftest_brings_the_plugin(
    old_go: Project, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    old_go.conftest("pytest_plugins = ['pytest_supercache.plugin']")
    configure(old_go, f"gate = true\n{setting}")
    assert old_go.run_apart().ret == 4
    assert verdict().exit_code == 6


def test_an_option_that_nobody_knows_leaves_no_go(old_go: Project) -> None:
    assert old_go.run("--supercache-gate", "--no-such-option").ret == 4
    assert verdict().exit_code == 6


def test_a_gate_that_is_always_on_marks_the_folder_that_the_project_names(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, 'gate = true\nreport = "out"')
    project.scenario(race("O-2", "uncached"))
    assert project.run().ret == 0
    project.conftest("import os; os._exit(0)")
    project.run_apart()
    monkeypatch.chdir(project.path)
    assert verdict().exit_code == 6


def test_a_mark_that_cannot_be_made_ends_the_run_and_calls_the_file_old(old_go: Project) -> None:
    path = old_go.path / "reports" / "verdict.json"
    path.unlink()
    path.mkdir()
    ended = old_go.run("--supercache-gate")
    assert ended.ret == 4
    ended.stderr.fnmatch_lines(
        ["*gate: *verdict.json cannot be marked as begun*is of an older run*"]
    )
    assert "--supercache-report" not in ended.stderr.str(), "it would help nobody"
    assert verdict().exit_code == 6


def test_a_run_that_can_write_no_byte_removes_the_go_of_an_older_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full: no file of temporary files can be written, either. The twin can."""
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    monkeypatch.chdir(project.path)
    project.scenario(race("O-7", "uncached"))
    assert project.run_apart("--supercache-gate").ret == 0
    assert verdict().exit_code == 0
    assert (project.path / "reports" / "message.md").exists()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--supercache-gate"],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1])),
    )  # fmt: skip
    assert done.returncode == 4, done.stdout + done.stderr
    assert "cannot be marked as begun" in done.stderr
    assert verdict().exit_code == 6
    assert not (project.path / "reports" / "message.md").exists()


def _refusing(usual: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of `Path` change no verdict.json, also where tests run as root."""

    def refused(path: Path, *args: Any, **named: Any) -> Any:
        if path.name.startswith("verdict.json"):
            raise OSError(30, "Read-only file system", str(path))
        return usual(path, *args, **named)

    return refused


@pytest.mark.parametrize("can_be_emptied", [True, False])
def test_a_go_in_a_folder_that_is_read_only_is_none_after_a_later_run_of_its_id(
    project: Project, monkeypatch: pytest.MonkeyPatch, can_be_emptied: bool
) -> None:
    """The twin: before that run, and for another id, it is what it was."""
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    monkeypatch.setattr("tempfile.tempdir", str(project.path))
    monkeypatch.chdir(project.path)
    project.scenario(race("O-4", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        for way in ("unlink", "replace", *(() if can_be_emptied else ("write_text",))):
            patch.setattr(Path, way, _refusing(getattr(Path, way)))
        ended = project.run("--supercache-gate")
    assert ended.ret == 4
    told = "*gate: *verdict.json cannot be marked as begun*; give a folder that can be written (*"
    ended.stderr.fnmatch_lines([told])
    decided = verdict()
    assert decided.exit_code == 6
    said = "cannot be read" if can_be_emptied else "a later one with the id 77 could not mark it"
    assert said in decided.output
    if not can_be_emptied:
        assert project.verdict()["gate"]["verdict"] == "GO"
        monkeypatch.delenv("SUPERCACHE_RUN_ID")
        assert verdict().exit_code == 0


def test_a_note_goes_with_the_verdict_that_it_is_about(tmp_path: Path) -> None:
    """The twins: that of its own id stays, and so do those about other files."""
    path, other = tmp_path / "verdict.json", tmp_path / "other.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        for file, run_id in [(path, "77"), (path, "78"), (other, "77")]:
            note_unmarked(file, run_id)
        forget_other_notes(path, "78")
        assert [list(unmarked(path, run_id)) for run_id in ("77", None)] == [[], []]
        assert len([*unmarked(path, "78"), *unmarked(other, "77")]) == 2


def test_a_run_says_which_it_is(old_go: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id comes from outside, so that a run which never began is noticed, too."""
    assert len(old_go.verdict()["run"]["id"]) == 16
    missing = verdict("--run-id=77")
    assert missing.exit_code == 6
    assert "it is of the run " in missing.output
    assert ", and the run 77 was asked for" in missing.output
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "78")
    assert verdict().exit_code == 6
    assert old_go.run("--supercache-gate").ret == 0
    assert old_go.verdict()["run"]["id"] == "78"
    assert verdict().exit_code == 0
    assert verdict("--run-id=77").exit_code == 6


@pytest.mark.parametrize("empty", few(["", " "], 1))
def test_an_id_that_is_empty_is_refused(
    old_go: Project, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    """It would be about any run. The twin: without the gate, nobody asks for the id."""
    refused = verdict(f"--run-id={empty}")
    assert refused.exit_code == 2
    assert "it is empty, so any run would do" in refused.output
    monkeypatch.setenv("SUPERCACHE_RUN_ID", empty)
    assert verdict().exit_code == 2
    old_go.test_file("def test_one(): pass")
    assert old_go.run("test_it.py").ret == 0
    ended = old_go.run("--supercache-gate")
    assert ended.ret == 4
    ended.stderr.fnmatch_lines(["*gate: SUPERCACHE_RUN_ID is empty*"])
    assert old_go.verdict()["run"]["finished"] is False
    assert verdict("--run-id=78").exit_code == 6


def commit_all(project: Project) -> None:
    """Make a repository of the project, without what pytester writes into it."""
    of_pytester = ["__pycache__/", ".hypothesis/", "stdout", "stderr", "runpytest-*"]
    (project.path / ".gitignore").write_text("\n".join(of_pytester))
    committed(project.path)


def _edit(project: Project, **values: Any) -> Path:
    path = project.path / "reports" / "verdict.json"
    path.write_text(json.dumps({**project.verdict(), **values}))
    return path


def test_a_verdict_is_too_old_after_a_day_or_what_is_said(old_go: Project) -> None:
    now = datetime.now(UTC)  # the module may have been imported an hour ago
    _edit(old_go, when=str(now - timedelta(hours=23)))
    assert verdict().exit_code == 0
    early = verdict("--max-age=22")
    assert early.exit_code == 6
    assert "it is 23 hours old, and at most 22 are allowed" in early.output
    _edit(old_go, when=str(now - timedelta(hours=25)))
    assert verdict().exit_code == 6
    assert verdict("--max-age=26").exit_code == 0


@pytest.mark.parametrize("when", few([None, 7, "yesterday", "2026-03-10T10:00:00"], 2))
def test_a_verdict_without_a_time_is_none(old_go: Project, when: object) -> None:
    _edit(old_go, when=when)
    decided = verdict("--max-age=999999")
    assert decided.exit_code == 6
    said = "when is 7, expected a text" if when == 7 else "it does not say when the run was"
    assert said in decided.output


def test_a_verdict_from_the_future_is_none(old_go: Project) -> None:
    _edit(old_go, when=str(datetime.now(UTC) + timedelta(hours=1)))
    decided = verdict()
    assert decided.exit_code == 6
    assert "it is from the future" in decided.output


def test_a_clock_behind_the_time_of_the_file_gives_no_verdict(old_go: Project) -> None:
    path = _edit(old_go)
    later = (NOW + timedelta(hours=1)).timestamp()
    os.utime(path, (later, later))
    decided = verdict()
    assert decided.exit_code == 6
    assert "the clock here is behind" in decided.output


def test_a_verdict_must_be_about_the_commit_that_is_checked_out(old_go: Project) -> None:
    commit_all(old_go)
    unknown = verdict()
    assert unknown.exit_code == 6
    assert "it does not say about which commit it is" in unknown.output
    assert old_go.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0
    _edit(old_go, commit="abc1234")
    other = verdict()
    assert other.exit_code == 6
    assert "it is about commit abc1234, and " in other.output


def test_a_verdict_about_changes_that_are_gone_is_none(old_go: Project) -> None:
    """The commit that ships has the race again; changes that are still there are only told."""
    conftest = old_go.path / "conftest.py"
    commit_all(old_go)
    committed = conftest.read_text()
    conftest.write_text(f"{committed}\n# a fix that nobody has committed\n")
    assert old_go.run("--supercache-gate").ret == 0
    told = verdict()
    assert told.exit_code == 0
    assert "with changes that are not committed" in told.output
    conftest.write_text(committed)
    gone = verdict()
    assert gone.exit_code == 6
    assert "with changes that were not committed, and there are none here" in gone.output


def test_drafts_are_made_of_old_verdicts_too(old_go: Project) -> None:
    _edit(old_go, when=str(NOW - timedelta(days=9)))
    assert "The release can go." in CliRunner().invoke(main, ["message"]).output


@pytest.mark.parametrize("hours", few(["nan", "-1", "inf", "-inf"], 2))
def test_an_age_is_a_number_of_hours(old_go: Project, hours: str) -> None:
    _edit(old_go, when=str(NOW - timedelta(days=900)))
    decided = verdict(f"--max-age={hours}")
    assert decided.exit_code == 2
    assert "--max-age" in decided.output


def test_of_a_run_that_did_not_finish_nothing_else_is_said_than_which_it_is(
    old_go: Project,
) -> None:
    commit_all(old_go)
    old_go.conftest("import os; os._exit(0)")
    old_go.run_apart("--supercache-gate")
    told = [line for line in verdict().output.splitlines() if "because" in line]
    assert told == ["  because the run did not finish"]
    told = [line for line in verdict("--run-id=77").output.splitlines() if "because" in line]
    assert len(told) == 2
    assert "the run 77 was asked for" in told[0]
    assert told[1] == "  because the run did not finish"


@pytest.mark.parametrize("controller", few(["{own}", None, "1", "{own} elsewhere"], 2))
def test_the_environment_makes_no_worker_of_a_run(
    old_go: Project, monkeypatch: pytest.MonkeyPatch, controller: str | None
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    if controller:
        monkeypatch.setenv("SUPERCACHE_CONTROLLER", controller.format(own=os.getpid()))
    old_go.conftest("import sys; sys.exit(0)")
    assert old_go.run_apart("--supercache-gate").ret == 6
    assert old_go.verdict()["run"]["finished"] is False


def test_workers_leave_the_mark_of_their_controller(project: Project) -> None:
    project.scenario(race("O-3", "uncached"))
    project.add_to_conftest("""
import json, os, pathlib
name = os.environ.get("PYTEST_XDIST_WORKER", "controller")
seen = json.loads(pathlib.Path("reports/verdict.json").read_text())["run"]["id"]
pathlib.Path(f"{name}.id").write_text(seen)
""")
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 0
    seen = {path.name: path.read_text() for path in project.path.glob("*.id")}
    assert set(seen) == {"controller.id", "gw0.id"}
    assert set(seen.values()) == {project.verdict()["run"]["id"]}
    assert project.verdict()["run"]["finished"] is True


def test_a_run_inside_a_process_leaves_its_environment_as_it_was(project: Project) -> None:
    project.scenario(race("O-4", "uncached"))
    before = dict(os.environ)
    assert project.run("--supercache-gate").ret == 0
    assert os.environ.get("SUPERCACHE_CONTROLLER") == before.get("SUPERCACHE_CONTROLLER")
