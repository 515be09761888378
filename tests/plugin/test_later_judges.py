"""A fixture or a hook that may look at memory which each execution restores makes UNKNOWN."""

import pytest

from tests.plugin.conftest import Project

SOFTLY = """
FAILED = []
COUNT = 0

def check(is_right):
    if not is_right:
        FAILED.append("wrong")

def count(is_right):
    global COUNT
    if not is_right:
        COUNT += 1
"""
"""Helpers that keep failures instead of raising them."""

TESTS = """
from pytest_supercache import explore
from conftest import Shop
import conftest
import softly

SEEN = {}

def played(world, flow=None):
    shop = Shop(world.existing_cache.client(), world.origin)
    world.origin.restore({"k": 1})
    world.actor("alice", flow or read, shop)
    world.actor("bob", shop.set, "k", 2)
    world.run()
    return str(shop.get("k"))

def test_a_list(world):
    softly.check(played(world) == "2")

def test_a_list_that_is_emptied(world):
    softly.FAILED.clear()
    softly.check(played(world) == "2")

def test_a_number(world):
    softly.count(played(world) == "2")

def test_nothing_wrong(world):
    softly.check(played(world) in ("1", "2"))

def read(shop):
    shop.get("k")

def look(shop):
    softly.check(shop.get("k") == 7)

def test_a_flow(world):
    played(world, look)
    softly.check(False)

def test_its_own(world):
    SEEN[played(world)] = True

def test_a_near_cache(world):
    shop = conftest.Near(None, world.origin)
    world.origin.restore({"k": 1})
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.get, "k")
    world.run()
    assert shop.get("k") == 1
"""

FIXTURE = """
import pytest

@pytest.fixture(autouse=True)
def judge():
    yield
"""

WITHOUT_AN_END = FIXTURE.replace("yield", "return")

HOOK = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield)
"""

REASON = (
    "{} may look at {} after the check, and what an execution changes there is restored before the "
    "next one begins. Let the body of the test assert what must hold, or let a fixture make the "
    "object in which it collects failures"
)

CACHED = """
NEAR = {}

class Near(Shop):
    def get(self, key):
        if key not in NEAR:
            NEAR[key] = self.db.get(key)
        return NEAR[key]
"""


@pytest.fixture
def verdicts(project: Project):
    """Return what runs the tests of a name, beside a conftest: their verdicts, with reasons."""

    def run(conftest: str, *names: str, softly: str = SOFTLY):
        project.add_to_conftest(conftest)
        decorated = TESTS.replace("def test_", "@explore(guarantees=[])\ndef test_")
        project.pytester.makepyfile(test_soft=decorated, softly=softly)
        wanted = [f"test_soft.py::test_{name}" for name in names]
        project.run(*wanted)
        return [(row["verdict"], row["reasons"]) for row in project.rows().values()]

    return run


@pytest.mark.parametrize(
    ("conftest", "judge"),
    [
        (FIXTURE, "the fixture judge of conftest"),
        (HOOK, "the hook pytest_runtest_call of conftest"),
    ],
)
def test_a_judge_of_what_is_restored_is_named(verdicts, conftest: str, judge: str) -> None:
    names = "a_list", "a_list_that_is_emptied", "a_number"
    held = "softly.FAILED", "softly.FAILED", "softly.COUNT"
    found = verdicts(conftest, *names)
    assert found == [("unknown", [REASON.format(judge, name)]) for name in held]


def test_without_a_later_judge_it_holds(verdicts) -> None:
    assert verdicts(WITHOUT_AN_END, "a_list", "a_number") == [("holds", [])] * 2


def test_memory_that_is_unchanged_or_of_a_flow_or_the_test_s_own_is_not_judged(verdicts) -> None:
    found = verdicts(FIXTURE, "nothing_wrong", "a_flow", "its_own")
    assert found == [("holds", [])] * 3


def test_a_cache_beside_the_judge_is_the_code_s_own(verdicts) -> None:
    assert verdicts(CACHED + FIXTURE, "a_near_cache") == [("holds", [])]


@pytest.fixture
def library(project: Project):
    """Return what installs a module for the project, and the lines of a conftest that find it."""

    def install(text: str) -> str:
        folder = project.path / "site-packages"
        folder.mkdir()
        (folder / "library.py").write_text(text)
        return f"import sys\nsys.path.insert(0, {str(folder)!r})\n"

    return install


IMPORTED = "from library import FAILED, check, count\n"


def test_an_installed_plugin_may_look_at_its_memory_that_a_flow_has_changed(
    verdicts, library
) -> None:
    found = library(SOFTLY + HOOK) + "pytest_plugins = ['library']\n"
    judge = "the hook pytest_runtest_call of library"
    reason = REASON.format(judge, "library.FAILED")
    assert verdicts(found, "a_flow", softly=IMPORTED) == [("unknown", [reason])]


def test_the_memory_of_an_installed_package_without_a_hook_is_not_looked_at(
    verdicts, library
) -> None:
    """A library keeps what it has computed; a judge of the project looks at the project."""
    found = library(SOFTLY) + FIXTURE
    assert verdicts(found, "a_list", "a_flow", softly=IMPORTED) == [("holds", [])] * 2
