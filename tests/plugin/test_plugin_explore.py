"""`@explore`: a test function whose body runs once per interleaving."""

import pytest

from tests.plugin.conftest import Project, replay_command
from tests.plugin.projects import STALE_TEST

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


@pytest.mark.python
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


@pytest.mark.python
@pytest.mark.long  # test_plugin_replay.py: names with other characters survive it
def test_the_printed_command_of_an_explored_test_replays(project: Project) -> None:
    explored(project, STALE)
    command = replay_command(project.run("-k", "stale"))
    token = project.token()
    assert command.startswith("pytest test_it.py ")
    result = project.rerun(command)
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


@pytest.mark.python
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


def test_a_parameter_with_a_default_is_no_fixture(project: Project) -> None:
    project.test_file("""
from pytest_supercache import explore
import pytest

@pytest.fixture
def number():
    return 9

@explore
def test_default(seen=(), *, number, world, tmp_path=3, world_cache=None):
    assert (seen, number, tmp_path, world_cache) == ((), 9, 3, None)
    world.actor("alice", abs, 1)
    world.actor("bob", abs, 1)
    world.run()

class TestIt:
    @explore
    def test_method(self, world, existing_cache=None):
        assert existing_cache is None
        world.actor("alice", abs, 1)
        world.actor("bob", abs, 1)
        world.run()
""")
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


@pytest.mark.python
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


@pytest.mark.python
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


REFUSED = {
    "@sc.explore\ndef test_it(): ...": "test_it needs a parameter `world`",
    "@sc.explore(serach='random')\ndef test_it(world): ...": "unknown option serach",
    "@sc.explore\ndef test_it(world, existing_cache): ...": "takes the fixture 'existing_cache'",
    "@sc.explore\ndef test_it(world, virtual_clock): ...": "'virtual_clock'",
    "from hypothesis import given, strategies as st\n"
    "@sc.explore\n@given(n=st.integers())\ndef test_it(world, n): ...": "given",
}


def test_what_cannot_be_explored_is_refused_when_it_is_collected(project: Project) -> None:
    for number, test in enumerate(REFUSED):
        project.test_file(STALE_TEST + test, f"test_{number}")
    result = project.run()
    assert result.ret == 2
    result.assert_outcomes(errors=len(REFUSED))
    result.stdout.fnmatch_lines_random([f"*@explore*{message}*" for message in REFUSED.values()])


@pytest.mark.python
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


SUBTESTS = {
    "the test": "@sc.explore\ndef test_it(world, subtests):",
    "a fixture of it": "@pytest.fixture\ndef each(subtests): return subtests\n\n"
    "@sc.explore\ndef test_it(world, each):\n    subtests = each",
    "each example of it": "from hypothesis import given, settings, strategies as st\n"
    "@settings(suppress_health_check=list(HealthCheck), max_examples=2)\n"
    "@given(n=st.just(1))\n@sc.explore\ndef test_it(world, subtests, n):",
}
WITH_SUBTESTS = """
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.set, "k", 2)
    world.run()
    with subtests.test("the price"):
        assert shop.get("k") == 3
"""


@pytest.mark.parametrize("asks", SUBTESTS)
def test_a_subtest_that_fails_makes_no_interleaving_hold(project: Project, asks: str) -> None:
    head = "import pytest\nfrom hypothesis import HealthCheck\n"
    explored(project, f"{head}{SUBTESTS[asks]}\n{WITH_SUBTESTS}")
    result = project.run("--supercache-gate")
    result.assert_outcomes(failed=1)
    assert result.ret == 6
    assert "@explore: test_it takes the fixture 'subtests', or a fixture of it" in (
        result.stdout.str()
    )
    assert project.verdict()["scenarios"] == []


def test_subtests_of_other_tests_and_another_fixture_of_the_name_are_no_mistake(
    project: Project,
) -> None:
    asked = "def test_other(subtests):\n    with subtests.test(): pass\n\n@sc.explore\n"
    explored(project, f"{asked}def test_it(world):{WITH_SUBTESTS.partition('    with')[0]}")
    assert project.run("--supercache-gate").ret == 0
    own = "import pytest\n@pytest.fixture\ndef subtests(): return 1\n@sc.explore\n"
    body = WITH_SUBTESTS.partition("    with")[0] + "    assert subtests == 1\n"
    explored(project, f"{own}def test_it(world, subtests):{body}")
    assert project.run("--supercache-gate").ret == 0


RETURNS = """
{test} test_it(world):
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.set, "k", 2)
    {run}
    return {value}
"""
ON_A_LOOP = ("@sc.explore\nasync def", "await world.run()")
ON_THREADS = ("@sc.explore\ndef", "world.run()")


RETURNED = {
    "shop.get('k') == 2": "@explore: test_0 returned a value of type bool",
    "False": "@explore: test_1 returned a value of type bool",
    "(world.origin.get(key) for key in 'k')": "test_2 returned a generator",
}


@pytest.mark.python
@pytest.mark.parametrize(("test", "run"), [ON_THREADS, ON_A_LOOP])
def test_a_condition_that_is_returned_and_not_asserted_is_an_error(
    project: Project, test: str, run: str
) -> None:
    tests = [RETURNS.format(test=test, run=run, value=value) for value in (*RETURNED, "", "None")]
    named = [text.replace("test_it", f"test_{number}") for number, text in enumerate(tests)]
    explored(project, "".join(named))
    result = project.run()
    result.assert_outcomes(failed=len(RETURNED), passed=2)
    for said in RETURNED.values():
        assert said in result.stdout.str()
    rows = project.rows()
    assert rows["test_3"]["executions"] > 1
    assert rows["test_4"]["executions"] > 1


@pytest.mark.python
def test_a_body_with_a_yield_is_an_error(project: Project) -> None:
    explored(project, "@sc.explore\ndef test_it(world):\n    yield world.actor('alice', int)\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "test_it returned a generator, which nobody iterates" in result.stdout.str()


LAZY = """
import contextlib
import functools

def lazy(world, key="k"):
    yield world.origin.get(key)

async def lazy_on_a_loop(world):
    yield world.origin.get("k")

async def coroutine(world):
    return lazy(world)

@contextlib.contextmanager
def managed(world):
    yield world.origin.get("k")

@contextlib.asynccontextmanager
async def managed_on_a_loop(world):
    yield world.origin.get("k")

def begun(world):
    one = (world.origin.get(key) for key in "kl")
    next(one)
    return one

def mapped(world):
    return map(world.origin.get, ["k"])

def filtered(world):
    return filter(functools.partial(world.origin.get), ["k"])

def listed(world):
    return list(mapped(world))

def iterated(world):
    one = lazy(world)
    return list(one), one

def ended(world):
    return iterated(world)[1]

def entered(world):
    with managed(world):
        return iter([1])

class Shop:
    def __init__(self, world):
        self.world = world

    def get(self, key):
        return lazy(self.world, key)

    def set(self, key, value):
        yield self.world.origin.set(key, value)

    async def delete(self, key):
        yield self.world.origin.delete(key)

class Listed(Shop):
    def get(self, key):
        return list(super().get(key))

def reads(world, system=Shop):
    world.user("bob", system(world)).read("k")

def reads_a_list(world):
    reads(world, Listed)

def writes(world):
    world.user("bob", Shop(world)).write("k", 1)

def deletes(world):
    world.user("bob", Shop(world)).delete("k")

def test_a_check():
    sc.check(lazy)

PART_OF_LAZY = functools.partial(lazy, key="l")
"""
RACED = """
@sc.explore
def test_{actor}(world):
    world.actor("alice", world.origin.set, "k", 1)
    world.actor("{actor}", {actor}, world)
    world.run()
"""
NOBODY_RUNS = {
    "lazy": "world.actor('lazy') returned a generator, which nobody iterates",
    "PART_OF_LAZY": "world.actor('PART_OF_LAZY') returned a generator",
    "lazy_on_a_loop": "world.actor('lazy_on_a_loop') returned an async generator",
    "coroutine": "world.actor('coroutine') returned a generator",
    "managed": "world.actor('managed') returned a context manager, which nobody enters",
    "managed_on_a_loop": "world.actor('managed_on_a_loop') returned a context manager",
    "begun": "world.actor('begun') returned a generator",
    "filtered": "world.actor('filtered') returned an iterator (filter), which nobody iterates",
    "mapped": "world.actor('mapped') returned an iterator (map), which nobody iterates",
    "reads": "Shop.get returned a generator",
    "writes": "Shop.set returned a generator",
    "deletes": "Shop.delete returned an async generator",
}


@pytest.mark.python
def test_an_actor_or_a_body_whose_code_nobody_runs_is_an_error_and_no_race_that_holds(
    project: Project,
) -> None:
    explored(project, LAZY + "".join(RACED.format(actor=actor) for actor in NOBODY_RUNS))
    result = project.run()
    result.assert_outcomes(failed=len(NOBODY_RUNS) + 1)
    for message in NOBODY_RUNS.values():
        assert message in result.stdout.str()
    assert "the body returned a generator, which nobody iterates" in result.stdout.str()


@pytest.mark.python
def test_an_actor_that_iterates_its_generator_itself_is_raced(project: Project) -> None:
    actors = ("iterated", "ended", "entered", "listed", "reads_a_list")
    explored(project, LAZY + "".join(RACED.format(actor=actor) for actor in actors))
    project.run("-k", "not a_check").assert_outcomes(passed=len(actors), deselected=1)
    rows = project.rows()
    assert [rows[f"test_{actor}"]["executions"] > 1 for actor in actors] == [True] * len(actors)


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


def test_what_an_execution_leaves_in_a_fixture_is_named_after_it(project: Project) -> None:
    project.test_file("""
    import pytest
    import pytest_supercache as sc

    @pytest.fixture
    def rates():
        return {}

    @sc.explore
    def test_rates(world, rates):
        def load():
            if "EUR" not in rates:
                rates["EUR"] = world.existing_cache.client().incr("loads")
        world.actor("a", load)
        world.actor("b", load)
        world.run()
        assert int(world.existing_cache.peek("loads") or 0) <= 1
    """)
    result = project.run()
    result.stdout.fnmatch_lines(["*one execution finds in fixtures?'rates'? what an earlier*"])
