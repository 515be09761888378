"""The `supercache` command: exit codes that `git bisect run` understands, and help."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main, replaying
from pytest_supercache.gate.lock import GateLock, write_lock
from pytest_supercache.gate.policy import NO_EVIDENCE
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.scenes import begin
from tests.selection import few


def supercache(project: Project, *args: str) -> pytest.RunResult:
    """Run the command as users do; its own runs of pytest are processes, too, and slow."""
    return project.pytester.run(sys.executable, "-m", "pytest_supercache.cli", *args)


Replay = Callable[..., Result]


@pytest.fixture
def replay(project: Project, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """`supercache replay` whose runs of pytest happen in this process."""
    monkeypatch.setattr(replaying, "_pytest", lambda arguments: int(project.run(*arguments).ret))
    return lambda *args: CliRunner().invoke(main, ["replay", *args])


@pytest.fixture
def token(project: Project) -> str:
    """A token of a conflict in story.supercache.yaml."""
    begin(project, _found)
    return project.token()


def _found(project: Project) -> None:
    project.scenario(race())
    project.run()


STORY = "story.supercache.yaml"


def test_a_token_that_still_fails_exits_1_and_leaves_reports_alone(
    project: Project, replay: Replay, token: str
) -> None:
    before = project.verdict()
    assert replay(token, STORY).exit_code == 1
    assert project.verdict() == before


def test_a_documented_conflict_that_still_occurs_exits_1(project: Project, replay: Replay) -> None:
    project.scenario(race().replace("system: shop", "systems: {shop: violated}"))
    project.run()
    assert replay(project.token(), STORY).exit_code == 1


def test_what_the_schedule_no_longer_shows_is_searched(
    project: Project, replay: Replay, token: str
) -> None:
    """1: the search finds it; 125: it may not search, or not enough; 0: it is proved to be gone."""
    other = "sc1:S-1:alice*20,bob*2"
    assert replay(other, STORY).exit_code == 1
    assert replay("--no-search", other, STORY).exit_code == 125
    assert replay("--fingerprint", "another", token, STORY).exit_code == 125
    project.scenario(race(system="uncached"))
    result = replay(token, STORY)
    assert result.exit_code == 0
    assert "searching the flow" in result.output
    assert replay(token, STORY, "--", "--supercache-executions=1").exit_code == 125


@pytest.mark.parametrize("where", few(["pyproject.toml", "tox.ini"], 1))
def test_a_project_whose_gate_is_always_on_is_bisected_as_any_other(
    project: Project, replay: Replay, token: str, where: str
) -> None:
    """What one item comes to is asked, not whether a release may go: a lock names many more."""
    text = {"pyproject.toml": "[tool.supercache]\ngate = true\n",
            "tox.ini": "[pytest]\nsupercache_gate = true\n"}  # fmt: skip
    (project.path / where).write_text(text[where])
    (project.path / "gate.lock").write_text(
        write_lock(GateLock(scenarios={"S-1": True, "S-2": True}, paths=(".",)))
    )
    assert replay(token, STORY).exit_code == 1
    assert replay("--fingerprint", "another", token, STORY).exit_code == 125
    project.scenario(race(system="uncached"))
    assert replay(token, STORY).exit_code == 0
    assert replay(token, STORY, "--", "--supercache-executions=1").exit_code == 125
    assert project.run().ret == 6, "a run of the project itself is still decided"


@pytest.mark.long
def test_git_bisect_finds_the_commit_that_brought_the_conflict(project: Project) -> None:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words],
            cwd=project.path,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    project.scenario(race())
    (project.path / ".gitignore").write_text("reports/\n__pycache__/\n.hypothesis/\n")
    bad = (project.path / "conftest.py").read_text()
    good = bad.replace("        found = self.redis.get(key)", "        found = None")
    good = good.replace("            self.redis.set(key, json.dumps(value))", "            pass")
    assert good != bad
    git("init", "-q", "-b", "main")
    for number, content in enumerate([good, f"{good}# more", bad, f"{bad}# more"]):
        project.conftest(content)
        git("add", "-A")
        git("commit", "-qm", f"commit {number}")
    project.run()
    command = [sys.executable, "-m", "pytest_supercache.cli", "replay", project.token()]
    git("bisect", "start", "HEAD", "HEAD~3")
    said = git("bisect", "run", *command, "story.supercache.yaml")
    assert "is the first bad commit" in said
    assert "commit 2" in said.partition("is the first bad commit")[2]


def test_lint_list_and_schema_see_what_conftest_registers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of pytest each: it is the only one that knows the project."""
    monkeypatch.chdir(project.path)
    project.add_to_conftest(
        '@sc.verb("checkout")\ndef checkout(shop, user, item: str):\n    "Charge for an item."\n'
    )
    project.test_file("raise AssertionError('test modules are not imported')")
    project.scenario(race(more="tags: [pricing]\n"))
    project.scenario(race("S-2", more="tags: [pricing]\n"), "twin")
    project.scenario(race("S-2", more="tags: [pricng]\n"), "z")
    project.scenario(race("S-4").replace("read:", "chekout:"), "broken")
    linted = CliRunner().invoke(main, ["lint"])
    assert linted.exit_code == 1
    assert "Traceback" not in linted.output
    pytest.LineMatcher(linted.output.splitlines()).fnmatch_lines(
        [
            "broken.supercache.yaml:7:12: unknown verb 'chekout'",
            "*did you mean 'checkout'?",
            "z.supercache.yaml:3:5: the id 'S-2' is taken by twin.supercache.yaml",
            "4 scenario files, 2 mistakes, 0 warnings",
        ]
    )
    schema = CliRunner().invoke(main, ["schema"])
    step = json.loads(schema.output)["definitions"]["step"]["properties"]
    assert step["checkout"]["description"] == "Charge for an item. Takes item."
    (project.path / "z.supercache.yaml").write_text(race("S-3", more="tags: [pricng]\n"))
    (project.path / "broken.supercache.yaml").unlink()
    linted = CliRunner().invoke(main, ["lint", "--format", "github"])
    assert linted.exit_code == 0
    told = pytest.LineMatcher(linted.output.splitlines())
    told.fnmatch_lines(["::warning file=z.supercache.yaml,line=*did you mean*"])


def test_a_project_that_cannot_be_collected_says_why(project: Project) -> None:
    project.conftest("import nowhere")
    result = supercache(project, "lint")
    assert result.ret == 2
    result.stderr.fnmatch_lines(["*pytest cannot collect this project:", "*No module named*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["nonsense", "."], "supercache replay: "),
        (["sc2:S-1:alice", "."], "supercache replay: "),
        (["sc1:S-1:alice", "nowhere.yaml"], "there is no nowhere.yaml"),
    ],
)
def test_a_wrong_call_exits_129(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["replay", *arguments])
    assert result.exit_code == 129
    assert said in result.output


def test_what_stops_a_bisection_exits_129(project: Project, replay: Replay) -> None:
    """A token of another scenario, a file with a mistake, a conftest that cannot be imported."""
    token = "sc1:S-1:alice*3,bob*2"
    project.scenario(race("S-9"))
    assert replay(token, STORY).exit_code == 129
    project.scenario(race().replace("read:", "raed:"))
    assert replay(token, STORY).exit_code == 129
    project.conftest("import nowhere")
    assert replay(token, STORY).exit_code == 129


@pytest.mark.parametrize("name", few(["click", "iniconfig"], 1))
def test_a_package_of_the_project_does_not_stand_in_for_a_library(
    project: Project, name: str
) -> None:
    project.pytester.mkpydir(name)
    shown = supercache(project, "verdict")
    assert shown.ret == NO_EVIDENCE
    shown.stdout.fnmatch_lines(["NO VERDICT", "*verdict.json is not there*"])
