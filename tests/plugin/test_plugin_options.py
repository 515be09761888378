"""Options: command line over file or decorator over ini over [tool.supercache] over default."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import STALE_TEST, race
from tests.selection import few

LEVELS = ("nothing", "tool", "ini", "file", "command line")


def configure(project: Project, option: str, values: dict[str, object], level: str) -> list[str]:
    """Set an option at a level and at every lower one; return the arguments of the run."""
    up_to = LEVELS.index(level)
    tool = f"[tool.supercache]\n{option} = {values['tool']!r}\n" if up_to >= 1 else ""
    (project.path / "pyproject.toml").write_text(tool)
    ini = f"supercache_{option} = {values['ini']}\n" if up_to >= 2 else ""
    project.pytester.makeini(f"[pytest]\n{ini}")
    more = f"explore: {{{option}: {values['file']}}}\n" if up_to >= 3 else ""
    project.scenario(race("O-1", "reference.fixed", more))
    flag = f"--supercache-{option}={values['command line']}"
    return [flag] if up_to >= 4 else []


@pytest.mark.parametrize("level", LEVELS[1:])
def test_executions_follow_the_precedence(project: Project, level: str) -> None:
    values: dict[str, object] = {"tool": 3, "ini": 4, "file": 5, "command line": 6}
    project.run(*configure(project, "executions", values, level)).assert_outcomes(failed=1)
    assert project.row()["executions"] == values[level]


@pytest.mark.parametrize("level", few(["ini", "command line", "tool", "file"], 2))
def test_the_search_follows_the_precedence(project: Project, level: str) -> None:
    values: dict[str, object] = {
        "tool": "pct", "ini": "uniform", "file": "random", "command line": "all-schedules"
    }  # fmt: skip
    arguments = configure(project, "search", values, level)
    project.run(*arguments, "--supercache-executions=5")
    assert project.row()["scope"]["search"] == values[level]


@pytest.mark.parametrize("level", few(["ini", "command line", "tool", "file"], 2))
def test_ticks_follow_the_precedence(project: Project, level: str) -> None:
    values: dict[str, object] = {"tool": 1, "ini": 2, "file": 0, "command line": 1}
    arguments = configure(project, "ticks", values, level)
    project.run(*arguments, "--supercache-executions=5")
    assert project.row()["scope"]["early ticks"] == values[level]


@pytest.mark.parametrize("level", few(["file", "command line", "tool", "ini"], 2))
def test_preemptions_follow_the_precedence(project: Project, level: str) -> None:
    values: dict[str, object] = {"tool": 0, "ini": 1, "file": 0, "command line": 1}
    arguments = configure(project, "preemptions", values, level)
    project.scenario(
        race("O-2", "shop", f"explore: {{preemptions: {values['file']}}}\n")
        if LEVELS.index(level) >= 3
        else race("O-2", "shop")
    )
    project.run(*arguments)
    assert project.row()["verdict"] == ("violated" if values[level] else "unknown")


@pytest.mark.parametrize("level", few(["ini", "command line", "tool"], 2))
def test_the_seed_follows_the_precedence(project: Project, level: str) -> None:
    values: dict[str, object] = {"tool": 5, "ini": 6, "file": 7, "command line": 8}
    arguments = configure(project, "seed", values, level)
    project.scenario(race("O-1", "uncached"))
    project.run(*arguments)
    assert project.verdict()["seed"] == values[level]


def test_the_defaults_are_those_of_the_contract(project: Project) -> None:
    project.scenario(race())
    project.run()
    scope = project.row()["scope"]
    assert (scope["early ticks"], scope["memory"], scope["grain"]) == (0, "auto", "command")
    assert scope["backend"].startswith("fakeredis")
    assert project.verdict()["seed"] == 0


def test_the_command_line_outranks_a_decorator(project: Project) -> None:
    project.test_file(
        STALE_TEST
        + """
@sc.explore(executions=7, search="all-schedules")
def test_it(world):
    db = world.origin
    for name in "abc":
        world.actor(name, lambda: [db.get("k") for _ in range(3)])
    world.run()
"""
    )
    project.run().assert_outcomes(failed=1)
    assert project.row()["executions"] == 7
    project.run("--supercache-executions=9").assert_outcomes(failed=1)
    assert project.row()["executions"] == 9


def test_a_time_budget_that_runs_out_is_unknown(project: Project) -> None:
    project.scenario(race("O-3", "reference.fixed"))
    project.run("--supercache-time=0.000001").assert_outcomes(failed=1)
    assert "the budget of 1e-06 s ran out" in project.reasons()


def test_ini_options_of_pyproject_count_too(project: Project) -> None:
    (project.path / "tox.ini").unlink()
    (project.path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nsupercache_executions = "4"\n'
        "[tool.supercache]\nexecutions = 3\n"
    )
    project.scenario(race("O-4", "reference.fixed"))
    project.run().assert_outcomes(failed=1)
    assert project.row()["executions"] == 4


def test_ini_options_of_pytest_ini_count_too(project: Project) -> None:
    (project.path / "tox.ini").unlink()
    (project.path / "pytest.ini").write_text("[pytest]\nsupercache_executions = 4\n")
    project.scenario(race("O-5", "reference.fixed"))
    project.run("--strict-config", "-W", "error").assert_outcomes(failed=1)
    assert project.row()["executions"] == 4


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--supercache-executions=many", "--supercache-executions='many': expected a whole number"),
        ("--supercache-executions=0", "executions=0: expected a whole number from 1"),
        ("--supercache-time=soon", "--supercache-time='soon': expected a number"),
        ("--supercache-time=nan", "--supercache-time='nan': expected a number, 0 or more"),
        ("--supercache-seed=x", "--supercache-seed='x': expected a whole number"),
        ("--supercache-workers=x", "--supercache-workers='x': expected a whole number"),
        ("--supercache-preemptions=-1", "--supercache-preemptions='-1': expected a whole"),
        ("--supercache-ticks=often", "--supercache-ticks='often': expected"),
        ("--supercache-ticks=4", "ticks=4: expected 'auto', 0, 1, 2 or 3"),
        ("--supercache-time=0", "time=0.0: expected seconds, more than 0"),
        ("--supercache-step-timeout=x", "--supercache-step-timeout='x': expected a number"),
        ("--supercache-backend=memcached", "--supercache-backend='memcached' is not known"),
        ("--supercache-backend=redis://127.0.0.1:1/0", "no answer"),
    ],
)
def test_a_wrong_value_is_told_without_a_traceback(
    project: Project, argument: str, message: str
) -> None:
    project.scenario(race())
    result = project.run(argument)
    assert result.ret in {1, 4}
    said = result.stdout.str() + result.stderr.str()
    assert message in said
    assert "Traceback" not in said
    assert "options.py" not in said


def test_a_wrong_value_of_the_ini_file_is_told_too(project: Project) -> None:
    project.pytester.makeini("[pytest]\nsupercache_time = soon\n")
    project.scenario(race())
    for arguments in ([], ["--supercache-gate"]):
        result = project.run(*arguments)
        assert result.ret == 4
        assert "'soon': expected a number" in result.stderr.str()
        assert "Traceback" not in result.stderr.str()


def test_unknown_names_in_tool_supercache_are_told_with_the_known_ones(project: Project) -> None:
    (project.path / "pyproject.toml").write_text("[tool.supercache]\nexecutons = 3\n")
    project.scenario(race())
    result = project.run()
    assert result.ret == 4
    assert "unknown names: executons" in result.stderr.str()
    assert "executions" in result.stderr.str()


@pytest.mark.parametrize("broken", ["[tool.supercache\n", "[tool]\nsupercache = 3\n"])
def test_a_pyproject_that_cannot_be_read_is_told(project: Project, broken: str) -> None:
    (project.path / "pyproject.toml").write_text(broken)
    project.scenario(race())
    result = project.run()
    assert result.ret == 4
    assert "pyproject.toml" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


WATCHED = """
class Mine:
    def __init__(self):
        self.content = {}
    def look(self, key):
        return self.content.get(key)
    def keep(self, key, value):
        self.content[key] = value

class Kept(Uncached):
    def __init__(self, layers):
        super().__init__(layers.existing_cache.client(), layers.origin)
        self.mine = Mine()
    def get(self, key):
        found = self.mine.look(key)
        if found is None:
            found = super().get(key)
            self.mine.keep(key, found)
        return found
    def set(self, key, value):
        self.mine.keep(key, None)
        super().set(key, value)

sc.system("kept")(lambda layers: Kept(layers))
"""


def test_watched_calls_can_be_declared_in_pyproject(project: Project) -> None:
    project.add_to_conftest(WATCHED)
    (project.path / "pyproject.toml").write_text(
        "[tool.supercache]\nwatch = [\n"
        '  {target = "conftest:Mine.look", layer = "super_cache", reads = "key"},\n'
        '  {target = "conftest:Mine.keep", layer = "super_cache", writes = "key"},\n]\n'
    )
    project.scenario(race("O-6", "kept"))
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert row["verdict"] == "violated"
    labels = [step["label"] for step in row["counterexample"]["steps"]]
    assert any("keep" in label for label in labels)


@pytest.mark.parametrize("entry", ["3", '{layer = "x"}', '{target = "a:b", wirtes = "k"}'])
def test_a_wrong_watch_is_told(project: Project, entry: str) -> None:
    (project.path / "pyproject.toml").write_text(f"[tool.supercache]\nwatch = [{entry}]\n")
    result = project.run()
    assert result.ret == 4
    assert "[tool.supercache] watch" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_help_lists_every_option(project: Project) -> None:
    result = project.run("--help")
    for name in ("search", "time", "executions", "preemptions", "ticks", "seed", "backend",
                 "report", "replay", "step-timeout"):  # fmt: skip
        result.stdout.fnmatch_lines([f"*--supercache-{name}=*"])


def test_the_header_names_a_backend_that_is_not_the_default(project: Project) -> None:
    project.scenario(race("O-7", "uncached"))
    project.run("--supercache-backend=fakeredis").stdout.fnmatch_lines(["supercache: fakeredis"])
    assert "supercache:" not in project.run().stdout.str()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('{target = "conftest:Shop.get", raeds = "key"}', "*expected a table with clock, expires*"),
        ('{target = "conftest:Shop.get", reads = "key", clock = true}', "*leave reads, writes*"),
    ],
)
def test_a_wrong_watch_in_tool_supercache_is_told(
    project: Project, entry: str, message: str
) -> None:
    (project.path / "pyproject.toml").write_text(f"[tool.supercache]\nwatch = [{entry}]\n")
    project.scenario(race("O-9"))
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])
