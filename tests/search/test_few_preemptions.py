"""A search that has a long way to go tries the schedules with few preemptions first."""

import pytest

from pytest_supercache import Verdict, check

LONG = 12
"""Steps of each user on two keys: with two users, too many interleavings to execute."""


def counts(client, steps=LONG):
    for number in range(steps):
        client.incr(f"k{number % 2}")


def two_count(world, steps=LONG):
    client = world.existing_cache.client()
    for user in "ab":
        world.actor(user, counts, client, steps)
    world.run()


def lost_at_the_beginning(world):
    """What `b` adds last is lost if all of its steps come between the first two of `a`."""
    client = world.existing_cache.client(decode_responses=True)

    def reads_and_writes():
        value = int(client.get("n") or 0)
        client.set("n", value + 1)
        counts(client)

    def counts_and_adds():
        counts(client)
        client.incr("n")

    world.actor("a", reads_and_writes)
    world.actor("b", counts_and_adds)
    world.run()
    assert client.get("n") == "2"


def test_a_conflict_of_one_preemption_is_found_where_the_tree_is_out_of_reach():
    result = check(lost_at_the_beginning, executions=1_000)
    assert result.verdict is Verdict.VIOLATED
    found = result.counterexample
    assert (found.preemptions, found.minimal) == (1, True)
    assert result.executions < 200
    assert found.replays == "10/10"
    assert found.causes, "it is compared with the executions that passed"


def test_without_a_conflict_the_answer_says_how_many_preemptions_were_all_tried():
    result = check(two_count, executions=1_000)
    assert result.verdict is Verdict.UNKNOWN
    assert "no violation with at most 1 preemption (all 24 executed)" in result.coverage
    assert result.executions <= 1_000
    assert "The cheapest next step is --supercache-preemptions=2: at least " in result.reasons[0]
    assert "For a proof, give more with --supercache-executions" in result.reasons[0]


def test_a_search_that_comes_to_its_end_counts_its_interleavings_only():
    def few(world):
        two_count(world, steps=4)

    alone = check(few, search="exhaustive")
    interrupted = check(few, executions=alone.executions * 2)
    assert interrupted.verdict is alone.verdict is Verdict.HOLDS
    assert interrupted.executions == alone.executions
    assert interrupted.coverage == alone.coverage


@pytest.mark.parametrize("options", [{"search": "exhaustive"}, {"stop_at_first": False}])
def test_what_asks_for_all_or_counts_all_is_not_interrupted(options):
    result = check(two_count, executions=300, **options)
    assert "preemption" not in result.coverage
