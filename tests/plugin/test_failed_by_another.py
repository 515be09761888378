"""A test that a plugin fails for what it recorded, as pytest-check does, is not said to hold."""

from tests.plugin.conftest import Project
from tests.plugin.test_plugin_gate import gate

TESTS = """
import pytest_supercache as sc
import pytest_recorder

def played(world):
    world.actor("alice", world.origin.get, "k")
    world.actor("bob", world.origin.set, "k", 2)
    world.run()

@sc.explore(guarantees=[])
def test_recorded(world):
    played(world)
    pytest_recorder.FAILED.write_text("wrong")

@sc.explore(guarantees=[])
def test_right(world):
    played(world)
"""
CONFTEST = """
import pytest
import pytest_recorder

@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if pytest_recorder.FAILED.exists():
        call.excinfo = pytest.ExceptionInfo.from_exc_info((OSError, OSError("recorded"), None))
        report.outcome, report.longrepr = "failed", "what a plugin says"
        pytest_recorder.FAILED.unlink()
    return report
"""
RECORDER = """
import pathlib

FAILED = pathlib.Path("failed.log")
"""
WHY = "a plugin has failed this test for what it recorded, and not by an error: see its report"


def test_what_a_plugin_has_failed_is_undecided(project: Project) -> None:
    """The twin: the other test, which it lets pass."""
    project.add_to_conftest(CONFTEST)
    project.pytester.makepyfile(pytest_recorder=RECORDER)
    project.test_file(TESTS)
    result = project.run("--supercache-gate")
    assert result.ret == 6
    rows = project.rows()
    assert [(row["verdict"], row["reasons"]) for row in rows.values()] == [
        ("unknown", [WHY]),
        ("holds", []),
    ]
    assert gate(project)["verdict"] == "NO VERDICT"
    assert f"test_recorded is UNKNOWN: {WHY}" in gate(project)["reasons"]
    result.stdout.fnmatch_lines(["test_recorded: UNKNOWN", "test_right: HOLDS"])
