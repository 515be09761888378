"""Settings that are meant for the gate, and that nobody reads, are refused."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race

MISPLACED = {
    "a letter": ("pyproject.toml", "[tool.supercahce]\nrelease = ['shop']\n"),
    "the package": ("pyproject.toml", "[tool.pytest-supercache]\nrelease = ['shop']\n"),
    "beside ours": (
        "pyproject.toml",
        "[tool.supercache]\n[tool.super_cache]\nrelease = ['shop']\n",
    ),
    "no tool": ("pyproject.toml", "[supercache]\nrelease = ['shop']\n"),
    "tools": ("pyproject.toml", "[tools.supercache]\nrelease = ['shop']\n"),
    "setup.cfg": ("setup.cfg", "[tool:supercache]\nrelease = shop\n"),
    "pytest.toml": ("pytest.toml", "[pytest]\n[tool.supercache]\nrelease = ['shop']\n"),
    "pytest's": ("pyproject.toml", "[tool.pytest.ini_options]\nsupercache_release = 'shop'\n"),
    "pytest's, with a letter": ("tox.ini", "[pytest]\nsupercahce_faults = 1\n"),
}


@pytest.mark.parametrize("name", list(MISPLACED))
def test_what_is_meant_as_a_setting_of_ours_is_refused(project: Project, name: str) -> None:
    file, text = MISPLACED[name]
    (project.path / file).write_text(text)
    project.scenario(race("H-1", "uncached"))
    result = project.run("--supercache-gate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nobody reads*"])


def test_settings_of_others_and_ours_are_fine(project: Project) -> None:
    (project.path / "pyproject.toml").write_text(
        "[tool.supercache]\nrelease = ['uncached']\n[tool.superlative]\n[tool.cache]\n"
        "[tool.poetry.dependencies]\npytest-supercache = '*'\n"
        "[tool.pytest.ini_options]\nsupercache_time = '60'\nsuper_class = 'none'\n"
        "filterwarnings = ['ignore']\n"
    )
    project.scenario(race("H-1", "uncached"))
    assert project.run("--supercache-gate", "-o", "supercache_odds=0").ret == pytest.ExitCode.OK


def test_so_it_is_when_the_verdict_is_asked_for(project: Project) -> None:
    project.scenario(race("H-1", "uncached"))
    assert project.run("--supercache-gate").ret == pytest.ExitCode.OK
    (project.path / "pyproject.toml").write_text("[tool.supercahce]\nrelease = ['shop']\n")
    result = CliRunner().invoke(main, ["verdict"])
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "nobody reads" in result.output
