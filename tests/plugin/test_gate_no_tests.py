"""A function with @explore that pytest does not take for a test is named: nobody ran it."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.test_plugin_gate import gate
from tests.selection import few

TEST = """
import pytest_supercache as sc

@sc.explore
def test_that_holds(world):
    world.actor("alice", world.origin.get, "k")
    world.run()
"""
BODY = "world.actor('bob', world.origin.get, 'k'); world.run()"
NO_TESTS = {
    "a class with __init__": f"""
class TestIt:
    def __init__(self): pass
    @sc.explore
    def test_lost(self, world): {BODY}
""",
    "a class of another name": f"""
class Checks:
    @sc.explore
    def test_lost(self, world): {BODY}
""",
    "a class that says so": f"""
class TestIt:
    __test__ = False
    @sc.explore
    def test_lost(self, world): {BODY}
""",
    "another name": f"""
@sc.explore
def check_lost(world): {BODY}
""",
    "the name of another that one line makes": f"""
def made(key):
    @sc.explore
    def test_lost(world): {BODY}
    return test_lost

test_made = made("k")
test_made = made("l")
""",
    "a name that a factory's caller chose": f"""
def made(key):
    @sc.explore
    def test_lost(world): {BODY}
    return test_lost

test_made, made_test = made("k"), made("l")
""",
    "the name of another": f"""
@sc.explore
def test_lost(world): {BODY}

@sc.explore
def test_lost(world): {BODY}
""",
    "a condition": f"""
if sc.__doc__ is None:
    @sc.explore
    def test_lost(world): {BODY}
""",
    "a class under a condition, by another name": f"""
from pytest_supercache import explore as raced
if sc.__doc__ is None:
    class TestIt:
        @raced(search="exhaustive")
        def test_lost(self, world): {BODY}
""",
    "a function that a plugin would call": f"""
def describe_a_shop():
    @sc.explore
    def test_lost(world): {BODY}
""",
}

TOGETHER = "all of them"


@pytest.mark.parametrize("how", few([TOGETHER, *NO_TESTS], 1))
def test_an_explored_function_that_became_no_test_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    texts = list(NO_TESTS.values()) if how == TOGETHER else [NO_TESTS[how]]
    for number, text in enumerate(texts):
        project.test_file(TEST + text, f"test_{number}")
    assert project.run("--supercache-gate", "-W", "default").ret == 6
    reasons = gate(project)["reasons"]
    assert [one.partition(":")[0] for one in reasons] == [
        f"test_{number}.py" for number in range(len(texts))
    ]
    said = "lost is decorated with @explore and did not become a test"
    assert all(said in one for one in reasons)
    monkeypatch.chdir(project.path)
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 2


def test_workers_name_it_too(project: Project) -> None:
    project.test_file(TEST + NO_TESTS["another name"])
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 6
    assert "check_lost is decorated with @explore" in gate(project)["reasons"][0]


IN_CONFTEST = f"""
import pytest
import pytest_supercache as sc

@pytest.fixture
def body():
    @sc.explore
    def lost(world): {BODY}
    return lost
"""
MADE = {
    "a test": f"""
def test_price_change():
    @sc.explore
    def lost(world): {BODY}
""",
    "a fixture of its module": f"""
import pytest

@pytest.fixture
def body():
    @sc.explore
    def lost(world): {BODY}
    return lost

def test_price_change(body): assert body
""",
    "a fixture of a conftest file": "def test_price_change(body): assert body\n",
    "a factory elsewhere": """
from factories import made
def test_price_change(): assert made("k")
""",
    "a test that calls another one": f"""
def test_price_change(request, supercache_runner):
    for call in (True, False):
        @sc.explore
        def lost(world): {BODY}
        if call:
            lost(request, supercache_runner)
""",
    "a thread": f"""
import threading

def decorate():
    @sc.explore
    def lost(world): {BODY}

def test_price_change():
    thread = threading.Thread(target=decorate)
    thread.start()
    thread.join()
""",
}


@pytest.mark.parametrize(
    ("maker", "by_ids"),
    few(
        [
            *((maker, maker == "a test") for maker in MADE),
            *((maker, maker != "a test") for maker in MADE),
        ],
        6,
    ),
)
def test_one_that_is_made_while_tests_run_and_never_called_is_named(
    project: Project, maker: str, *, by_ids: bool
) -> None:
    part = ("test_it.py::test_price_change", "test_it.py::test_that_holds") if by_ids else ()
    project.test_file(FACTORY.replace(" test", " lost"), "factories")
    project.conftest(IN_CONFTEST)
    project.test_file(TEST + MADE[maker])
    assert project.run("--supercache-gate", *part).ret == 6
    (reason,) = gate(project)["reasons"]
    assert "lost is decorated with @explore and did not become a test: it was made inside" in reason


def test_workers_name_what_is_made_while_tests_run(project: Project) -> None:
    """The twin: each of them calls what it has made."""
    project.test_file(TEST + MADE["a test"])
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 6
    assert "lost is decorated with @explore" in gate(project)["reasons"][0]
    project.test_file(TEST + MEANT["one that a fixture makes and a test calls"] + "# another size")
    assert project.run_apart("--supercache-gate", "-n", "1").ret == 0


MEANT = {
    "one of two, by a condition": f"""
if sc.__doc__ is None:
    @sc.explore
    def test_either(world): {BODY}
else:
    @sc.explore
    def test_either(world): {BODY}
""",
    "a helper that a test calls": f"""
@sc.explore
def helper(world): {BODY}

def test_more(request, supercache_runner): helper(request, supercache_runner)
""",
    "a class that another one inherits from": f"""
class Contract:
    @sc.explore
    def test_it(self, world): {BODY}

class TestIt(Contract): pass
""",
    "a function made inside of another": f"""
def made():
    @sc.explore
    def test(world): {BODY}
    return test

test_made = made()
""",
    "functions made inside of another": f"""
def made(key):
    @sc.explore
    def test(world): {BODY}
    return test

test_one, test_two = made("k"), made("l")
for name in "ab":
    globals()["test_" + name] = made(name)
class TestMade:
    test_three = staticmethod(made("m"))
""",
    "a test with @given": f"""
from hypothesis import given, strategies as st

@given(number=st.just(1))
@sc.explore
def test_given(world, number): {BODY}
""",
    "one that a test makes and calls": f"""
def test_inside(request, supercache_runner):
    @sc.explore
    def inner(world): {BODY}
    inner(request, supercache_runner)
""",
    "one that a fixture makes and a test calls": f"""
import pytest

@pytest.fixture(params=[1, 2])
def body(request):
    @sc.explore
    def inner(world): {BODY}
    return inner

def test_inside(body, request, supercache_runner): body(request, supercache_runner)
""",
    "one of a module that a test imports": "def test_import(): import contracts\n",
    "one of a module that a test imports again": """
import runpy

def test_import(): runpy.run_path(__file__)
""",
    "one that is refused": """
import pytest

def test_refused():
    with pytest.raises(sc.SupercacheError):
        @sc.explore
        def inner(): pass
""",
    "one of another module": "from contracts import test_shared, not_imported\n",
}


@pytest.mark.parametrize("what", few([TOGETHER, *MEANT], 1))
def test_what_is_decorated_on_purpose_is_not_named(project: Project, what: str) -> None:
    shared = TEST.replace("test_that_holds", "test_shared")
    project.test_file(shared + TEST.replace("test_that_holds", "not_imported"), "contracts")
    for number, text in enumerate(MEANT.values() if what == TOGETHER else [MEANT[what]]):
        project.test_file(TEST + text, f"test_{number}")
    project.run("--supercache-gate")
    assert project.verdict()["run"]["no_tests"] == []
    assert gate(project)["verdict"] == "GO"


@pytest.mark.parametrize("part", [("-k", "holds"), ("test_it.py::test_that_holds",)])
def test_what_was_not_asked_for_is_no_lost_test(project: Project, part: tuple[str, ...]) -> None:
    """Nor is one that another test would have made."""
    project.test_file(
        f"{TEST}\nclass TestMore:\n    @sc.explore\n    def test_it(self, world): {BODY}\n"
        + MEANT["one that a test makes and calls"]
        + MEANT["one that a fixture makes and a test calls"]
    )
    assert project.run("--supercache-gate", *part).ret == 0
    assert project.verdict()["run"]["no_tests"] == []


def test_a_setting_of_this_run_about_files_makes_no_test_of_a_function(project: Project) -> None:
    """The twin: one about functions says itself which are no tests."""
    project.test_file(TEST + NO_TESTS["another name"])
    assert project.run("--supercache-gate", "-o", "python_files=test_*.py").ret == 6
    assert project.run("--supercache-gate", "-o", "norecursedirs=x").ret == 6
    assert project.run("--supercache-gate", "-o", "python_functions=test_that").ret == 0


FACTORY = f"""
import pytest_supercache as sc

def made(key):
    @sc.explore
    def test(world): {BODY}
    return test
"""


def test_a_factory_of_another_module_loses_no_test_of_its_callers(project: Project) -> None:
    project.test_file(FACTORY, "factories")
    project.test_file("from factories import made\nmade_test = made('unused')\n", "unused")
    text = "import unused\nfrom factories import made\ntest_a = made('k')\ntest_{} = made('l')\n"
    project.test_file(text.format("b"))
    assert project.run("--supercache-gate").ret == 0, "the twin: both are tests"
    project.test_file(text.format("a") + "# another size\n")
    assert project.run("--supercache-gate").ret == 6
    (reason,) = gate(project)["reasons"]
    assert reason.startswith("factories.py:4 made.<locals>.test is decorated with @explore and did")


@pytest.mark.parametrize(("imported", "status"), [("", 0), ("false", 6)])
def test_an_imported_test_that_a_setting_leaves_out_is_named(
    project: Project, imported: str, status: int
) -> None:
    (project.path / "races.py").write_text(f"{TEST}\n@sc.explore\ndef test_lost(world): {BODY}\n")
    project.test_file(f"from races import *\n{TEST.replace('that_holds', 'here')}")
    options = ("-o", f"collect_imported_tests={imported}") if imported else ()
    assert project.run("--supercache-gate", *options).ret == status
    lost = ["races.py:4 test_that_holds", "races.py:9 test_lost"] if imported else []
    assert sorted(project.verdict()["run"]["no_tests"]) == sorted(lost)


@pytest.mark.parametrize(
    ("functions", "lost"),
    [
        (MEANT["functions made inside of another"], 0),
        (NO_TESTS["the name of another that one line makes"], 1),
    ],
    ids=["twin", "lost"],
)
def test_a_module_that_is_imported_under_two_names_is_one(
    project: Project, functions: str, lost: int
) -> None:
    """All of it is decorated twice, and the tests are those of one import."""
    (project.path / "suite").mkdir()
    (project.path / "suite" / "test_one.py").write_text(TEST + functions)
    (project.path / "suite" / "test_two.py").write_text("from suite import test_one as again\n")
    project.run("--supercache-gate")
    assert len(project.verdict()["run"]["no_tests"]) == lost
    assert gate(project)["verdict"] == ("NO VERDICT" if lost else "GO")
    assert gate(project)["reasons"][0].startswith("suite/test_one.py" if lost else "")
