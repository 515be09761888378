"""Hypothesis as its users know it: `@given`, profiles, seeds, databases, statistics, blobs."""

import re

import pytest
from hypothesis import settings

from tests.plugin.conftest import Project, replay_command
from tests.plugin.projects import STALE_TEST, race
from tests.selection import few

HEAD = (
    STALE_TEST
    + """
from hypothesis import Phase, given, reproduce_failure, settings
from hypothesis import strategies as st

QUICK = [Phase.reuse, Phase.generate, Phase.shrink]  # without explaining

def reads(world, n, users="ab"):
    for name in users:
        world.actor(name, lambda: [world.origin.get("k") for _ in range(n)])
    world.run()

def torn(world, reads=2):
    seen = []
    world.actor("reader", lambda: seen.extend(world.origin.get("k") for _ in range(reads)))
    world.actor("writer", world.origin.set, "k", 1)
    world.run()
    assert len(set(seen)) == 1, "torn"
"""
)

HYPOTHESIS = "--supercache-search=hypothesis"


@pytest.mark.parametrize("given", few(["n=st.integers(1, 9)", "st.integers(1, 9)"], 1))
def test_given_around_explore_shrinks_to_the_smallest_example_and_no_line_of_ours_explains_it(
    project: Project, given: str
) -> None:
    project.test_file(
        HEAD
        + f"""
@settings(database=None)
@given({given})
@sc.explore
def test_it(world, n):
    reads(world, 1)
    assert n < 4
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it: VIOLATED *", "*example * of @given*", "*n=4,"])
    assert "Explanation:" not in result.stdout.str()
    row = project.row()
    assert (row["path"], row["node_id"]) == ("test_it.py", "test_it.py::test_it")
    lines = (project.path / "test_it.py").read_text().splitlines()
    assert lines[row["line"] - 1].startswith(("@", "def test_it"))


def test_given_around_explore_passes_with_fixtures_methods_and_parameters(
    project: Project,
) -> None:
    project.test_file(
        HEAD
        + """
import pytest

SEEN = []

@pytest.fixture(scope="module")
def limit():
    return 3

class TestIt:
    @pytest.mark.parametrize("users", ["ab", "a"])
    @settings(max_examples=7)
    @given(n=st.integers(1, 2))
    @sc.explore
    def test_it(self, world, users, n, limit, request):
        SEEN.append((request.node.name, n))
        reads(world, n, users)
        assert n < limit

def test_every_example_was_explored():
    assert {name for name, _ in SEEN} == {"test_it[ab]", "test_it[a]"}
    assert {n for _, n in SEEN} == {1, 2}
"""
    )
    project.run().assert_outcomes(passed=3)


def test_an_exploration_may_take_longer_than_the_deadline_of_hypothesis(project: Project) -> None:
    slow = """
@settings({settings}max_examples=1, phases=[Phase.generate])
@given(st.just(1))
@sc.explore
def test_it(world, n):
    reads(world, n)
    import time
    end = real() + 0.05
    while real() < end:
        pass

import time
real = time.thread_time
"""
    project.test_file(HEAD + slow.format(settings=""))
    project.run().assert_outcomes(passed=1)
    project.test_file(HEAD + slow.format(settings="deadline=50, "))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*deadline*50*"])


def test_the_printed_replay_finds_its_example_among_those_that_given_draws(
    project: Project,
) -> None:
    project.test_file(
        HEAD
        + """
@settings(max_examples=20, phases=QUICK)
@given(st.integers(1, 3))
@sc.explore
def test_it(world, n):
    torn(world, n)
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    token = project.token()
    assert token in replay_command(result)
    project.run(f"--supercache-replay={token}").assert_outcomes(failed=1)
    assert (project.row()["verdict"], project.token()) == ("violated", token)


def test_a_replay_that_fits_no_example_does_not_pass(project: Project) -> None:
    text = "@settings(max_examples=5)\n@given(st.just(1))\n@sc.explore\ndef test_it(world, n):\n"
    project.test_file(HEAD + text + "    torn(world, n)\n")
    token = "sc1:test_it.py%3A%3Atest_it:reader,writer,reader"
    result = project.run(f"--supercache-replay={token}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Unsatisf*"])


SEARCHED = """
@given(st.integers(2, 3))
@settings(max_examples=5, phases=QUICK)
@sc.explore(search="hypothesis", executions=50)
def test_explored(world, n):
    torn(world, n)

@settings(deadline=None)
@given(st.integers(2, 3))
def test_checked(n):
    result = sc.check(lambda world: torn(world, n), search="hypothesis", executions=50)
    assert result.verdict is sc.Verdict.VIOLATED
    again = sc.check(lambda world: torn(world, n), search="hypothesis", executions=50)
    assert (again.executions, again.counterexample.token) == (
        result.executions, result.counterexample.token)
"""


def test_hypothesis_searches_within_an_example_of_given_alike_every_time(project: Project) -> None:
    project.test_file(HEAD + SEARCHED)
    result = project.run()
    result.assert_outcomes(failed=1, passed=1)
    out = result.stdout.str()
    assert "Nesting" not in out
    assert "Flaky" not in out
    assert "test_explored: VIOLATED" in out


def blob(out: str) -> str:
    found = re.findall(r"put (@reproduce_failure\('[0-9.]+', b'.+'\)) on the test", out)
    assert len(found) == 1, out
    return str(found[0])


SEARCHED_ALONE = """
{above}
@sc.explore({options})
{below}
def test_it(world):
    torn(world)
"""


@pytest.mark.parametrize("place", few(["above", "below"], 1))
def test_the_printed_blob_repeats_the_schedule_alone(project: Project, place: str) -> None:
    def write(options: str, **decorators: str) -> None:
        filled = {"above": "", "below": "", **decorators}
        project.test_file(HEAD + SEARCHED_ALONE.format(options=options, **filled))

    write('search="hypothesis"')
    decorator = blob(project.run("--hypothesis-seed=3").stdout.str())
    token = project.token()
    write('search="auto"', **{place: decorator})
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert (row["counterexample"]["token"], row["executions"]) == (token, 1)
    assert row["scope"]["search"] == "hypothesis"


def test_a_blob_that_no_longer_fails_or_fits_is_an_error_and_no_pass(project: Project) -> None:
    write = HEAD + SEARCHED_ALONE
    project.test_file(write.format(options='search="hypothesis"', above="", below=""))
    decorator = blob(project.run("--hypothesis-seed=3").stdout.str())
    healed = write.replace("torn(world)", "reads(world, 2)")
    project.test_file(healed.format(options="", above=decorator, below=""))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*@reproduce_failure: *"])
    other = re.sub(r"'[0-9.]+'", "'1.2.3'", decorator)
    project.test_file(write.format(options="", above=other, below=""))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*@reproduce_failure: *different version*1.2.3*"])


def test_no_blob_is_printed_where_hypothesis_did_not_search(project: Project) -> None:
    project.test_file(HEAD + SEARCHED_ALONE.format(options="", above="", below=""))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "reproduce_failure" not in result.stdout.str()
    project.scenario(race("Y-1"))
    result = project.run(HYPOTHESIS, "-k", "Y-1")
    result.assert_outcomes(failed=1)
    assert "reproduce_failure" not in result.stdout.str()


@pytest.mark.usefixtures("hypothesis_of_the_project")
def test_the_database_holds_the_smallest_witness(project: Project) -> None:
    """A copy of the project that has only the database begins with what was printed last."""
    project.test_file(
        HEAD
        + """
@sc.explore(search="hypothesis")
def test_it(world):
    torn(world, 3)
"""
    )
    project.run().assert_outcomes(failed=1)
    token = project.token()
    result = project.run("--hypothesis-show-statistics")
    result.assert_outcomes(failed=1)
    assert (project.token(), project.row()["executions"]) == (token, 1)


def test_statistics_tell_of_searches_that_hypothesis_drove(project: Project) -> None:
    text = "@sc.explore(search={search!r}, executions=9)\ndef test_it(world): reads(world, 4)\n"
    project.test_file(HEAD + text.format(search="hypothesis"))
    result = project.run("--hypothesis-show-statistics")
    result.stdout.fnmatch_lines(["test_it.py::test_it:", "*9 passing*"])
    project.test_file(HEAD + text.format(search="random"))
    assert "passing" not in project.run("--hypothesis-show-statistics").stdout.str()


PROFILES = """
from hypothesis import Phase, settings
settings.register_profile("derandomized", derandomize=True, database=None)
settings.register_profile("nothing", phases=[Phase.explicit])
settings.register_profile("known", phases=[Phase.reuse])
settings.register_profile("few", max_examples=1)
"""


@pytest.mark.usefixtures("hypothesis_of_the_project")
def test_a_profile_counts_but_for_the_number_of_executions(project: Project) -> None:
    project.add_to_conftest(PROFILES)
    project.test_file(HEAD + SEARCHED_ALONE.format(options="", above="", below=""))

    def executions(profile: str) -> int:
        settings.load_profile("default")  # which those of the project's conftest begin with
        project.run(HYPOTHESIS, f"--hypothesis-profile={profile}").assert_outcomes(failed=1)
        return int(project.row()["executions"])

    assert executions("derandomized") > 1
    assert not (project.path / ".hypothesis" / "examples").exists()
    assert executions("known") == 0
    assert project.row()["verdict"] == "unknown"  # and not skipped
    assert executions("few") > 1
    assert executions("few") == 1  # it was kept
    assert executions("nothing") == 0
    assert "hypothesis search found nothing" in project.reasons()


@pytest.mark.parametrize("body", ["async def test_it(world, n):", "def test_it(world, n):"])
def test_a_coroutine_below_given_is_not_taken_for_a_test_that_ran(
    project: Project, body: str
) -> None:
    project.test_file(
        HEAD
        + f"""
import functools

def sync(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@given(st.just(1))
@sc.explore
@sync
{body}
    reads(world, n)
"""
    )
    result = project.run()
    if body.startswith("async"):
        assert result.ret != 0
        result.stdout.fnmatch_lines(["*await world.run()*"])
    else:
        result.assert_outcomes(passed=1)


def test_an_actor_that_only_returns_a_coroutine_is_not_taken_for_one_that_ran(
    project: Project,
) -> None:
    project.test_file(
        HEAD
        + """
@sc.explore
def test_it(world):
    async def flow(): ...
    world.actor("a", lambda: flow())
    world.run()
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["world.actor('a') returned a coroutine, which nobody runs*"])


def test_a_body_tells_hypothesis_what_a_test_may_tell_it(project: Project) -> None:
    project.test_file(
        HEAD
        + """
from hypothesis import assume, event, example, note, reject, target

@settings(max_examples=20, database=None)
@example(n=4)
@given(n=st.integers(1, 4))
@sc.explore
def test_it(world, n):
    assume(n != 3)
    event(f"n is {n}")
    target(n, label="n")
    reads(world, 1)
    if n == 4:
        note("told once")
    assert n < 4

@settings(max_examples=20)
@given(n=st.integers(1, 4))
@sc.explore
async def test_that_runs_on_a_loop(world, n):
    async def user():
        assert await world.origin.aio.get("k") is None
    world.actor("a", user)
    await world.run()
    if n > 2:
        reject()
    event(f"on a loop {n}")

@given(n=st.integers(1, 2))
@sc.explore
def test_that_wants_nothing_it_is_given(world, n):
    reject()
"""
    )
    result = project.run("--hypothesis-show-statistics")
    result.assert_outcomes(passed=1, failed=2)
    text = result.stdout.str()
    assert text.count("told once") == 1
    result.stdout.fnmatch_lines(["*n=4,"])
    result.stdout.fnmatch_lines_random(["*%, on a loop 1", "*%, on a loop 2"])
    assert "on a loop 3" not in text
    assert "n is 3" not in text
    result.stdout.fnmatch_lines(["E*Unsatisfiable*"])


REJECTS = """
from hypothesis import assume

RUNS = []

@settings(database=None, phases=[Phase.explicit], report_multiple_bugs=False)
@example(n=0)
@example(n=1)
@given(n=st.integers())
@sc.explore
{test} test_it(world, n):
    RUNS.append(n)
    {early}
    shop = Shop(world.existing_cache.client(), world.origin)
    world.origin.set("k", 1)
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.set, "k", 2)
    seen = {run}
    got = shop.get("k")
    {late}
    assert n != 0 or got
"""


@pytest.mark.parametrize(
    ("test", "early", "late", "verdict"),
    few(
        [
            (
                "def",
                "pass",
                "assume(n == 0 or seen['alice'] == 1); assert n == 0 or got == 2",
                "violated",
            ),
            ("def", "pass", "assume(n == 0 or got == 2); assert n == 0 or got == 2", "unknown"),
            ("async def", "pass", "assume(n == 0)", "holds"),
            ("def", "pass", "assert n == 0 or got == 2", "violated"),
            (
                "async def",
                "pass",
                "assume(n == 0 or got == 2); assert n == 0 or got == 2",
                "unknown",
            ),
            ("def", "pass", "assume(n == 0 or got == 1); assert n == 0 or got == 1", "unknown"),
            ("def", "assume(n == 0 or RUNS.count(1) < 2)", "assert n == 0 or got", "unknown"),
            ("def", "pass", "assume(n == 0)", "holds"),
            ("def", "assume(n == 0)", "pass", "holds"),
        ],
        3,
    ),
)
def test_an_example_that_some_interleavings_reject_is_not_thrown_away(
    project: Project, test: str, early: str, late: str, verdict: str
) -> None:
    run = "world.run()" if test == "def" else "await world.run()"
    text = HEAD.replace("import Phase,", "import Phase, example,")
    project.test_file(text + REJECTS.format(test=test, early=early, late=late, run=run))
    result = project.run("--supercache-gate")
    assert project.row()["verdict"] == verdict
    assert result.ret == {"holds": 0, "violated": 1, "unknown": 6}[verdict]
    if verdict == "unknown":
        assert "rejects its example (assume, reject) in some interleavings" in project.reasons()
    if verdict == "holds":
        assert project.row()["scope"]["examples"] == 1


@pytest.mark.parametrize(
    ("late", "verdict"), [("assume(n == 0)", "holds"), ("assume(n == 0 or got == 2)", "unknown")]
)
def test_workers_do_not_hide_which_executions_reject_an_example(
    project: Project, late: str, verdict: str
) -> None:
    text = HEAD.replace("import Phase,", "import Phase, example,")
    text += REJECTS.format(test="def", early="pass", late=late, run="world.run()")
    faults = "sc.explore(faults=sc.Faults(max=1, kinds=({'pause': 2.0},)))"
    project.test_file(text.replace("sc.explore", faults))
    project.run("--supercache-workers=2")
    assert project.row()["verdict"] == verdict


def test_what_ends_a_test_ends_its_exploration(project: Project) -> None:
    project.test_file(
        HEAD
        + """
import pytest

@sc.explore
def test_skipped(world):
    reads(world, 1)
    pytest.skip("not here")

@given(st.just(1))
@sc.explore
def test_skipped_as_an_example(world, n):
    pytest.skip("nor here")

@sc.explore
async def test_skipped_on_a_loop(world):
    pytest.skip("nor there")

@sc.explore
def test_expected_to_fail(world):
    reads(world, 1)
    pytest.xfail("known")
"""
    )
    result = project.run("-rs")
    result.assert_outcomes(skipped=3, xfailed=1)
    result.stdout.fnmatch_lines_random(["*not here", "*nor here", "*nor there"])


def test_a_conflict_is_not_lost_to_a_smaller_example_that_is_undecided(project: Project) -> None:
    project.test_file(
        HEAD
        + """
@settings(phases=QUICK, database=None, max_examples=60, derandomize=True)
@given(n=st.integers(1, 9))
@sc.explore(search="exhaustive", executions=30)
def test_it(world, n):
    if n in {3, 4}:
        reads(world, 6, "abcd")  # too large for the budget
        for name in "xy":
            world.actor(name, world.origin.set, "k", 1)
        world.run()
    elif n > 4:
        torn(world)
    else:
        reads(world, 1)
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "2 distinct failures" in text
    assert {"n=3,", "n=5,"} <= set(re.findall(r"n=\d,", text))
    assert project.row()["verdict"] == "violated"


def test_a_body_may_not_draw(project: Project) -> None:
    project.test_file(
        HEAD
        + """
@given(st.data())
@sc.explore
def test_it(world, data):
    reads(world, data.draw(st.integers(1, 3)))
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_it takes data=st.data()*Let @given draw*"])


def test_a_word_is_a_seed_like_any_number(project: Project) -> None:
    project.test_file(
        HEAD + "@sc.explore(search='hypothesis')\ndef test_it(world):\n    torn(world, 6)\n"
    )
    tokens = []
    for seed in ("banana", "banana"):
        project.run(f"--hypothesis-seed={seed}", HYPOTHESIS).assert_outcomes(failed=1)
        tokens.append(project.token())
    assert tokens[0] == tokens[1]
    assert not list(project.path.glob(".hypothesis/examples/*"))
