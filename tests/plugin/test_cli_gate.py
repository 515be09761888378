"""The gate's commands: verdict, its lock and its comparison, known issues, drafts."""

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import TODAY, configure, waive
from tests.selection import few
from tests.unit.gate.runs import document, row

Command = Callable[..., Result]


@pytest.fixture
def supercache(project: Project, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call the command inside the project, with runs of pytest that are forked."""
    monkeypatch.chdir(project.path)
    monkeypatch.setattr(import_module("pytest_supercache.cli.known"), "subprocess", project.parents)
    return lambda *args: CliRunner().invoke(main, args, catch_exceptions=False)


def test_verdict_decides_from_the_file_of_any_run(project: Project, supercache: Command) -> None:
    project.scenario(race("V-1"))
    project.scenario(race("G-W", "uncached"), "workaround")
    project.run()
    result = supercache("verdict")
    assert (result.exit_code, result.output.partition("\n")[0]) == (1, "NO-GO")
    waive(project, project.rows()["V-1"]["counterexample"]["fingerprint"], TODAY)
    result = supercache("verdict", "--details")
    assert result.exit_code == 0
    assert result.output.startswith(f"GO WITH KNOWN WORKAROUND until {TODAY} (last day)")
    assert "scenarios V-1; guarantees coherent_when_settled; keys product:42" in result.output
    assert supercache("message").output.startswith(
        "DRAFT, not sent. The release may ship, but only with"
    )
    assert "sc1:V-1:" in supercache("postmortem").output


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"version": 3}', '{"version": 2}',
                                  '{"version": 1, "scenarios": 7}'])  # fmt: skip
def test_a_verdict_that_cannot_be_read_is_no_verdict(
    project: Project, supercache: Command, text: str | None
) -> None:
    if text is not None:
        (project.path / "v.json").write_text(text)
    result = supercache("verdict", "v.json")
    assert (result.exit_code, result.output.partition("\n")[0]) == (6, "NO VERDICT")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counts", {"holds": 2, "violated": 0, "unknown": 0}),
        ("run", "fine"),
        ("scenarios", [7]),
        ("scenarios", [{"id": "V-1", "verdict": "holds", "exhausted": True, "scope": 7}]),
    ],
)
def test_a_verdict_that_was_edited_is_no_go(
    project: Project, supercache: Command, name: str, value: object
) -> None:
    project.scenario(race("V-1", "uncached"))
    project.run()
    assert supercache("verdict").exit_code == 0
    path = project.path / "reports" / "verdict.json"
    path.write_text(json.dumps({**project.verdict(), name: value}))
    assert supercache("verdict").exit_code == 6


REPORTS = ("summary", "github", "junit", "sarif", "gitlab", "page", "folder")


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("scenarios", [[{}], [7], {}])
def test_a_report_of_what_is_no_verdict_is_one_message(
    project: Project, supercache: Command, kind: str, scenarios: object
) -> None:
    path = project.path / "verdict.json"
    path.write_text(json.dumps({"version": 1, "scenarios": scenarios}))
    result = supercache("report", "verdict.json", "--to", kind)
    assert result.exit_code == 2
    assert result.output.startswith("verdict.json")
    assert result.output.count("\n") == 1


def test_a_comparison_with_nothing_is_a_wrong_call(project: Project, supercache: Command) -> None:
    project.scenario(race("V-1", "uncached"))
    project.run()
    result = supercache("verdict", "--against", "before.json")
    assert result.exit_code == 2
    assert "--against: before.json is not there" in result.output


def test_a_scenario_that_the_lock_has_is_missed(project: Project, supercache: Command) -> None:
    project.scenario(race("V-2", "uncached"), "one")
    project.scenario(race("V-3", "uncached"), "two")
    project.run()
    assert supercache("verdict", "--lock").output == "gate.lock: 2 scenarios; commit it\n"
    assert project.run("--supercache-gate").ret == 0
    (project.path / "two.supercache.yaml").unlink()
    assert project.run("--supercache-gate").ret == 6
    assert project.verdict()["gate"]["reasons"] == ["V-3 is in gate.lock and was not run"]


def test_a_run_of_a_part_cannot_be_locked(project: Project, supercache: Command) -> None:
    project.scenario(race("V-4", "uncached"), "one")
    project.scenario(race("V-5", "uncached"), "two")
    for run in (project.run, partial(project.run_apart, "-n", "1")):
        run("-k", "V-4")
        result = supercache("verdict", "--lock")
        assert result.exit_code == 2
        assert "items were deselected; run every scenario first" in result.output
        assert not (project.path / "gate.lock").exists()


def test_a_run_with_a_scenario_that_was_not_run_cannot_be_locked(
    project: Project, supercache: Command
) -> None:
    project.scenario(race("V-4", "uncached"), "one")
    project.scenario("not: [a scenario", "two")
    project.run()
    result = supercache("verdict", "--lock")
    assert result.exit_code == 2
    assert "two could not be run whole: the file" in result.output
    project.scenario(race("V-5"), "two")  # what was run and fails is there
    project.run()
    assert supercache("verdict", "--lock").output.startswith("gate.lock: 2 scenarios; commit it\n")


@pytest.mark.parametrize(
    ("system", "more", "status"),
    few([("uncached", "explore: {executions: 1}\n", 6), ("uncached", "", 0), ("shop", "", 1)], 2),
)
def test_a_lock_that_is_written_makes_no_go_of_a_run_that_is_none(
    project: Project, supercache: Command, system: str, more: str, status: int
) -> None:
    project.scenario(race("V-6", system, more))
    project.run()
    result = supercache("verdict", "--lock")
    assert result.exit_code == status == supercache("verdict").exit_code
    lines = result.output.splitlines()
    assert lines[0] == "gate.lock: 1 scenario; commit it"
    assert lines[1:2] == {0: [], 1: ["NO-GO"], 6: ["NO VERDICT"]}[status]


@pytest.mark.parametrize(
    ("part", "name", "system"),
    few(
        [
            ("gate", "verdict", "shop"),
            ("gate", "verdict", "uncached"),
            ("run", "own_verdict", "uncached"),
            ("run", "own_verdict", "shop"),
            ("gate", "exit_status", "shop"),
            ("gate", "exit_status", "uncached"),
        ],
        3,
    ),
)
def test_a_go_that_says_of_itself_that_it_is_none_contradicts_itself(
    project: Project, supercache: Command, part: str, name: str, system: str
) -> None:
    """The part of another run in it is refused unless that was a GO, too."""
    project.scenario(race("V-7", system))
    project.run("--supercache-gate")
    other = project.verdict()[part][name]
    if system == "shop":
        project.scenario(race("V-7", "uncached"))
        assert project.run("--supercache-gate").ret == 0
    made = project.verdict()
    made[part][name] = other
    (project.path / "reports" / "verdict.json").write_text(json.dumps(made))
    result = supercache("verdict")
    assert result.exit_code == (6 if system == "shop" else 0)
    assert (f"contradicts itself: {part}.{name} is {other}" in result.output) == (system == "shop")


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ({"broken": ["V-5"]}, "V-5 could not be run whole"),
        ({"skipped": ["V-5", "V-6"]}, "V-5 was skipped; V-6 was skipped"),
        ({"crashed": ["V-5"]}, "V-5 was running when its worker crashed"),
        ({"unexplained": 1}, "something failed that is neither a test nor a scenario"),
        ({"stopped": "-x"}, "the run stopped before its end: -x"),
        ({"replay": True}, "a replay is one schedule"),
        ({"finished": False}, "the run did not finish"),
        ({"exit_status": 2}, "the run was interrupted"),
    ],
)
def test_a_lock_is_refused_with_what_the_run_lacked(
    project: Project, supercache: Command, flaw: dict[str, object], said: str
) -> None:
    (project.path / "v.json").write_text(json.dumps(document(row("V-4"), **flaw)))
    result = supercache("verdict", "--lock", "v.json")
    assert result.exit_code == 2
    assert result.output.startswith("gate.lock: the run was not a whole one: ")
    assert said in result.output
    assert not (project.path / "gate.lock").exists()


def test_two_runs_are_compared_before_and_after_a_fix(
    project: Project, supercache: Command
) -> None:
    project.scenario(race("V-6"))
    project.run("--supercache-report=before")
    project.scenario(race("V-6", "uncached"))
    project.run()
    before = str(Path("before", "verdict.json"))
    result = supercache("verdict", "--against", before)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("gone: coherent_when_settled")
    result = supercache("verdict", before, "--against", before)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("unchanged: coherent_when_settled")


def test_a_draft_for_a_token_waives_its_conflict_once_it_is_filled_in(
    project: Project, supercache: Command
) -> None:
    project.scenario(race("V-7", more="owner: karim\nlinks: {issue: CACHE-412}\n"))
    project.scenario(race("G-W", "uncached"), "workaround")
    configure(project, "gate = true")  # does not stand in the way of replays
    project.run()
    added = supercache(
        "known", "add", project.rows()["V-7"]["counterexample"]["token"], "story.supercache.yaml"
    )
    assert added.exit_code == 0, added.output
    assert "fill in what says TODO" in added.output
    assert f'\nflows = ["{project.rows()["V-7"]["flow"]["digest"]}"]\n' in added.output
    assert supercache("known", "check").exit_code == 2
    assert supercache("verdict").exit_code == 4
    assert project.run().ret == 4, "as pytest ends"
    path = project.path / "known-issues.toml"
    text = path.read_text().replace("TODO(owner): the scenario run with the workaround on", "G-W")
    path.write_text(text.replace("TODO", "done"))
    checked = supercache("known", "check")
    assert (checked.exit_code, checked.output) == (0, "1 known issues, 0 problems\n")
    assert supercache("verdict").exit_code == 6, "the run was judged without the entry"
    assert project.run().ret == 0
    assert supercache("verdict").output.startswith("GO WITH KNOWN WORKAROUND")
    assert "CACHE-412" in supercache("verdict").output


def test_nothing_is_drafted_for_what_no_longer_fails(project: Project, supercache: Command) -> None:
    project.scenario(race("V-8"))
    project.run()
    token = project.token()
    project.scenario(race("V-8", "uncached"))
    result = supercache("known", "add", token, "story.supercache.yaml")
    assert result.exit_code == 2
    assert "nothing to waive" in result.output
    assert not (project.path / "known-issues.toml").exists()


def test_check_says_what_has_to_be_done(project: Project, supercache: Command) -> None:
    waive(project, "c0ffee000001", TODAY.replace(year=TODAY.year - 1))
    result = supercache("known", "check")
    assert result.exit_code == 1
    assert "line 1: KI-1 expired on" in result.output


def test_wrong_settings_are_one_message(project: Project, supercache: Command) -> None:
    configure(project, 'release = "shop"')
    result = supercache("verdict")
    assert result.exit_code == 4
    assert "expected names of systems" in result.output
    assert supercache("message").exit_code == 2


def test_no_text_of_a_verdict_reaches_the_terminal_raw(
    project: Project, supercache: Command
) -> None:
    """Whoever wrote the file: a line stays a line, and no escape is obeyed."""
    bad = "A\x1b[2J\n GO"
    rows = [row(f"{bad}[{name}]", "violated", title=bad, path=bad) for name in ("a", "b")]
    for one in rows:
        one["scope"] = {"assumption": bad}
    text = json.dumps({**document(*rows), "commit": bad, "build": bad})
    (project.path / "v.json").write_text(text)
    (project.path / "old.json").write_text(json.dumps(document(row(bad))))
    result = supercache("verdict", "v.json", "--details", "--against", "old.json")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\n GO" not in result.output
    assert "A\\x1b[2J\\n GO" in result.output
    for name in ("message", "postmortem"):
        told = supercache(name, "v.json").output
        assert "\x1b" not in told
        assert "\n GO" not in told


def test_a_verdict_that_nobody_can_read_keeps_its_exit_status(
    project: Project, supercache: Command
) -> None:
    """The shell has closed standard output (`>&-`), so Python has none."""
    project.scenario(race("V-1", "uncached"))
    assert project.run("--supercache-gate").ret == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", None)
        with pytest.raises(SystemExit) as ended:
            main(["verdict"], standalone_mode=False)
    assert ended.value.code == 0


@pytest.mark.parametrize("variable", ["bash_source", "zsh_complete", "no_such_shell"])
def test_a_variable_about_completion_leaves_the_verdict_alone(
    project: Project, supercache: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    project.scenario(race("V-1"))
    project.run()
    monkeypatch.setenv("_MAIN_COMPLETE", variable)
    result = supercache("verdict")
    assert (result.exit_code, result.output.partition("\n")[0]) == (1, "NO-GO")


def test_a_shell_completes_commands(supercache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MAIN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "supercache ver")
    monkeypatch.setenv("COMP_CWORD", "1")
    result = supercache()
    assert (result.exit_code, result.output) == (0, "plain,verdict\n")
