"""Beside a finding stands what is most like it and passes; it takes nothing from the finding."""

import pytest

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.checking.minimize import REPLAYS
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.oracle.explain import named


def refill(world, orders):
    """A reader stores what it has loaded, a writer commits and deletes; ``orders`` of each run.

    The list is the test's own: it is no memory of the flow, so it is declared to be none.
    """
    cache, origin = world.existing_cache.client(decode_responses=True), world.origin
    taken = []
    orders.append(taken)
    origin.set("k", 1)

    def read():
        value = origin.get("k")
        cache.set("k", value)
        taken.append("set")

    def write():
        origin.set("k", 2)
        cache.delete("k")
        taken.append("delete")

    world.actor("alice", read)
    world.actor("bob", write)
    world.run()
    assert cache.get("k") in {None, str(origin.get("k"))}


def told(result):
    """Return the schedules, and what the explanation says of the passing one."""
    found = result.counterexample
    says = [line for line in found.explanation.splitlines() if line.startswith("holds, ")]
    return found.schedule.choices, found.passing.execution.schedule.choices, says


def test_the_nearest_interleaving_is_shown_as_it_is_told():
    orders = []
    result = check(lambda world: refill(world, orders), memory="declared")
    found = result.counterexample
    failing, passing, says = told(result)
    assert (failing, passing) == (
        ("alice", "bob", "bob", "alice"), ("alice", "bob", "alice", "bob"),
    )  # fmt: skip
    (turned,) = found.passing.turned
    assert [named(step) for step in turned] == ["alice's SET k", "bob's DEL k"]
    assert says == ["holds, with the fewest changes, when alice's SET k comes before bob's DEL k"]
    assert [step.layers["existing_cache"] for step in found.passing.execution.race] == [
        {}, {}, {"k": "1"}, {},
    ]  # fmt: skip
    assert orders[-1] == ["set", "delete"]  # the last run was that one


def test_the_share_is_counted_only_when_everything_was_executed():
    result = check(lambda world: refill(world, []), memory="declared")
    share = result.share
    assert (share.failing, share.interleavings, share.failing_schedules, share.schedules) == (
        1, 4, 1, 6,
    )  # fmt: skip
    assert "1 of all 4 interleavings fails, 1 of 6 schedules" in result.coverage
    assert (
        check(lambda world: refill(world, []), search="pct", seed=3, memory="declared").share
        is None
    )


@pytest.mark.parametrize("search", ["pct", "random", "uniform", "all-schedules"])
def test_searches_that_did_not_look_at_everything_move_steps_until_nothing_breaks(search):
    result = check(lambda world: refill(world, []), search=search, seed=3, memory="declared")
    failing, passing, says = told(result)
    assert says == []
    assert sorted(failing) == sorted(passing)
    (turned,) = result.counterexample.passing.turned
    assert [named(step) for step in turned] in (
        ["alice's SET k", "bob's DEL k"], ["bob's origin write k", "alice's origin read k"],
    )  # fmt: skip


def test_where_everything_fails_nothing_is_shown():
    def body(world):
        world.actor("alice", world.existing_cache.client().set, "k", 1)
        world.actor("bob", world.existing_cache.client().set, "k", 2)
        world.run()
        raise AssertionError("always")

    found = check(body).counterexample
    assert found is not None
    assert found.passing is None


def test_what_goes_wrong_while_looking_takes_nothing_from_the_finding():
    failures = []

    def body(world):
        if len(failures) > REPLAYS:  # it was found and confirmed: what comes now only compares
            raise SupercacheError("not now")
        try:
            refill(world, [])
        except AssertionError:
            failures.append(1)
            raise

    result = check(body, search="all-schedules", memory="declared")
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.schedule == Schedule(("alice", "bob", "bob", "alice"))
    assert result.counterexample.replays == "10/10"
    assert result.counterexample.passing is None
