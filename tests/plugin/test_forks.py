"""A run that is forked tells what one in a new interpreter tells."""

import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import few


def _told(result: pytest.RunResult) -> tuple[int, list[str], list[str]]:
    lines = [re.sub(r"=* (.*) in [\d.]+s.*", r"\1", line) for line in result.outlines]
    return int(result.ret), lines, result.errlines


@pytest.mark.parametrize("workers", [("-n1",), pytest.param((), marks=pytest.mark.long)])
def test_a_forked_run_tells_the_same_as_a_cold_one(
    project: Project, workers: tuple[str, ...]
) -> None:
    project.scenario(race())
    project.test_file("def test_it():\n    left = {'a': 1}\n    assert left == {'a': 2}\n")
    forked, cold = project.run_apart("-v", *workers), project.run_cold("-v", *workers)
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


ENDS_LATE = """
import atexit, threading
def test_it():
    def write(text):
        with open("told", "a") as file: file.write(text)
    atexit.register(write, "handler")
    threading.Timer(0.2, write, ["thread, "]).start()
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)])
def test_a_forked_run_ends_after_its_threads_and_exit_handlers(
    project: Project, workers: tuple[str, ...]
) -> None:
    project.test_file(ENDS_LATE)
    assert project.run_apart(*workers).ret == 0
    assert (project.path / "told").read_text() == "thread, handler"


WHO = """
import os, random
def test_it():
    with open("told", "a") as file:
        file.write(f"{os.getpid()} {os.getppid()} {os.environ['TOLD']} {random.random()}\\n")
def test_too(): test_it()
"""


def test_workers_of_a_forked_run_are_processes_of_their_own_and_its_children(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.test_file(WHO)
    project.add_to_conftest("""
import os
def pytest_sessionstart(session):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with open("runs", "a") as file: file.write(f"{os.getpid()}\\n")
""")
    monkeypatch.setenv("TOLD", "yes")
    for _ in range(2):
        assert project.run_apart("-n2").ret == 0
    told = [line.split() for line in (project.path / "told").read_text().splitlines()]
    processes, runs, variables, drawn = zip(*told, strict=True)
    assert len(set(processes)) == len(set(drawn)) == 4
    assert set(runs) == set((project.path / "runs").read_text().split())
    assert set(variables) == {"yes"}


@pytest.mark.parametrize("signal", few([9, 15], 1))
def test_a_worker_of_a_forked_run_that_is_killed_is_replaced(project: Project, signal: int) -> None:
    project.test_file(f"import os\ndef test_it():\n    os.kill(os.getpid(), {signal})")
    shown = project.run_apart("-n1")
    assert shown.ret == 1
    shown.stdout.fnmatch_lines(["*worker 'gw0' crashed while running 'test_it.py::test_it'"])
