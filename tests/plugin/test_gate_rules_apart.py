"""A verdict is decided again by the rules of its run, or by rules that ask for more."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.scenes import begin
from tests.plugin.test_plugin_gate import TODAY, configure, waive
from tests.selection import few

VERDICT = "carried/verdict.json"
SETTINGS = 'release = ["uncached"]\nminimum_severity = "minor"'


@pytest.fixture
def inner(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sub-folder with settings of its own, inside a project whose last run was a GO."""
    monkeypatch.chdir(project.path)
    begin(project, _locked)
    folder = project.path / "inner"
    folder.mkdir()
    (folder / "pytest.ini").touch()  # a root of its own, also for pytest
    shutil.copy("pyproject.toml", folder)
    shutil.copy("gate.lock", folder)
    shutil.copytree("reports", folder / "carried")
    monkeypatch.chdir(folder)
    assert verdict(VERDICT).exit_code == 0, "the same rules elsewhere are the same"
    return folder


def _locked(project: Project) -> None:
    configure(project, SETTINGS)
    project.scenario(race("R-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    assert verdict("--lock").exit_code == 0
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0


def verdict(*words: str) -> Result:
    return CliRunner().invoke(main, ["verdict", *words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("settings", "said"),
    few([
        ('release = ["other"]\nminimum_severity = "minor"', "uncached ships there and not here"),
        ('release = ["uncached"]\nminimum_severity = "critical"',
         "minimum_severity was minor and is critical here"),
        ('minimum_severity = "minor"', "uncached ships there and not here"),
    ], 2),
)  # fmt: skip
def test_settings_that_let_more_through_give_no_verdict(
    inner: Path, settings: str, said: str
) -> None:
    (inner / "pyproject.toml").write_text(f"[tool.supercache]\n{settings}\n")
    decided = verdict(VERDICT)
    assert decided.exit_code == 6
    assert f"the run was judged by other rules: {said}" in decided.output


@pytest.mark.parametrize(("lock", "said"), [(None, "missing"), ("counts R-1", "another one")])
def test_another_lock_gives_no_verdict(inner: Path, lock: str | None, said: str) -> None:
    text = (inner / "gate.lock").read_text()
    (inner / "gate.lock").unlink()
    if lock is not None:
        (inner / "gate.lock").write_text(f"# another comment\n{text}")
    decided = verdict(VERDICT)
    assert decided.exit_code == 6
    assert f"gate.lock is {said} here" in decided.output


def test_rules_that_ask_for_more_are_fine(inner: Path) -> None:
    (inner / "pyproject.toml").write_text('[tool.supercache]\nrelease = ["uncached"]\n')
    assert verdict(VERDICT).exit_code == 0


def test_other_known_issues_give_no_verdict_until_the_gate_has_seen_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.scenario(race("R-2"))
    project.scenario(race("G-W", "uncached"), "workaround")
    assert project.run("--supercache-gate").ret == 1
    waive(project, project.rows()["R-2"]["counterexample"]["fingerprint"], TODAY)
    monkeypatch.chdir(project.path)
    other = verdict()
    assert other.exit_code == 6
    assert "the known issues are others here" in other.output
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0
