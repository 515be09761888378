"""The gate in a run: its exit status, its screen, and what stays behind when a run dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.gate.blame import committers
from pytest_supercache.gate.known import read_known_issues
from pytest_supercache.gate.lock import GateLock, write_lock
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_reports import SCHEMA, mismatches
from tests.selection import few

TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)  # it may be today before the suite has ended


def waive(project: Project, fingerprint: str, expires: date, **more: Any) -> None:
    """Write a waiver for a conflict."""
    fields: dict[str, Any] = {
        "id": '"KI-1"',
        "systems": '["shop"]',
        "match": f'"{fingerprint}"',
        "workaround": '"set cache.l1=off"',
        "workaround_checked_by": '"G-W"',
        "owner": '"karim"',
        "approved_by": '"betty"',
        "opened": expires - timedelta(days=9),
        "expires": expires,
        "permanent_fix": '"CACHE-401"',
        **more,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items())
    (project.path / "known-issues.toml").write_text(f"[[known]]\n{lines}")


_fingerprints: list[str] = []


def of_the_race(project: Project) -> str:
    """Return the fingerprint of `race` on `shop`, which one run finds: no id is a part of it."""
    if not _fingerprints:
        project.run()
        (conflict,) = [row["counterexample"] for row in project.verdict()["scenarios"]
                       if row["counterexample"]]  # fmt: skip
        _fingerprints.append(conflict["fingerprint"])
    return _fingerprints[0]


def configure(project: Project, text: str) -> None:
    (project.path / "pyproject.toml").write_text(f"[tool.supercache]\n{text}\n")


def gate(project: Project) -> dict[str, Any]:
    """Return what the last run wrote about the gate, checked against the schema."""
    document = project.verdict()
    assert mismatches(document, SCHEMA) == []
    part: dict[str, Any] = document["gate"]
    return part


def test_from_a_conflict_over_a_waiver_that_expires_to_its_fix(project: Project) -> None:
    """The story: found, waived with a workaround that is checked, too late, fixed."""
    configure(project, 'release = ["shop"]')
    project.scenario(race("G-1"))
    off = race("G-W", "uncached", "assume: {pause: 500ms}\n")
    project.scenario(off, "workaround")

    found = project.run("--supercache-gate")
    assert found.ret == 1
    found.stdout.fnmatch_lines(["*= gate =*", "NO-GO", "  because G-1: coherent_when_settled*"])
    assert gate(project)["verdict"] == "NO-GO"

    fingerprint = project.rows()["G-1"]["counterexample"]["fingerprint"]
    waive(project, fingerprint, TODAY + timedelta(days=5))
    waived = project.run("--supercache-gate")
    assert waived.ret == 0
    waived.stdout.fnmatch_lines(
        [
            f"GO WITH KNOWN WORKAROUND until {TODAY + timedelta(days=5)} (? days), while no "
            "operation pauses 500 ms or more",
            "  because KI-1 covers G-1 until *; its workaround HOLDS in G-W",
            "  workaround: set cache.l1=off",
            "*owner karim, approved by betty; then: CACHE-401",
            "  note: KI-1 expires in ? days*",
            "  scope: 2 scenario runs (1 HOLDS, 1 VIOLATED, 0 UNKNOWN); for the release *: shop",
        ]
    )
    assert gate(project)["until"] == str(TODAY + timedelta(days=5))
    assert gate(project)["assumptions"] == ["no operation pauses 500 ms or more"]
    message = (project.path / "reports" / "message.md").read_text()
    assert message.startswith("DRAFT, not sent. The release may ship, but only with a workaround.")
    assert "(KI-1), until" in (project.path / "reports" / "postmortem.md").read_text()

    flows = [project.rows()["G-1"]["flow"]["digest"]]
    waive(project, fingerprint, TODAY - timedelta(days=1), flows=flows)
    assert project.run("--supercache-gate").ret == 1
    assert "KI-1 expired on" in gate(project)["reasons"][0]

    project.conftest((project.path / "conftest.py").read_text().replace(
        "return Shop(", "return Uncached("))  # fmt: skip
    unproved = project.run("--supercache-gate")
    assert unproved.ret == 0
    unproved.stdout.fnmatch_lines(["GO", "  note: KI-1 was not seen; that is no proof: *"])
    (project.path / "gate.lock").write_text(
        write_lock(GateLock(scenarios={"G-1": True, "G-W": False}, paths=(".",)))
    )
    fixed = project.run("--supercache-gate")
    assert fixed.ret == 0
    fixed.stdout.fnmatch_lines(["GO", "  note: KI-1 no longer occurs *: fixed, close it *"])
    for part in (["story.supercache.yaml"], ["--supercache-faults=0"], ["--supercache-ticks=0"]):
        project.run("--supercache-gate", *part)
        assert gate(project)["notes"][0].startswith("KI-1 was not seen; that is no proof")


def test_a_waiver_whose_workaround_is_left_out_of_the_run_has_no_force(project: Project) -> None:
    project.scenario(race("G-2"))
    project.scenario(race("G-W", "uncached"), "workaround")
    waive(project, of_the_race(project), TOMORROW)
    assert project.run("--supercache-gate").ret == 0
    assert project.run("--supercache-gate", "-k", "G-2").ret == 1
    assert "(G-W) was not run" in gate(project)["reasons"][0]


@pytest.mark.parametrize(
    ("args", "status", "reason"),
    [
        (["-k", "nothing"], 5, "pytest ran no test"),
        (["--supercache-executions=1"], 6, "G-3 is UNKNOWN"),
        (["--collect-only"], 6, "no scenario was run"),
        (["--supercache-gate"], 0, "1 scenario of the release HOLD"),
    ],
)
def test_a_run_without_evidence_is_no_verdict(
    project: Project, args: list[str], status: int, reason: str
) -> None:
    project.scenario(race("G-3", "uncached"))
    assert project.run("--supercache-gate", *args).ret == status
    assert reason in "\n".join(gate(project)["reasons"])


TESTS = {
    "broken file": ("", "not: [a scenario", 6, "could not be run"),
    "failing test": ("def test_it(): assert False", "", 1, "::test_it failed"),
    "passing test": ("def test_it(): pass", "", 0, "HOLD"),
    "collection error": ("1 / 0", "", 2, "collecting it failed"),
    "Ctrl-C": ("def test_it(): raise KeyboardInterrupt", "", 2, "interrupted"),
    "exit 0 in the middle": (
        "import pytest\ndef test_it(): pytest.exit('enough', 0)\ndef test_more(): pass",
        "", 6, "3 items were run"),
}  # fmt: skip


@pytest.mark.parametrize("name", TESTS)
def test_what_else_happens_in_a_run_counts(project: Project, name: str) -> None:
    test, scenario, status, reason = TESTS[name]
    project.scenario(race("G-4", "uncached"), "a_story")
    if scenario:
        project.scenario(scenario, "broken")
    if test:
        project.test_file(test, "test_z")
    try:
        result = project.run("--supercache-gate")
    except KeyboardInterrupt:  # pytester passes it on
        status_seen = None
    else:
        status_seen = result.ret
    assert status_seen in {status, None}
    assert gate(project)["exit_status"] == status
    assert reason in "\n".join(gate(project)["reasons"])


def test_the_crash_of_a_worker_is_no_verdict_and_what_the_others_found_counts(
    project: Project,
) -> None:
    project.scenario(race("G-5", "uncached"))
    project.test_file("import os\ndef test_dies(): os._exit(1)")
    result = project.run_apart("--supercache-gate", "-n", "2")
    assert result.ret == 6
    assert "test_dies was running when its worker crashed" in gate(project)["reasons"][0]
    assert [row["id"] for row in project.verdict()["scenarios"]] == ["G-5"]


@pytest.mark.parametrize(
    "end", few([f"os.kill(os.getpid(), {signal.SIGKILL:d})", "os._exit(0)"], 1)
)
def test_a_run_that_is_killed_leaves_no_old_go_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    project.scenario(race("G-6", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    project.test_file(f"import os\ndef test_dies(): {end}", "test_a")
    ended = project.run_apart("--supercache-gate")
    assert "gate" not in ended.stdout.str()
    document = project.verdict()
    assert (document["run"]["finished"], document["scenarios"]) == (False, [])
    monkeypatch.chdir(project.path)
    decided = CliRunner().invoke(main, ["verdict"])  # as the recipes for CI do
    assert decided.exit_code == 6
    assert "the run did not finish" in decided.output


def test_a_verdict_that_cannot_be_written_is_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: the file of the last run is there, and not a part of the new one."""
    project.scenario(race("G-7", "uncached"))
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "verdict.json":  # pytest replaces files of its own
            document = json.loads((project.path / source).read_text())
            if document["run"].get("exit_status") is not None:
                raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    result = project.run("--supercache-gate")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["NO VERDICT", "*could not be written*No space left*"])
    assert project.verdict()["run"]["finished"] is False
    assert [path.name for path in (project.path / "reports").iterdir()] == ["verdict.json"]


def test_a_report_that_cannot_be_written_takes_nothing_from_a_verdict_that_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.scenario(race("G-7", "uncached"))
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "message.md":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    result = project.run("--supercache-gate")
    assert result.ret == gate(project)["exit_status"] == 0
    result.stdout.fnmatch_lines(["GO", "*beside verdict.json are not whole*No space left*"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--supercache-today=2026-01-01"], "*--supercache-today with the gate*"),
        (["--supercache-replay=sc1:G-8:alice"], "*--supercache-replay with the gate*"),
        (["--supercache-known-issues=none.toml"], "*there is no none.toml*"),
    ],
)
def test_what_would_weaken_the_gate_is_refused(
    project: Project, args: list[str], said: str
) -> None:
    project.scenario(race("G-8", "uncached"))
    result = project.run("--supercache-gate", *args)
    assert result.ret == 4
    result.stderr.fnmatch_lines([said])
    assert project.verdict()["run"]["finished"] is False


def test_another_day_can_be_looked_at_without_the_gate(project: Project) -> None:
    project.scenario(race("G-9"))
    project.scenario(race("G-W", "uncached"), "workaround")
    waive(project, of_the_race(project), TODAY)
    result = project.run(f"--supercache-today={TOMORROW}")
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*gate on {TOMORROW} (not today*", "NO-GO", "*KI-1 expired on*"])
    assert project.run(f"--supercache-today={TODAY}").ret == 1  # the item failed all the same
    assert gate(project)["verdict"] == "GO WITH KNOWN WORKAROUND"


HOOKS = {
    "the run is left before it begins": (
        "import pytest\ndef pytest_sessionstart(session): pytest.exit('enough', 0)",
        6, False, ""),
    "the run is left before the plugin is there": (
        "import pytest\ndef pytest_configure(config): pytest.exit('enough', 0)", 6, False, ""),
    "an item passes that was not run": (
        "def pytest_pyfunc_call(pyfuncitem): return True", 6, ..., "G-14 was skipped"),
    "an item fails though its verdict is as stated": (
        """
import pytest
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        report.outcome, report.longrepr = "failed", "no"
    return report
""", 6, ..., "G-14 could not be run whole"),
    "an item is made to pass": (
        """
import pytest
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report
""", 0, ..., "1 scenario of the release HOLDS"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOOKS)
def test_no_other_plugin_makes_a_go(project: Project, name: str) -> None:
    hook, status, run, reason = HOOKS[name]
    project.scenario(race("G-14", "uncached"))
    project.add_to_conftest(hook)
    assert project.run("--supercache-gate").ret == status
    if run is ...:
        assert reason in "\n".join(gate(project)["reasons"])
    else:
        assert project.verdict()["run"]["finished"] is run


def test_a_violation_that_another_plugin_lets_pass_is_one(project: Project) -> None:
    project.scenario(race("G-14"))
    project.add_to_conftest(HOOKS["an item is made to pass"][0])
    assert project.run("--supercache-gate").ret == 1
    assert "nobody has waived it" in gate(project)["reasons"][0]


def test_a_frozen_clock_brings_no_waiver_back_to_life(project: Project) -> None:
    project.scenario(race("G-15"))
    project.scenario(race("G-W", "uncached"), "workaround")
    yesterday = TODAY - timedelta(days=1)
    waive(project, of_the_race(project), yesterday)
    project.add_to_conftest(f"""
from freezegun import freeze_time
FROZEN = freeze_time("{yesterday}")
FROZEN.start()
def pytest_collection(): FROZEN.stop()
""")
    assert project.run("--supercache-gate").ret == 1
    assert gate(project)["today"] == str(datetime.now(UTC).date())
    assert f"KI-1 expired on {yesterday}" in gate(project)["reasons"][0]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])  # 25 hours apart
def test_the_day_is_that_of_utc_wherever_the_clock_is(
    project: Project, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert project.run("--supercache-gate").ret == 5
    finally:
        monkeypatch.undo()
        time.tzset()
    assert gate(project)["today"] == project.verdict()["when"][:10]
    assert project.verdict()["when"].endswith("+00:00")


@pytest.mark.parametrize("place", few([[], ["--alluredir=given"]], 1), ids=["ours", "given"])
def test_a_gate_run_takes_away_what_tells_of_the_last_one(
    project: Project, place: list[str]
) -> None:
    """Also what Allure shows; but lines that others have put among its circumstances stay."""
    run = project.run_apart if place else project.run
    folder = project.path / ("given" if place else "reports/allure-results")
    folder.mkdir(parents=True)
    circumstances = folder / "environment.properties"
    circumstances.write_text("stand=caf\\u00e9\n")
    project.scenario(race("G-16", "uncached"))
    assert run("--supercache-gate", *place).ret == 0
    (project.path / "reports" / "allure-report.html").write_text("GO")
    assert "supercache.verdict=GO\n" in circumstances.read_text()
    project.add_to_conftest(HOOKS["the run is left before it begins"][0])
    assert run("--supercache-gate", *place).ret == 6
    left = {path.name for path in (project.path / "reports").iterdir() if path.is_file()}
    assert left == {"verdict.json"}
    assert "stand=caf\\u00e9" in circumstances.read_text()
    assert "supercache." not in circumstances.read_text()


def test_an_old_go_goes_even_when_nothing_can_be_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.scenario(race("G-17", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "verdict.json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    result = project.run("--supercache-gate")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*gate: *No space left on device*"])
    assert not (project.path / "reports" / "verdict.json").exists()


def test_a_folder_that_cannot_be_written_to_is_told(project: Project) -> None:
    (project.path / "reports").write_text("a file where the folder should be")
    project.scenario(race("G-18", "uncached"))
    result = project.run("--supercache-gate")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*gate: *reports*"])


@pytest.mark.parametrize("name", ["gate.lock", "known-issues.toml", "pyproject.toml"])
def test_settings_that_would_not_be_read_are_told(project: Project, name: str) -> None:
    inner = project.path / "inner"
    inner.mkdir()
    (inner / "pytest.ini").write_text("[pytest]\n")
    (project.path / "tox.ini").unlink()
    (project.path / name).write_text("[tool.supercache]\n")
    result = project.run("--supercache-gate", "inner")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{name} would not be read: pytest's root is */inner;*"])


def test_a_root_whose_pyproject_says_nothing_of_the_gate_hides_no_settings(
    project: Project,
) -> None:
    inner = project.path / "inner"
    inner.mkdir()
    (project.path / "tox.ini").unlink()
    configure(project, 'release = ["shop"]')
    theirs = '[tool.pytest.ini_options]\naddopts = ""\n'
    (inner / "pyproject.toml").write_text(theirs)
    result = project.run("--supercache-gate", "inner")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*pyproject.toml would not be read: pytest's root is */inner;*"])
    (inner / "pyproject.toml").write_text(f"{theirs}[tool.supercache]\n")  # settings of its own
    assert project.run("--supercache-gate", "inner").ret == 5


@pytest.mark.parametrize("listing", few(["--collect-only", "--help", "--fixtures", "--markers"], 2))
def test_what_only_lists_is_no_gate_run_by_ini(project: Project, listing: str) -> None:
    project.pytester.makeini("[pytest]\nsupercache_gate = true\n")
    project.scenario(race("G-19", "uncached"))
    assert project.run(listing).ret == 0
    assert not (project.path / "reports").exists()
    assert project.run("--supercache-gate", listing).ret == 6


def test_what_workers_left_out_is_told(project: Project) -> None:
    project.scenario(race("G-20", "uncached"), "one")
    project.scenario(race("G-21"), "two")
    partly = ("-n", "1", "-k", "G-20", "--supercache-faults=0")
    assert project.run_apart("--supercache-gate", *partly).ret == 0
    assert project.verdict()["run"]["deselected"] == 1
    beyond = "not covered: what scenario files say beyond --supercache-faults=0"
    assert beyond in gate(project)["scope"]
    assert "not covered: 1 item was deselected: G-21" in gate(project)["scope"]


def test_ordinary_tests_that_were_deselected_are_counted_and_scenarios_named(
    project: Project,
) -> None:
    project.scenario(race("G-20", "uncached"), "one")
    project.pytester.makepyfile(test_ordinary="def test_a(): ...\ndef test_b(): ...\n")
    assert project.run("--supercache-gate", "-k", "G-20").ret == 0
    assert "not covered: 2 items were deselected" in gate(project)["scope"]
    project.scenario(race("G-21"), "two")
    assert project.run("--supercache-gate", "-k", "G-20").ret == 0
    assert "not covered: 3 items were deselected, among them G-21" in gate(project)["scope"]


def test_two_runs_into_one_folder_never_mix(project: Project) -> None:
    project.scenario(race("G-10", "uncached"), "good")
    project.scenario(race("G-10-BAD"), "bad")
    words = ("-p", "no:cacheprovider", "--supercache-gate", "bad.supercache.yaml")
    with TemporaryFile("w") as out:
        command = (sys.executable, "-mpytest", *words)
        bad = project.parents.start(command, stdout=out, stderr=out)
        good = project.run("--supercache-gate", "good.supercache.yaml")  # meanwhile
        assert (good.ret, bad.wait()) == (0, 1)
    whole = {"G-10": "GO", "G-10-BAD": "NO-GO"}  # whoever came last
    (row,) = project.verdict()["scenarios"]
    assert gate(project)["verdict"] == whole[row["id"]]
    assert [path.name for path in (project.path / "reports").glob("*.part")] == []


def test_the_gate_can_be_on_by_ini_and_workers_do_not_decide(project: Project) -> None:
    project.pytester.makeini("[pytest]\nsupercache_gate = true\nsupercache_build = 3.14.1\n")
    project.scenario(race("G-11"))
    assert project.run_apart("-n", "1").ret == 1
    document = project.verdict()
    assert document["build"] == "3.14.1"
    assert gate(project)["verdict"] == "NO-GO"
    shutil.rmtree(project.path / "reports")
    project.pytester.makeini("[pytest]\n")
    project.run()
    assert project.verdict()["gate"] is None


def test_a_gate_run_with_everything_left_out_by_k_on_workers_is_no_verdict(
    project: Project,
) -> None:
    project.scenario(race("G-12", "uncached"))
    assert project.run_apart("--supercache-gate", "-n", "1", "-k", "nothing").ret == 5
    assert gate(project)["verdict"] == "NO VERDICT"


def test_the_report_says_who_committed_a_waiver(project: Project, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        name = ["-c", "user.name=Betty B.", "-c", "user.email=b@example.org"]
        done = subprocess.run(
            ["git", *name, *words], cwd=project.path, capture_output=True, text=True, check=True,
            timeout=60, env={**os.environ, "GIT_COMMITTER_DATE": "2026-03-02T12:00:00+0000"},
        )  # fmt: skip
        return done.stdout

    project.scenario(race("G-13"))
    project.scenario(race("G-W", "uncached"), "workaround")
    fingerprint = of_the_race(project)
    waive(project, fingerprint, TOMORROW)

    def waiver() -> dict[str, Any] | None:
        (one,) = gate(project)["waivers"]
        committed: dict[str, Any] | None = one["committed"]
        return committed

    assert project.run("--supercache-gate").ret == 0
    assert waiver() is None  # no repository
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "all")
    result = project.run("--supercache-gate")
    commit = git("rev-parse", "HEAD").strip()
    assert waiver() == {"commit": commit, "author": "Betty B.", "on": "2026-03-02"}
    assert project.verdict()["dirty"] is False  # our own reports are no change
    said = f"approved by betty, committed by Betty B. on 2026-03-02 ({commit[:10]}); then:"
    assert said in result.stdout.str()
    assert (
        said.split(", ")[1].split(";")[0]
        in (project.path / "reports" / "postmortem.md").read_text()
    )
    git("clone", "-q", "--depth=1", f"file://{project.path}", ".shallow")
    shallow = project.path / ".shallow" / "known-issues.toml"
    issues = read_known_issues(shallow.read_text())
    assert committers(shallow, issues, project.path) == {}  # git cannot know
    for path in (project.path / "reports" / "known-issues.toml", tmp_path / "known-issues.toml"):
        path.write_text(shallow.read_text())
        committed = committers(path, issues, project.path)  # ignored, or in no repository
        assert set(map(str, committed.values())) == {"not committed"}
    assert committers(path, issues, tmp_path) == {}  # there is no repository at all
    waive(project, fingerprint, TOMORROW, approved_by='"karim"')
    project.run("--supercache-gate")
    assert project.verdict()["dirty"] is True
    assert waiver() == {"commit": "", "author": "", "on": ""}
    assert "approved by karim, not committed; then:" in "\n".join(
        line for line in project.run("--supercache-gate").outlines
    )


EXPECTS = """
scenario: A reader and a writer
id: {id}
system: uncached
given: {{origin: {{k: 1}}}}
users:
  alice: [{{read: k}}, {{read: k, {first}}}, {{read: k, {second}}}]
  bob: [{{write: {{key: k, value: 120}}}}]
"""


def test_a_waiver_for_one_failed_expectation_lets_no_other_pass(project: Project) -> None:
    """What no class names is known by its flow and its step."""
    fails, passes = "expect: 7", "expect: any"
    wrongs = {"E-1": (fails, passes), "E-2": (fails, passes), "E-3": (passes, fails)}
    for name, (first, second) in wrongs.items():
        project.scenario(EXPECTS.format(id=name, first=first, second=second), name)
    project.scenario(race("G-W", "uncached"), "workaround")
    project.run()
    found = {name: project.rows()[name]["counterexample"]["fingerprint"] for name in wrongs}
    assert len(set(found.values())) == 3
    waive(project, found["E-1"], TOMORROW, systems='["uncached"]')
    project.scenario(EXPECTS.format(id="E-1", first=passes, second=fails), "E-1")
    assert project.run("--supercache-gate").ret == 1
    against = [reason[:3] for reason in gate(project)["reasons"]]
    assert against == ["E-1", "E-2", "E-3"]
    project.scenario(EXPECTS.format(id="E-1", first="expect: 8", second=passes), "E-1")
    project.run("--supercache-gate")
    against = [reason[:3] for reason in gate(project)["reasons"]]
    assert against == ["E-2", "E-3"]  # the same expectation with another value is still known


RAISES = """
import pytest_supercache as sc

@sc.explore
def {name}(world):
    world.actor("alice", world.origin.get, "k")
    world.actor("bob", world.origin.set, "k", 1)
    world.run()
    raise {error}
"""


def test_a_waiver_for_one_failing_test_lets_no_other_pass(project: Project) -> None:
    fingerprints = {}
    for name, error in (("test_a", "KeyError"), ("test_b", "KeyError"), ("test_a", "ValueError")):
        project.test_file(RAISES.format(name=name, error=error), "test_it")
        project.run()
        fingerprints[name, error] = project.row()["counterexample"]["fingerprint"]
    assert len(set(fingerprints.values())) == 3
