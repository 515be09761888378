"""Items of one run after one that has kept something: undecided where they share its code."""

import pytest

from tests.plugin.conftest import Project

TEST = """
import mmap

import pytest_supercache as sc

SEEN = mmap.mmap(-1, 1)

def first_time():
    before, SEEN[0] = SEEN[0], 1
    return not before

@sc.explore
def test_once(world):
    world.actor("alice", first_time)
    assert world.run()["alice"]

@sc.explore
def test_again(world):
    world.actor("alice", first_time)
    assert not world.run()["alice"]

@sc.explore
def test_apart(world):
    world.actor("alice", lambda: 1)
    assert world.run()["alice"]
"""


@pytest.mark.python
def test_only_an_item_that_shares_no_code_is_decided(project: Project) -> None:
    project.test_file(TEST)
    result = project.run()
    result.assert_outcomes(failed=2, passed=1)
    rows = project.rows()
    assert [rows[name]["verdict"] for name in ("test_once", "test_again", "test_apart")] == [
        "unknown",
        "unknown",
        "holds",
    ]
    why = rows["test_again"]["reasons"][0]
    assert "(test_it.py::test_once) has kept something" in why
    assert "both lead to first_time" in why
    assert why.endswith("run this one alone: pytest test_it.py::test_again")
