"""What a later judge, a fixture or a hook, would look at and each execution takes back: UNKNOWN."""

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
    "{} may look at {}, which the body of the test has changed, but each execution begins with "
    "what was there before the check. Let the body assert what must hold, or let a fixture make "
    "what it collects"
)


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
def test_what_a_judge_would_miss_is_named(verdicts, conftest: str, judge: str) -> None:
    names = "a_list", "a_list_that_is_emptied", "a_number"
    held = "softly.FAILED", "softly.FAILED", "softly.COUNT"
    found = verdicts(conftest, *names)
    assert found == [("unknown", [REASON.format(judge, name)]) for name in held]


def test_where_nobody_looks_later_nothing_is_missed(verdicts) -> None:
    assert verdicts(WITHOUT_AN_END, "a_list", "a_number") == [("holds", [])] * 2


def test_what_is_as_before_or_also_that_of_a_flow_or_a_test_s_own_is_not_missed(verdicts) -> None:
    found = verdicts(FIXTURE, "nothing_wrong", "a_flow", "its_own")
    assert found == [("holds", [])] * 3


def test_the_memory_of_a_plugin_with_a_hook_is_its_own_in_a_flow_too(verdicts) -> None:
    plugin = SOFTLY + HOOK
    ((verdict, reasons),) = verdicts("pytest_plugins = ['softly']\n", "a_flow", softly=plugin)
    judge = "the hook pytest_runtest_call of softly"
    assert (verdict, reasons) == ("unknown", [REASON.format(judge, "softly.FAILED")])


def test_the_memory_of_an_installed_package_is_not_looked_at(verdicts, project: Project) -> None:
    """A library keeps what it has computed; a judge of the project looks at the project."""
    installed = project.path / "site-packages"
    installed.mkdir()
    (installed / "library.py").write_text(SOFTLY)
    ini = f"import sys\nsys.path.insert(0, {str(installed)!r})\n"
    found = verdicts(ini + FIXTURE, "a_list", softly="from library import FAILED, check, count\n")
    assert found == [("holds", [])]
