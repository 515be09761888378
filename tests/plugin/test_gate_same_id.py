"""A run id stands for a whole job: no run under it makes a GO of what another one came to."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from pytest_supercache.gate import same_id
from pytest_supercache.gate.run_id import known_as
from pytest_supercache.report import verdict_json
from tests.plugin.conftest import Project
from tests.plugin.projects import STALE_TEST, race
from tests.plugin.scenes import begin
from tests.selection import few

HELD = f"""{STALE_TEST}
@sc.explore
def test_it(world):
    shop = Uncached(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.run()
"""
BREAKS = "import pytest\ndef pytest_configure(config): raise pytest.UsageError('no')\n"


@pytest.fixture
def job(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a CI job that has an id; a run of `go` is GO, one with `test_no_go` NO-GO."""
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    monkeypatch.chdir(project.path)
    project.scenario(race("I-1", "uncached"), "go")
    project.test_file("def test_no(): assert 0", "test_no_go")
    project.test_file(HELD)
    return project


GO = ("--supercache-gate", "go.supercache.yaml")
NO_GO = ("--supercache-gate", "go.supercache.yaml", "test_no_go.py")


def after_go(job: Project) -> None:
    assert job.run(*GO).ret == 0


def after_no_go(job: Project) -> None:
    assert job.run(*NO_GO).ret == 1


def after_a_run_without_the_gate(job: Project) -> None:
    assert job.run("go.supercache.yaml").ret == 0


def verdict(*words: str) -> Result:
    return CliRunner().invoke(main, ["verdict", *words], catch_exceptions=False)


def leave_open(job: Project) -> None:
    """Begin a gate run that ends before it has decided anything."""
    conftest = (job.path / "conftest.py").read_text()
    job.conftest(conftest, BREAKS)
    assert job.run(*GO).ret == 4
    assert job.verdict()["run"]["finished"] is False
    job.conftest(conftest)


def test_a_go_after_a_no_go_of_the_same_id_is_no_verdict_and_names_both(job: Project) -> None:
    """The twin: of another id, it is GO."""
    begin(job, after_no_go)
    assert job.run(*GO).ret == 6
    said = verdict()
    assert said.exit_code == 6
    (because,) = [line for line in said.output.splitlines() if "because" in line]
    assert "the run id 77 has another run: process " in because
    told, this = because.split(") ended with NO-GO; this is process ")
    assert "test_no_go.py" in told
    assert "test_no_go.py" not in this
    assert this.endswith("). Give each run an id of its own")
    assert job.run(*GO).ret == 6, "nor does a third run forget the first"
    assert verdict().exit_code == 6
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_the_file_of_an_older_run_is_none_after_a_no_go_of_the_same_id(job: Project) -> None:
    """The twins: after a GO, or after a run of another id."""
    assert job.run(*GO).ret == 0
    (older,) = (job.path / "reports" / "runs").glob("*/verdict.json")
    assert verdict(str(older)).exit_code == 0
    assert job.run(*GO).ret == 0
    assert verdict(str(older)).exit_code == 0
    assert job.run(*NO_GO).ret == 1
    said = verdict(str(older))
    assert said.exit_code == 6
    assert "the run id 77 has another run: process " in said.output
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run(*NO_GO).ret == 1
    assert verdict(str(older), "--run-id=77").exit_code == 0


@pytest.mark.parametrize("other", ["77", "78"])
def test_a_go_beside_a_no_go_of_another_machine_of_one_id_is_none(
    job: Project, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """CI puts the reports of a matrix into one folder. The twin: they are of two jobs."""
    monkeypatch.setenv("SUPERCACHE_RUN_ID", other)
    after_no_go(job)
    (job.path / "reports").rename(job.path / "elsewhere")
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    after_go(job)
    assert verdict().exit_code == 0
    (folder,) = (job.path / "elsewhere" / "runs").iterdir()
    folder.rename(job.path / "reports" / "runs" / folder.name)
    told = verdict()
    assert told.exit_code == (6 if other == "77" else 0)
    assert ("the run id 77 has another run" in told.output) == (other == "77")


def test_the_file_of_an_older_shard_is_none_after_one_that_failed(job: Project) -> None:
    """The twin: the later one passes."""
    shard = ("--supercache-shard=1/1", "go.supercache.yaml")
    failed = (*shard, "test_no_go.py")
    assert job.run(*shard, "--supercache-report=out").ret == 0
    (older,) = (job.path / "out" / "runs").glob("*/verdict.json")
    assert job.run(*shard, "--supercache-report=out").ret == 0
    merge = CliRunner().invoke(main, ["merge", str(older)])
    assert merge.exit_code == 0, merge.output
    os.environ["SUPERCACHE_RUN_ID"] = "79"
    assert job.run(*shard, "--supercache-report=more").ret == 0
    (older,) = (job.path / "more" / "runs").glob("*/verdict.json")
    assert job.run(*failed, "--supercache-report=more").ret == 1
    merge = CliRunner().invoke(main, ["merge", str(older)])
    assert merge.exit_code == 6
    assert "has another run: process " in merge.output


def test_a_go_after_a_run_that_did_not_finish_is_none(job: Project) -> None:
    leave_open(job)
    assert job.run(*GO).ret == 6
    assert verdict().exit_code == 6
    assert "has begun and not finished" in verdict().output


def test_several_go_of_one_id_are_go(job: Project) -> None:
    for _ in range(2):
        assert job.run(*GO).ret == 0
        assert verdict().exit_code == 0
    assert job.verdict()["run"]["others"] == []


@pytest.mark.parametrize(("scene", "status"), [(after_no_go, 1), (after_go, 0)])
def test_a_run_without_the_gate_does_not_replace_the_verdict_of_one_with_it(
    job: Project, scene: Callable[[Project], None], status: int
) -> None:
    begin(job, scene)
    before = job.verdict()
    shown = job.run("test_it.py")
    assert shown.ret == 0
    top, own = f"{job.path}/reports", f"{job.path}/reports/runs/*"
    shown.stdout.fnmatch_lines(
        [
            f"note: {top}/verdict.json stays: it is about the gate run of this id, *",
            f"written: {own}/verdict.json",
        ]
    )
    assert json.loads(Path(top, "verdict.json").read_text()) == before
    assert verdict().exit_code == status


def test_a_run_without_the_gate_leaves_the_mark_of_one_that_has_begun(job: Project) -> None:
    leave_open(job)
    job.run("go.supercache.yaml")
    assert verdict().exit_code == 6


@pytest.mark.parametrize("before", few([["test_it.py", "test_no_go.py"], ["test_it.py"]], 1))
def test_a_run_without_the_gate_before_one_with_it_changes_nothing(
    job: Project, before: list[str]
) -> None:
    job.run(*before)
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_a_run_that_judges_nothing_leaves_the_go(job: Project) -> None:
    begin(job, after_go)
    job.test_file("def test_one(): pass", "test_unit")
    assert job.run("test_unit.py").ret == 0
    assert verdict().exit_code == 0


def test_runs_without_the_gate_are_held_against_each_other(job: Project) -> None:
    begin(job, after_a_run_without_the_gate)
    assert job.run("test_it.py").ret == 0
    assert verdict().exit_code == 0
    assert job.run("go.supercache.yaml", "test_no_go.py").ret == 1
    assert verdict().exit_code == 1
    assert job.run("go.supercache.yaml").ret == 0
    said = verdict()
    assert said.exit_code == 6
    assert "ended with NO-GO" in said.output


@pytest.mark.parametrize(("ships", "status"), [("shop", 6), ("uncached", 0)])
def test_a_stated_conflict_without_the_gate_is_held_against_later_runs(
    job: Project, ships: str, status: int
) -> None:
    """pytest ends with 0 then. The twin: a system that does not ship."""
    settings = job.path / "pyproject.toml"
    stated = "systems: {shop: violated, uncached: holds}"
    job.scenario(race("I-3").replace("system: shop", stated), "stated")
    settings.write_text(f'[tool.supercache]\nrelease = ["{ships}"]\n')
    assert job.run("stated.supercache.yaml").ret == 0
    settings.write_text('[tool.supercache]\nrelease = ["uncached"]\n')
    assert job.run("go.supercache.yaml").ret == 0
    assert verdict().exit_code == status
    assert ("ended with NO-GO" in verdict().output) == bool(status)


@pytest.mark.parametrize("words", few([[], ["-n1"]], 1), ids=["alone", "workers"])
def test_a_run_without_the_gate_that_is_killed_leaves_no_go_of_another(
    job: Project, words: list[str]
) -> None:
    """The twin: one that has nothing of ours leaves it."""
    kills = "import os, pathlib\ndef test_killed():\n    os.kill({}, 9)\n"
    who = "os.getppid()" if words else "os.getpid()"
    begin(job, after_a_run_without_the_gate)
    job.test_file(kills.format(who), "test_killed")
    assert job.run_apart(*words, "test_killed.py").ret == -9
    assert verdict().exit_code == 0
    assert job.run_apart(*words, "go.supercache.yaml", "test_killed.py").ret == -9
    said = verdict()
    assert said.exit_code == 6
    assert "the run did not finish" in said.output


def test_a_run_without_the_gate_that_finds_nothing_is_told_to_its_end(job: Project) -> None:
    begin(job, after_a_run_without_the_gate)
    job.add_to_conftest(
        "import pytest\n@pytest.fixture(autouse=True)\ndef skips(): pytest.skip('not today')"
    )
    assert job.run("go.supercache.yaml").ret == 0
    said = verdict()
    assert said.exit_code == 6
    assert "I-1 was skipped" in said.output
    assert job.run("--collect-only").ret == 0
    assert "I-1 was skipped" in verdict().output, "a run that lists decides nothing"


@pytest.mark.parametrize("before", [True, False])
def test_a_plugin_that_cannot_be_loaded_leaves_no_go(job: Project, before: bool) -> None:
    """The twin: a run that asks for no gate leaves it. What comes before ours cannot be held."""
    begin(job, after_go)
    words = ("-p", "supercache", "-p", "nosuch") if not before else ("-p", "nosuch")
    assert job.run_apart(*words, "go.supercache.yaml").ret == 4
    assert verdict().exit_code == 0
    assert job.run_apart(*words, *GO).ret == 4
    assert verdict().exit_code == (0 if before else 6)
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_a_gate_call_that_only_lists_is_named_as_one(job: Project) -> None:
    assert job.run("--collect-only", *GO).ret == 6
    assert job.run(*GO).ret == 6
    said = verdict().output
    assert "only listed what there is, with the gate, and decided nothing" in said
    assert "ended with" not in said


def test_what_is_wrong_with_a_run_comes_before_other_runs(job: Project) -> None:
    begin(job, after_no_go)
    (job.path / "build").mkdir()
    (job.path / "build" / "b.supercache.yaml").write_text(race("I-2"))
    assert job.run("--supercache-gate", "--ignore=test_no_go.py").ret == 6
    first, second, *_ = verdict().output.splitlines()[1:]
    assert "build/b.supercache.yaml is not collected by pytest" in first
    assert "the run id 77 has another run" in second


def test_a_run_inside_another_one_leaves_no_go_when_that_is_killed(job: Project) -> None:
    job.test_file("""
import os, subprocess, sys
def test_inner():
    inner = ["-m", "pytest", "-p", "no:cacheprovider", "go.supercache.yaml"]
    ended = subprocess.run([sys.executable, *inner])
    open("inner", "w").write(str(ended.returncode))
    os.kill(os.getpid(), 9)
""", "test_outer")  # fmt: skip
    assert job.run_apart("--supercache-gate", "test_outer.py").ret == -9
    assert (job.path / "inner").read_text() == "0"
    assert verdict().exit_code == 6


def test_runs_of_one_id_at_once_are_go_when_both_are(job: Project) -> None:
    """The first that ends does not know yet what the other comes to."""
    path = job.path / "reports" / "verdict.json"
    begin(job, after_go)
    other = job.verdict()["run"] | {"owner": "other", "finished": False}
    path.write_text(json.dumps({**job.verdict(), "run": other, "gate": None}))
    assert job.run(*GO).ret == 6
    assert verdict().exit_code == 6
    run = {**other, "finished": True, "own_verdict": "GO"}
    same_id.write_beside_others(path, job.verdict()["scenarios"], {**job.verdict(), "run": run})
    assert job.verdict()["run"]["others"] == []
    assert verdict().exit_code == 0


WRITING_ELSEWHERE: dict[str, tuple[str, str, list[str]]] = {
    "an ini file below": ("scenarios/pytest.ini", "[pytest]\n", []),
    "another ini file": ("ci.ini", "[pytest]\nsupercache_report = out\n", ["-c", "ci.ini"]),
    "the root": ("ci.ini", "", ["--rootdir=scenarios"]),
    "an option": ("ci.ini", "", ["--supercache-report=out"]),
    "a setting": ("ci.ini", "", ["-o", "supercache_report=out"]),
}


@pytest.mark.parametrize(
    ("how", "is_first"),
    few(
        [
            ("an ini file below", True),
            ("a setting", False),
            ("an ini file below", False),
            ("a setting", True),
            *((how, first) for how in list(WRITING_ELSEWHERE)[1:-1] for first in (True, False)),
        ],
        2,
    ),
)
def test_a_run_that_writes_elsewhere_leaves_word_where_the_verdict_is_asked_for(
    job: Project, how: str, is_first: bool
) -> None:
    """The twin: when both say GO, it is GO."""
    below = job.path / "scenarios"
    below.mkdir()
    for name in ("conftest.py", "go.supercache.yaml", "test_no_go.py"):
        (job.path / name).rename(below / name)
    go, bad = ("scenarios/go.supercache.yaml",), ("scenarios",)

    def run(status: int, *words: str, is_elsewhere: bool = False) -> None:
        name, text, more = WRITING_ELSEWHERE[how] if is_elsewhere else ("ci.ini", "", [])
        (job.path / name).write_text(text)
        assert job.run("--supercache-gate", *more, *words).ret == status
        (job.path / name).unlink()

    if is_first:
        run(1, *bad, is_elsewhere=True)
        run(6, *go)
    else:
        run(0, *go)
        run(1, *bad, is_elsewhere=True)
    said = verdict()
    assert said.exit_code == 6
    assert "the run id 77 has another run: " in said.output
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    run(0, *go, is_elsewhere=is_first)
    run(0, *go, is_elsewhere=not is_first)
    assert verdict().exit_code == 0


def test_a_run_that_writes_elsewhere_and_nowhere_else_names_its_file(job: Project) -> None:
    written = ("--supercache-report=out", *NO_GO)
    assert job.run(*written).ret == 1
    said = verdict()
    assert said.exit_code == 6
    assert "the verdict of this run is in out/verdict.json: name that file" in said.output
    assert verdict("out/verdict.json").exit_code == 1
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run("--supercache-report=new", *GO).ret == 0
    assert verdict("new/verdict.json").exit_code == 0


def test_a_run_of_another_id_that_settings_send_elsewhere_makes_an_older_go_none(
    job: Project,
) -> None:
    """The twin: the next run of the first id has nothing to do with it."""
    begin(job, after_go)
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run("-o", "supercache_report=out", *NO_GO).ret == 1
    os.environ["SUPERCACHE_RUN_ID"] = "77"
    said = verdict()
    assert said.exit_code == 6
    assert "this folder has another run: " in said.output
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


@pytest.mark.parametrize("more", [["--supercache-report=out"], ["-o", "supercache_report=out"]])
def test_an_older_verdict_of_another_id_hides_no_run_that_wrote_elsewhere(
    job: Project, more: list[str]
) -> None:
    """The twins: the same of a third id, and of this one once that run has said GO, is GO."""
    os.environ["SUPERCACHE_RUN_ID"] = "76"
    assert job.run(*GO).ret == 0
    os.environ["SUPERCACHE_RUN_ID"] = "77"
    assert job.run(*more, *NO_GO).ret == 1
    os.environ["SUPERCACHE_RUN_ID"] = "76"
    is_chosen = more[0].startswith("--supercache")
    assert verdict().exit_code == (0 if is_chosen else 6), "who chose a folder wants both"
    os.environ["SUPERCACHE_RUN_ID"] = "77"
    assert job.run(*GO).ret == 6
    said = verdict()
    assert said.exit_code == 6
    assert "the run id 77 has another run: " in said.output
    assert "ended with NO-GO and wrote out/verdict.json" in said.output
    os.environ["SUPERCACHE_RUN_ID"] = "78"
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_a_run_that_wrote_elsewhere_and_said_go_is_not_in_the_way(job: Project) -> None:
    os.environ["SUPERCACHE_RUN_ID"] = "76"
    assert job.run(*GO).ret == 0
    os.environ["SUPERCACHE_RUN_ID"] = "77"
    assert job.run("--supercache-report=out", *GO).ret == 0
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_without_an_id_an_older_go_is_none_after_a_run_that_settings_send_elsewhere(
    job: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: who names a folder for one run keeps the reports of another one."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID")
    assert job.run(*GO).ret == 0
    assert job.run("--supercache-report=out", *NO_GO).ret == 1
    assert verdict().exit_code == 0
    assert job.run("-o", "supercache_report=out", *NO_GO).ret == 1
    said = verdict()
    assert said.exit_code == 6
    assert "this folder has another run: " in said.output
    assert "ended with NO-GO and wrote out/verdict.json" in said.output
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


def test_without_an_id_each_run_decides_for_itself(
    job: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPERCACHE_RUN_ID")
    assert job.run(*NO_GO).ret == 1
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0


RUN = {"id": "77", "owner": "me", "process": 1, "arguments": "pytest", "is_gate": True}


def scope(**more: Any) -> dict[str, Any]:
    return {"run": {**RUN, "finished": False, **more}}


def test_a_folder_that_another_process_keeps_locked_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_id, "_WAIT_SECONDS", 0.0)
    path = tmp_path / "verdict.json"
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process has been writing in"):
            same_id.write_beside_others(path, (), scope())
    finally:
        os.close(held)
    same_id.write_beside_others(path, (), scope())
    assert path.exists()


@pytest.mark.parametrize("text", few(["{", '{"version": 3, "scenarios": []}', ""], 1))
def test_a_file_that_cannot_be_read_may_have_been_of_the_id(job: Project, text: str) -> None:
    """The twin: nobody asks for the other runs of an id that nobody gave."""
    path = job.path / "reports" / "verdict.json"
    path.parent.mkdir()
    path.write_text(text)
    assert job.run(*GO).ret == 6
    (other,) = job.verdict()["run"]["others"]
    assert "verdict.json cannot be read" in other["lost"]
    assert "so other runs may stand against this one; give it another id" in verdict().output
    assert job.run(*GO).ret == 6
    path.write_text(text)
    del os.environ["SUPERCACHE_RUN_ID"]
    assert job.run(*GO).ret == 0


@pytest.mark.parametrize("removed", few(["reports", "reports/verdict.json"], 1))
def test_what_a_test_removes_is_not_forgotten(job: Project, removed: str) -> None:
    """The twin: without an id, other runs never counted."""
    begin(job, after_no_go)
    job.test_file(f"""
import shutil, os
def test_cleans():
    shutil.rmtree("{removed}") if os.path.isdir("{removed}") else os.remove("{removed}")
""", "test_cleaning")  # fmt: skip
    assert job.run(*GO, "test_cleaning.py").ret == 6
    lost, other = job.verdict()["run"]["others"][::-1]
    assert other["outcome"] == "NO-GO"
    assert lost["lost"].startswith("verdict.json was removed or replaced while process ")
    assert verdict().exit_code == 6
    del os.environ["SUPERCACHE_RUN_ID"]
    assert job.run(*GO, "test_cleaning.py").ret == 0


@pytest.mark.parametrize(
    "given", few(["https://betty:secret@ci/7", "7\udc80", "7\n8", "7" * 201, "\u202e7"], 2)
)
def test_an_id_that_cannot_be_shown_is_recognised(job: Project, given: str) -> None:
    os.environ["SUPERCACHE_RUN_ID"] = given
    assert job.run(*GO).ret == 0
    assert verdict().exit_code == 0
    assert "secret" not in (job.path / "reports" / "verdict.json").read_text()
    assert verdict(f"--run-id={given}8").exit_code == 6
    assert job.run(*NO_GO).ret == 1
    assert job.run(*GO).ret == 6
    assert verdict().exit_code == 6


def test_ids_that_differ_in_what_is_masked_are_two() -> None:
    assert known_as("https://betty:a@ci/7") != known_as("https://betty:b@ci/7")
    assert known_as("7") == "7"


def test_a_verdict_that_nobody_could_read_is_not_written(job: Project) -> None:
    begin(job, after_go)
    size = (job.path / "reports" / "verdict.json").stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict_json, "DOCUMENT_BYTES_MAX", size - 1_000)
        ended = job.run(*GO)
    assert ended.ret == 6
    ended.stdout.fnmatch_lines(["*because verdict.json could not be written: *larger than*"])
    assert job.run(*GO).ret == 6, "the id is not forgotten"


def test_a_mark_of_an_older_version_counts_as_a_gate_run(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    same_id.write_verdict(path, (), {"run": {"finished": False, "id": "77"}})
    with pytest.raises(same_id.OfGateRunError):
        same_id.write_beside_others(path, (), scope(is_gate=False))
    same_id.write_beside_others(path, (), scope())
    (other,) = json.loads(path.read_text())["run"]["others"]
    assert other == {"is_gate": True, "outcome": None}
