"""What pytest sets around an item, or sees of it afterwards, is no less with workers."""

import os

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_workers import NOTED, who

READING = """
import logging, os, warnings

class Unraised:
    def __del__(self):
        raise KeyError("nobody sees it")

class Reading(Uncached):
    def get(self, key):
        {said}
        return self.db.get(key)

@sc.system("reading")
def reading(layers):
    noted("reading")
    return Reading(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("warnings.warn('get is old', DeprecationWarning)", 1),
        ("assert 'B-1' not in os.environ['PYTEST_CURRENT_TEST']", 1),
        ("logging.error('%d', 'x')", 1),
        ("Unraised()", 6),
    ],
)
def test_what_fails_without_workers_fails_with_them(
    project: Project, said: str, status: int
) -> None:
    project.add_to_conftest(NOTED + READING.format(said=said))
    project.pytester.makeini(
        "[pytest]\nsupercache_odds = 0\nsupercache_step_timeout = 60\nfilterwarnings =\n"
        "    error::DeprecationWarning\n    error::pytest.PytestUnraisableExceptionWarning\n"
    )
    project.scenario(race("A-1", "uncached"), "a")
    project.scenario(race("B-1", "reading"), "b")
    keep = ("-p", "unraisableexception")
    # The suite's own log handler raises formatting errors, too: this case needs another process.
    run = project.run_apart if "logging" in said else project.run
    for workers in ("1", "2"):
        result = run("--supercache-gate", f"--supercache-workers={workers}", *keep)
        assert result.ret == status


@pytest.mark.parametrize("code", ["def setup_module(): os.environ['MODE'] = 'cached'", ""])
def test_what_a_package_sets_up_is_there(
    project: Project, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setenv("MODE", "safe")
    said = "assert os.environ['MODE'] == 'safe'"
    project.add_to_conftest(NOTED + READING.format(said=said))
    (project.path / "stories").mkdir()
    (project.path / "stories" / "__init__.py").write_text(code and f"import os\n{code}\n")
    for name in "ab":
        project.scenario(race(f"{name}-1", "reading"), f"stories/{name}")
    assert project.run("--supercache-gate", "--supercache-workers=2").ret == bool(code)
    assert (os.getpid() in who(project, "reading")) is bool(code)


def test_a_warning_that_is_no_error_leaves_the_search_to_workers(project: Project) -> None:
    said = "warnings.warn('get is old', DeprecationWarning)"
    project.add_to_conftest(NOTED + READING.format(said=said))
    project.scenario(race("A-1", "uncached"), "a")
    project.scenario(race("B-1", "reading"), "b")
    assert project.run("--supercache-gate", "--supercache-workers=2").ret == 0
    assert who(project, "reading").isdisjoint({os.getpid()})


FAULTY = """
import os, pytest
import pytest_supercache as sc

@pytest.fixture
def seen():
    {fixture}

@sc.explore(faults=sc.Faults(max=1, kinds=["error_before"]))
def test_reads(world, seen):
    redis = world.existing_cache.client()
    def read():
        try:
            redis.get("k")
        except Exception as error:
            seen.append(error)
            open(f"seen-{{os.getpid()}}", "w").close()
    world.actor("alice", read)
    world.actor("bob", read)
    world.run()
"""


@pytest.mark.parametrize(
    ("fixture", "status", "is_here"),
    [
        ("found = []\n    yield found\n    assert not found", 6, True),
        ("return []", 0, False),
    ],
)
def test_a_fixture_that_looks_back_sees_the_executions_with_faults(
    project: Project, fixture: str, status: int, is_here: bool
) -> None:
    project.test_file(FAULTY.format(fixture=fixture))
    assert project.run("--supercache-gate", "--supercache-workers=2").ret == status
    assert (os.getpid() in who(project, "seen")) is is_here
