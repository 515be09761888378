"""The `supercache` command: exit codes that `git bisect run` understands, and help."""

import sys

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race


def supercache(project: Project, *args: str) -> pytest.RunResult:
    return project.pytester.run(sys.executable, "-m", "pytest_supercache.cli", *args)


@pytest.fixture
def token(project: Project) -> str:
    """A token of a conflict in story.supercache.yaml."""
    project.scenario(race())
    project.run()
    return project.token()


def test_a_token_that_still_fails_exits_1(project: Project, token: str) -> None:
    result = supercache(project, "replay", token, "story.supercache.yaml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["S-1: VIOLATED coherent_when_settled"])


def test_a_documented_conflict_that_still_occurs_exits_1(project: Project) -> None:
    project.scenario(race().replace("system: shop", "systems: {shop: violated}"))
    project.run()
    result = supercache(project, "replay", project.token(), "story.supercache.yaml")
    assert result.ret == 1


def test_a_token_that_no_longer_fails_exits_125(project: Project, token: str) -> None:
    project.conftest((project.path / "conftest.py").read_text().replace('sc.system("shop")', "str"))
    project.add_to_conftest(
        "class Slow(Uncached):\n"
        "    def get(self, key):\n"
        "        self.redis.get(key)\n"
        "        value = self.db.get(key)\n"
        "        self.redis.get(key)\n"
        "        return value\n"
        'sc.system("shop")(lambda layers: Slow(layers.existing_cache.client(), layers.origin))\n'
    )
    result = supercache(project, "replay", token, "story.supercache.yaml")
    assert result.ret == 125


def test_a_token_that_no_longer_fits_the_code_exits_125(project: Project, token: str) -> None:
    for other in ("sc1:S-1:alice*20,bob*2", f"{token},alice*20", "sc1:S-1:carol"):
        assert supercache(project, "replay", other, "story.supercache.yaml").ret == 125


@pytest.mark.parametrize("broken", ["nonsense", "sc2:S-1:alice"])
def test_a_broken_token_exits_129(project: Project, token: str, broken: str) -> None:
    result = supercache(project, "replay", broken, "story.supercache.yaml")
    assert result.ret == 129
    assert "supercache replay: " in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_file_that_does_not_exist_exits_129(project: Project, token: str) -> None:
    result = supercache(project, "replay", token, "nowhere.supercache.yaml")
    assert result.ret == 129
    result.stderr.fnmatch_lines(["*there is no nowhere.supercache.yaml"])


def test_a_token_of_another_scenario_exits_129(project: Project, token: str) -> None:
    result = supercache(project, "replay", token.replace("S-1", "S-9"), "story.supercache.yaml")
    assert result.ret == 129


def test_a_scenario_file_that_cannot_be_read_exits_129(project: Project, token: str) -> None:
    project.scenario(race().replace("read:", "raed:"))
    assert supercache(project, "replay", token, "story.supercache.yaml").ret == 129


def test_a_conftest_that_cannot_be_imported_exits_129(project: Project, token: str) -> None:
    project.conftest("import nowhere")
    assert supercache(project, "replay", token, "story.supercache.yaml").ret == 129


def test_a_call_without_arguments_exits_129(project: Project) -> None:
    assert supercache(project, "replay").ret == 129


def test_arguments_after_the_dashes_reach_pytest(project: Project, token: str) -> None:
    result = supercache(
        project, "replay", token, "story.supercache.yaml", "--", "--no-header", "-q"
    )
    assert result.ret == 1
    assert "test session starts" not in result.stdout.str()


def test_a_replay_leaves_the_reports_of_the_project_alone(project: Project, token: str) -> None:
    before = project.verdict()
    supercache(project, "replay", token, "story.supercache.yaml")
    assert project.verdict() == before


def test_help_names_the_exit_codes(project: Project) -> None:
    result = supercache(project, "replay", "--help")
    assert result.ret == 0
    for code in ("1", "125", "129"):
        assert code in result.stdout.str()
