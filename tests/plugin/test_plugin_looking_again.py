"""Runs that look at a conflict again leave the reports of the run that found it as they are."""

import pytest

from pytest_supercache.plugin import looking_again
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race

SHOWN = ("index.html", "verdict.json", "job-summary.md")


@pytest.fixture
def found(project: Project) -> Project:
    """Return a project with the reports of a run that has found a conflict."""
    project.conftest(SHOP)
    project.scenario(race())
    project.run().assert_outcomes(failed=1)
    return project


def contents(project: Project) -> dict[str, bytes]:
    return {name: (project.path / "reports" / name).read_bytes() for name in SHOWN}


@pytest.mark.parametrize("again", ["a replay", "a reproducer"])
def test_a_run_that_looks_again_has_a_folder_of_its_own_and_says_where(
    found: Project, again: str
) -> None:
    before, token = contents(found), found.token()
    (reproducer,) = (found.path / "reports").glob("repro_*.py")
    word = f"--supercache-replay={token}" if again == "a replay" else str(reproducer)
    result = found.run(word)
    assert contents(found) == before
    (folder,) = (found.path / "reports" / "runs").iterdir()
    result.stdout.fnmatch_lines([f"written: {folder}/verdict.json", f"open: {folder}/index.html#*"])
    assert {path.name for path in folder.iterdir()} >= set(SHOWN)


@pytest.mark.parametrize("word", ["--supercache-seed=7", "--supercache-report=reports"])
def test_any_other_run_and_one_whose_folder_is_named_replace_them(
    found: Project, word: str
) -> None:
    before = contents(found)
    words = [word, *([f"--supercache-replay={found.token()}"] if "report" in word else [])]
    found.run(*words)
    assert contents(found) != before
    assert not (found.path / "reports" / "runs").exists()


def test_twenty_such_folders_stay_and_what_is_not_ours_stays_too(
    found: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_again, "KEPT", 2)
    runs = found.path / "reports" / "runs"
    (runs / "0-of-somebody-else").mkdir(parents=True)
    word = f"--supercache-replay={found.token()}"
    written = []
    for _ in range(3):
        found.run(word)
        written.append(max(path.name for path in runs.iterdir()))
    assert sorted(path.name for path in runs.iterdir()) == ["0-of-somebody-else", *written[1:]]
