"""`@explore`: a test function whose body runs once per interleaving."""

import shlex
import sys

import pytest

from tests.plugin.conftest import Project, replay_command
from tests.plugin.projects import STALE_TEST

pytestmark = pytest.mark.python

STALE = """
def play(world, kind, key="k"):
    world.origin.set(key, 1)
    shop = kind(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, key)
    world.actor("bob", shop.set, key, 2)
    world.run()
    world.settle()
    assert shop.get(key) == 2

@sc.explore
def test_stale(world):
    play(world, Shop)

@sc.explore
def test_fresh(world):
    play(world, Uncached)
"""


def explored(project: Project, text: str) -> None:
    project.test_file(STALE_TEST + text)


def test_an_assertion_after_settling_is_violated_by_one_interleaving(project: Project) -> None:
    explored(project, STALE)
    result = project.run()
    result.assert_outcomes(failed=1, passed=1)
    rows = project.rows()
    assert rows["test_fresh"]["verdict"] == "holds"
    row = rows["test_stale"]
    assert (row["verdict"], row["label"]) == ("violated", "conflict")
    assert row["counterexample"]["replays"] == "10/10"
    result.stdout.fnmatch_lines(["test_stale: VIOLATED *", "*assert 1 == 2*"])
    assert "exploring.py" not in result.stdout.str()


def test_the_printed_command_of_an_explored_test_replays(project: Project) -> None:
    explored(project, STALE)
    command = replay_command(project.run("-k", "stale"))
    token = project.token()
    program, *arguments = shlex.split(command)
    assert (program, arguments[0]) == ("pytest", "test_it.py")
    result = project.pytester.run(sys.executable, "-m", "pytest", *arguments)
    result.assert_outcomes(failed=1, deselected=1)
    assert project.token() == token


def test_an_explored_test_is_where_its_function_stands(project: Project) -> None:
    explored(project, STALE)
    project.run("-k", "stale")
    row = project.row()
    text = (project.path / "test_it.py").read_text().splitlines()
    assert row["path"] == "test_it.py"
    assert text[row["line"] - 1] in {"@sc.explore", "def test_stale(world):"}
    assert row["node_id"] == "test_it.py::test_stale"


def test_fixtures_are_made_once_for_all_interleavings(project: Project) -> None:
    explored(
        project,
        """
import pytest
MADE, RUNS = [], []

@pytest.fixture
def number():
    MADE.append(1)
    return 7

@sc.explore(search="all-schedules")
def test_it(world, number, request):
    RUNS.append(request.node.name)
    world.actor("a", world.origin.get, "k")
    world.actor("b", world.origin.get, "k")
    world.run()
    assert number == 7

def test_after():
    assert len(MADE) == 1
    assert len(RUNS) > 2
    assert set(RUNS) == {"test_it"}
""",
    )
    project.run().assert_outcomes(passed=2)


def test_parametrized_tests_and_methods_are_explored(project: Project) -> None:
    explored(
        project,
        STALE
        + """
import pytest

class TestShop:
    keys = ["x", "y"]

    @pytest.mark.parametrize("kind", [Shop, Uncached])
    @sc.explore
    def test_method(self, world, kind):
        play(world, kind, self.keys[0])
""",
    )
    project.run("-k", "method").assert_outcomes(failed=1, passed=1)
    assert {name: row["verdict"] for name, row in project.rows().items()} == {
        "test_method[Shop]": "violated",
        "test_method[Uncached]": "holds",
    }


def test_marks_below_and_above_the_decorator_count(project: Project) -> None:
    explored(
        project,
        """
import pytest

@pytest.mark.skip(reason="above")
@sc.explore
def test_above(world): ...

@sc.explore
@pytest.mark.skip(reason="below")
def test_below(world): ...
""",
    )
    project.run().assert_outcomes(skipped=2)


def test_options_of_the_decorator_count(project: Project) -> None:
    explored(
        project,
        """
@sc.explore(search="all-schedules", stop_at_first=False, memory="declared")
def test_it(world):
    seen = []
    for name in "ab":
        world.actor(name, lambda name=name: (world.origin.get("k"), seen.append(name)))
    world.run()
    assert seen != ["b", "a"]
""",
    )
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert (row["executions"], row["exhausted"]) == (2, True)
    assert (row["violating"], row["label"]) == (1, "order bug")


@pytest.mark.parametrize(
    ("guarantees", "verdict"), [("()", "holds"), ("[sc.READ_YOUR_WRITES]", "violated")]
)
def test_named_guarantees_are_judged(project: Project, guarantees: str, verdict: str) -> None:
    explored(
        project,
        f"""
@sc.explore(guarantees={guarantees})
def test_it(world):
    class Forgetful(Shop):
        def set(self, key, value):
            self.db.set(key, value)
    world.origin.set("k", 0)
    alice = world.user("alice", Forgetful(world.existing_cache.client(), world.origin))
    def flow():
        alice.read("k")
        alice.write("k", 1)
        return alice.read("k")
    world.actor("alice", flow)
    world.run()
""",
    )
    project.run()
    assert project.row()["verdict"] == verdict


def test_memory_that_nobody_declared_is_noticed(project: Project) -> None:
    explored(
        project,
        """
class Hidden:
    def __init__(self, redis, db):
        self.redis, self.db, self.near = redis, db, {}
    def get(self, key):
        if key not in self.near:
            self.near[key] = self.redis.get(key)
        return self.near[key]
    def set(self, key, value):
        self.near.pop(key, None)
        self.redis.set(key, value)

@sc.explore
def test_it(world):
    shop = Hidden(world.existing_cache.client(), world.origin)
    users = [world.user(name, shop) for name in ("alice", "bob")]
    world.actor("alice", lambda: [users[0].read("k") for _ in range(2)])
    world.actor("bob", users[1].write, "k", "new")
    world.run()
    world.settle()
    assert shop.get("k") == b"new"
""",
    )
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert row["verdict"] == "violated"
    assert "Hidden.near['k']" in row["scope"]["shared memory"]


def test_an_actor_that_raises_breaks_answers(project: Project) -> None:
    explored(
        project,
        """
@sc.explore
def test_it(world):
    world.actor("alice", lambda: world.origin.get("k")["price"])
    world.run()
""",
    )
    project.run().assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "answers"


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("@sc.explore\ndef test_it(): ...", "test_it needs a parameter `world`"),
        ("@sc.explore(serach='random')\ndef test_it(world): ...", "unknown option serach"),
        (
            "@sc.explore\ndef test_it(world, existing_cache): ...",
            "takes the fixture 'existing_cache'*world.existing_cache",
        ),
        ("@sc.explore\ndef test_it(world, virtual_clock): ...", "'virtual_clock'"),
        (
            "from hypothesis import given, strategies as st\n"
            "@sc.explore\n@given(n=st.integers())\ndef test_it(world, n): ...",
            "@given",
        ),
    ],
)
def test_what_cannot_be_explored_is_refused_when_it_is_collected(
    project: Project, test: str, message: str
) -> None:
    explored(project, test)
    result = project.run()
    assert result.ret == 2
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*@explore*{message.partition('*')[0].strip('@')}*"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("world.actor('a', int)\n    world.actor('a', int)", "there is an actor of this name"),
        ("world.actor('a@b', int)", "expected a name without '@'"),
        (
            "world.actor('a', lambda: world.origin.aio.get('k')); world.run()",
            "returned a coroutine",
        ),
    ],
)
def test_a_misuse_of_the_world_is_told_with_the_line_and_without_our_frames(
    project: Project, body: str, message: str
) -> None:
    explored(project, f"@sc.explore\ndef test_it(world):\n    {body}\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
    result.stdout.re_match_lines([r"  at test_it\.py:\d+"])
    assert "world.py" not in result.stdout.str()


def test_explored_tests_run_on_workers(project: Project) -> None:
    explored(project, STALE)
    result = project.run_apart("-n", "1")
    result.assert_outcomes(failed=1, passed=1)
    assert sorted(project.rows()) == ["test_fresh", "test_stale"]


def test_the_docstring_is_the_title(project: Project) -> None:
    explored(
        project,
        '''
@sc.explore
def test_it(world):
    """Nothing happens.

    Really.
    """
    world.actor("a", world.origin.get, "k")
    world.run()
''',
    )
    project.run().assert_outcomes(passed=1)
    assert project.row()["title"] == "Nothing happens."
