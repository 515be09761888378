"""A run that is forked tells what one in a new interpreter tells."""

import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race


def _told(result: pytest.RunResult) -> tuple[int, list[str], list[str]]:
    lines = [re.sub(r"\d+\.\d+s", "", line) for line in result.outlines]
    return int(result.ret), lines, result.errlines


def test_a_forked_run_tells_the_same_as_a_cold_one(project: Project) -> None:
    project.scenario(race())
    project.test_file("def test_it():\n    left = {'a': 1}\n    assert left == {'a': 2}\n")
    forked, cold = project.run_apart("-v"), project.run_cold("-v")
    forked.assert_outcomes(failed=2)
    assert _told(forked) == _told(cold)


def test_a_forked_run_has_its_own_environment_folder_and_hash_seed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.test_file("import os\ndef test_it():\n    assert not os.environ['TOLD'], hash('a')")
    monkeypatch.setenv("TOLD", "yes")
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        wanted = subprocess.run(
            [sys.executable, "-c", "print(hash('a'))"], capture_output=True, text=True, check=True
        )
        project.run_apart().stdout.fnmatch_lines([f"*AssertionError: {wanted.stdout.strip()}"])


@pytest.mark.parametrize("signal", [9, 15])
def test_a_forked_run_that_is_killed_has_the_status_of_its_signal(
    project: Project, signal: int
) -> None:
    project.test_file(f"import os\ndef test_it():\n    os.kill(os.getpid(), {signal})")
    assert project.run_apart().ret == -signal
