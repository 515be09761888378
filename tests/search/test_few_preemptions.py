"""A search that has a long way to go tries the schedules with few preemptions first."""

import pytest

from pytest_supercache import Guarantee, Verdict, check
from tests.selection import either

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
    result = check(lost_at_the_beginning, executions=500)
    assert result.verdict is Verdict.VIOLATED
    found = result.counterexample
    assert (found.preemptions, found.minimal) == (1, True)
    assert result.executions < 100
    assert found.replays == "10/10"
    assert found.causes, "it is compared with the executions that passed"


def test_without_a_conflict_the_answer_says_how_many_preemptions_were_all_tried():
    result = check(two_count, executions=300)
    assert result.verdict is Verdict.UNKNOWN
    assert "no violation with at most 1 preemption (all 24 executed)" in result.coverage
    assert result.executions <= 300
    assert "The cheapest next step is --supercache-preemptions=2, with" in result.reasons[0]
    assert "For a proof, give more with --supercache-executions" in result.reasons[0]


def test_a_search_that_comes_to_its_end_counts_its_interleavings_only():
    ran = 0

    def few(world):
        nonlocal ran
        ran += 1
        two_count(world, steps=5)

    alone = check(few, search="exhaustive")
    runs, ran = ran, 0
    interrupted = check(few, executions=alone.executions * 2)
    assert runs + 10 <= ran, "it was interrupted"
    assert interrupted.verdict is alone.verdict is Verdict.HOLDS
    assert interrupted.executions == alone.executions
    assert interrupted.coverage == alone.coverage


def test_where_few_preemptions_are_all_there_are_nothing_else_is_needed():
    def on_one_key(world):
        client = world.existing_cache.client()
        for user in "ab":
            world.actor(user, lambda: [client.incr("k") for _ in range(3)])
        world.run()

    result = check(on_one_key, executions=200)
    assert result.verdict is Verdict.HOLDS
    assert result.executions == result.schedules == 20


@pytest.mark.parametrize("options", [{"search": "exhaustive"}, {"stop_at_first": False}])
def test_what_asks_for_all_or_counts_all_is_not_interrupted(options):
    result = check(two_count, executions=100, **options)
    assert "preemption" not in result.coverage


def nothing(_execution):
    """Hold, always; partial-order reduction is off because it says nothing of orders."""


def three_preemptions_show_it(world):
    client = world.existing_cache.client(decode_responses=True)
    seen = []

    def alone(name, between):
        for _ in range(3):
            client.incr(name)
        between()
        for _ in range(3):
            client.incr(name)

    world.actor("a", alone, "ka", lambda: [seen.append(client.get("n")) for _ in range(3)])
    world.actor("b", alone, "kb", lambda: [client.incr("n") for _ in range(2)])
    world.actor("c", alone, "kc", lambda: None)
    world.run()
    assert len(set(seen)) < 3


def test_a_finding_that_was_drawn_is_told_as_the_smallest_only_if_fewer_preemptions_were_tried():
    for seed in range(either(1, 2)):
        guarantee = Guarantee("nothing", nothing, real_time=True)
        found = check(
            three_preemptions_show_it, guarantees=[guarantee], executions=300, seed=seed
        ).counterexample
        assert found is None or found.preemptions == 3 or not found.minimal
