"""Every run has a folder of its own; the top shows the last one that was about the project."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.report import run_folders
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, STALE_TEST, race
from tests.plugin.scenes import begin
from tests.selection import few

SHOWN = ("index.html", "verdict.json", "job-summary.md", "supercache.sarif")
WHERE_IT_IS_READ = ("repro_S-1.py", "allurerc.json")
"""Files with paths from their own folder: the same there, but not the same text."""

HELD = f"""{STALE_TEST}
import pytest

@sc.explore
def test_held(world):
    shop = Uncached(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.run()

def test_stops():
    pytest.set_trace()
"""

LOOKS = "import json; print(json.load(open('reports/verdict.json'))['run'])\nc\n"
"""What is typed into the debugger: the verdict at the top is looked at, and the run goes on."""


@pytest.fixture
def found(project: Project) -> Project:
    """Return a project with the reports of a run that has found a conflict."""
    begin(project, _found)
    return project


def _found(project: Project) -> None:
    project.scenario(race())
    project.run().assert_outcomes(failed=1)


def top(project: Project, folder: str = "reports") -> dict[str, bytes]:
    """Return the files at the top of the reports, and those of Allure."""
    there = project.path / folder
    files = [path for path in there.rglob("*") if path.is_file()]
    files = [path for path in files if not {"runs", "__pycache__"} & set(path.parts)]
    files = [path for path in files if path.suffix != ".part"]
    return {path.relative_to(there).as_posix(): path.read_bytes() for path in files}


def folders(project: Project, folder: str = "reports") -> list[Path]:
    """Return the folders of runs, the oldest first."""
    runs = project.path / folder / "runs"
    return sorted(runs.iterdir()) if runs.exists() else []


def stopped(project: Project) -> str:
    """Run a test that stops in the debugger, and return what was to be seen."""
    (project.path / "typed.txt").write_text(LOOKS)
    project.pytester.makepyfile(typed="import os\nos.dup2(os.open('typed.txt', os.O_RDONLY), 0)\n")
    result = project.run_apart("-p", "typed", "test_it.py")
    result.assert_outcomes(passed=2)
    return result.stdout.str()


def test_a_run_has_a_folder_with_its_build_and_the_top_has_copies(project: Project) -> None:
    project.scenario(race())
    project.run("--supercache-build=release/2.4 rc1").assert_outcomes(failed=1)
    (own,) = folders(project)
    assert own.name.endswith("Z-release-2.4-rc1")
    copied = {path.relative_to(own).as_posix(): path for path in own.rglob("*") if path.is_file()}
    shown = top(project)
    assert set(copied) == set(shown) >= {*SHOWN, *WHERE_IT_IS_READ}
    same = set(shown) - set(WHERE_IT_IS_READ)
    assert {name: copied[name].read_bytes() for name in same} == {n: shown[n] for n in same}


def test_a_reproducer_in_the_folder_of_its_run_finds_the_code(project: Project) -> None:
    """The twin is the one at the top, which goes on from another folder."""
    project.conftest("")
    project.test_file(
        f"{SHOP}\n@sc.explore\ndef test_stale(world):\n"
        "    world.origin.set('k', 1)\n"
        "    shop = Shop(world.existing_cache.client(), world.origin)\n"
        "    world.actor('alice', shop.get, 'k')\n"
        "    world.actor('bob', shop.set, 'k', 2)\n"
        "    world.run()\n"
        "    assert shop.get('k') == 2\n",
        "test_shop",
    )
    project.run().assert_outcomes(failed=1)
    (own,) = folders(project)
    for reproducer in ("reports/repro_test_stale.py", f"{own}/repro_test_stale.py"):
        project.run_apart(reproducer).assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "again", few(["a replay", "a reproducer", "a replay of a named folder"], 2)
)
def test_a_run_that_looks_again_stays_in_its_folder_and_says_where(
    found: Project, again: str
) -> None:
    before, token = top(found), found.token()
    word = f"--supercache-replay={token}" if "replay" in again else "reports/repro_S-1.py"
    named = ["--supercache-report=reports"] if "named" in again else []
    result = found.run(word, *named)
    assert top(found) == before
    _, folder = folders(found)
    result.stdout.fnmatch_lines([f"written: {folder}/verdict.json", f"open: {folder}/index.html#*"])
    assert {path.name for path in folder.iterdir()} >= set(SHOWN)


def test_a_run_that_stops_in_a_debugger_stays_in_its_folder(found: Project) -> None:
    """The twin: the same run that stops nowhere replaces the top."""
    before = top(found)
    found.test_file(HELD)
    said = stopped(found)
    assert top(found) == before
    _, folder = folders(found)
    assert f"written: {folder}/verdict.json" in said
    found.run("test_it.py", "-k", "held").assert_outcomes(passed=1)
    assert top(found) != before


def test_with_an_id_that_other_runs_may_have_its_end_is_told_at_the_top_all_the_same(
    found: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning is: a run of that id that is killed must not leave another one's verdict."""
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    found.test_file(HELD)
    said = stopped(found)
    assert "'finished': False" in said
    assert json.loads(top(found)["verdict.json"])["run"]["finished"] is True


def test_what_the_last_run_left_goes_and_what_is_not_ours_stays(found: Project) -> None:
    reports = found.path / "reports"
    ours = reports / "repro_S-1.py"
    kept = {
        "repro_S-1_before_the_fix.py": ours.read_text(),
        "repro_by_hand.py": "import pytest_supercache as sc\n",
        "notes.md": "ours",
        "runs/notes.md": "ours",
        "allure-results/executor.json": "{}",
    }
    for name, text in kept.items():
        (reports / name).write_text(text)
    for name in ("message.md", "allure-report.html"):
        (reports / name).write_text("of the last run")
    found.conftest(SHOP.replace("return Shop(", "return Uncached("))
    found.run().assert_outcomes(passed=1)
    shown = top(found)
    assert not {"repro_S-1.py", "message.md", "allure-report.html"} & set(shown)
    assert {name: (reports / name).read_text() for name in kept} == kept
    first, second = sorted(path for path in (reports / "runs").iterdir() if path.is_dir())
    assert (first / "repro_S-1.py").exists()
    assert not (second / "repro_S-1.py").exists()


def test_twenty_folders_stay_and_those_without_our_mark_stay_too(
    found: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folders, "KEPT", 2)
    runs, token = found.path / "reports" / "runs", found.token()
    theirs = {"0-empty": None, "0-broken": "{", "0-another": '{"version": 1, "counts": 7}'}
    for name, text in theirs.items():
        (runs / name).mkdir()
        if text is not None:
            (runs / name / "verdict.json").write_text(text)
    written = [path.name for path in folders(found) if path.name not in theirs]
    for word in ("--supercache-seed=7", f"--supercache-replay={token}", "-q"):
        found.run(word)
        written.append(max(path.name for path in runs.iterdir()))
    assert sorted(path.name for path in runs.iterdir()) == sorted([*theirs, *written[-2:]])


def test_a_run_whose_folder_cannot_be_written_writes_to_the_top(project: Project) -> None:
    project.scenario(race())
    (project.path / "reports").mkdir()
    (project.path / "reports" / "runs").write_text("a file where the folder should be")
    result = project.run("--supercache-gate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["note: this run has no folder of its own: *", "written: *"])
    assert set(top(project)) >= {*SHOWN, *WHERE_IT_IS_READ, "message.md"}
    assert project.verdict()["gate"]["verdict"] == "NO-GO"


def test_workers_have_one_folder_together(project: Project) -> None:
    for at in range(3):
        project.scenario(race(f"S-{at}"), f"s{at}")
    project.run_apart("-n2").assert_outcomes(failed=3)
    (own,) = folders(project)
    assert {path.name for path in own.glob("repro_*")} == {f"repro_S-{at}.py" for at in range(3)}


def test_a_clock_that_a_conftest_has_frozen_names_no_folder(project: Project) -> None:
    project.conftest(SHOP, "import freezegun; freezegun.freeze_time('2020-01-01').start()")
    project.scenario(race())
    for _ in range(2):
        project.run_apart().assert_outcomes(failed=1)
    assert len(folders(project)) == 2
    assert not [path for path in folders(project) if path.name.startswith("2020")]


def test_runs_of_the_same_moment_have_a_folder_each(tmp_path: Path) -> None:
    when = run_folders.datetime(2026, 1, 2, 3, 4, 5, 6)
    first = run_folders.new_folder(tmp_path, when, "7")
    first.mkdir(parents=True)
    second = run_folders.new_folder(tmp_path, when, "7")
    assert [first.name, second.name] == ["20260102T030405.000006Z-7", "20260102T030405.000006Z-7.2"]
    assert first < second


@pytest.mark.parametrize("build", ["../../x", "a/b", "", None, "..", "n" * 500, "\x1b[31m\n"])
def test_no_build_leads_out_of_the_folder_of_runs(tmp_path: Path, build: str | None) -> None:
    made = run_folders.new_folder(tmp_path, run_folders.datetime(2026, 1, 2), build)
    assert made.parent == tmp_path / "runs"
    assert made.resolve().parent == tmp_path.resolve() / "runs"
    assert len(made.name) < 100
    assert made.name.isprintable()


@contextmanager
def killed_anywhere(project: Project) -> Iterator[list[Path]]:
    """Keep the reports as they are before each change of a file: as a killed run leaves them."""
    reports, kept = project.path / "reports", []

    def before(change):
        def changed(path, *given, **named):
            if path.is_relative_to(reports) and "runs" not in path.parts and path.exists():
                kept.append(project.path / f"killed-{len(kept)}")
                shutil.copytree(reports, kept[-1])
            return change(path, *given, **named)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "unlink", "write_bytes"):
            patch.setattr(Path, name, before(getattr(Path, name)))
        yield kept


def status_with(project: Project, reports: Path) -> int:
    """Return the exit status of `supercache verdict` with these reports in their place."""
    shutil.rmtree(project.path / "reports")
    shutil.copytree(reports, project.path / "reports", copy_function=shutil.copy2)
    return CliRunner().invoke(main, ["verdict"], catch_exceptions=False).exit_code


GATE = ["--supercache-gate"]


@pytest.mark.parametrize(
    ("before", "after", "gate"),
    [
        ("Uncached", "Shop", []),
        ("Shop", "Uncached", GATE),
        pytest.param("Uncached", "Shop", GATE, marks=pytest.mark.long),
        pytest.param("Shop", "Uncached", [], marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_killed_while_it_copies_leaves_no_go_of_two_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch, before: str, after: str, gate: list[str]
) -> None:
    """What says GO is whole: all of it is of the run before, or all of it of the one that ends."""
    monkeypatch.chdir(project.path)
    project.scenario(race())
    project.conftest(SHOP.replace("return Shop(", f"return {before}("))
    project.run("--supercache-gate")
    old = top(project)
    project.conftest(SHOP.replace("return Shop(", f"return {after}("))
    with killed_anywhere(project) as kept:
        project.run(*gate)
    new = top(project)
    assert len(kept) > 20
    statuses = []
    for reports in kept:
        statuses.append(status_with(project, reports))
        if statuses[-1] == 0:
            assert top(project) in (old, new)
    assert statuses[-1] == (6 if after == "Uncached" else 1), "unfinished: its verdict comes last"
    if gate or before == "Shop":
        assert 0 not in statuses[1:]


def test_the_verdict_in_the_folder_of_a_run_is_judged_as_that_at_the_top_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: from another root, whose reports stand in the same place, it is none."""
    monkeypatch.chdir(project.path)
    project.scenario(race("S-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    (own,) = folders(project)
    command = ["verdict", str(own / "verdict.json")]
    assert CliRunner().invoke(main, command).exit_code == 0
    below = project.path / "below"
    below.mkdir()
    (below / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(below)
    judged = CliRunner().invoke(main, command)
    assert judged.exit_code == 6
    assert "it is of the project in" in judged.output


def test_a_run_says_what_has_changed_since_the_last_one_that_was_no_replay(
    found: Project,
) -> None:
    (row,) = json.loads((found.path / "reports" / "verdict.json").read_text())["scenarios"]
    found.run(f"--supercache-replay={row['counterexample']['token']}").assert_outcomes(failed=1)
    *_, replay = folders(found)
    assert json.loads((replay / "verdict.json").read_text())["looks_again"] is True
    found.scenario(race(system="uncached"))
    found.run().assert_outcomes(passed=1)
    document = json.loads((found.path / "reports" / "verdict.json").read_text())
    assert document["last_run"]["scenarios"] == [
        {"id": "S-1", "verdict": "violated", "fingerprint": row["counterexample"]["fingerprint"]}
    ]
    page = (found.path / "reports" / "index.html").read_text()
    assert ": 1 conflict gone (S-1)." in page
    assert "looks_again" not in document
