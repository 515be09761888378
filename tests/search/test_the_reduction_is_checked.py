"""A search with a reduction executes further schedules: all, or fewer that stand for them."""

from math import comb

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.reduction_check import RANDOM_RUNS
from tests.litmus import test_counts_and_workloads as workloads
from tests.selection import few

OPERATIONS = {3: "r", 5: "rw", 6: "rr"}
"""What a user of the shop does in at most so many steps: a read takes three, a write two."""


def shop(*, users, steps, keys):
    """Users read through a cache, and write to the origin and invalidate.

    The first serial run is short, because the second reader finds what the first one has filled.
    """

    def body(world):
        client, origin = world.existing_cache.client(decode_responses=True), world.origin
        origin.restore({f"k{number}": 0 for number in range(keys)})

        def read(key):
            if client.get(key) is None:
                client.set(key, origin.get(key))

        def write(key):
            origin.set(key, 1)
            client.delete(key)

        def flow(user):
            for number, operation in enumerate(OPERATIONS[steps]):
                (read if operation == "r" else write)(f"k{(user + number) % keys}")

        for user in range(users):
            world.actor(f"user{user}", flow, user)
        world.run()

    return body


def increments(world, names, times, key):
    client = world.existing_cache.client()
    for name in names:
        world.actor(name, lambda n=name: [client.incr(key(n, i)) for i in range(times)])
    world.run()


def runs_of(body):
    """Check a body exhaustively; return the result and how often it ran."""
    ran = 0

    def counted(world):
        nonlocal ran
        ran += 1
        body(world)

    result = check(counted, search="exhaustive", memory="declared")
    return result, ran


@pytest.mark.parametrize(
    ("users", "steps", "keys"), few([(4, 3, 1), (4, 3, 2), (3, 6, 1), (3, 6, 2)], 2)
)
def test_a_first_run_that_is_shorter_than_others_spoils_no_search(users, steps, keys):
    result, ran = runs_of(shop(users=users, steps=steps, keys=keys))
    assert result.verdict is Verdict.HOLDS
    assert not result.notes
    assert result.schedules > result.executions
    serial = 24 + 10  # each order of users, and repetitions
    assert ran <= 2 * result.executions + RANDOM_RUNS + serial


def test_few_schedules_are_all_executed():
    result, _ = runs_of(
        lambda world: increments(world, "ab", 2, key=lambda name, number: f"{name}{number}")
    )
    assert result.coverage.startswith(
        "exhaustive: the only interleaving was executed, in all 6 schedules"
    )


def test_of_many_schedules_one_reversed_of_each_interleaving_and_random_ones_are_executed():
    result, ran = runs_of(workloads.two_refreshers_with_generations)
    assert result.coverage.startswith(
        "exhaustive: all 34 interleavings (of 1,680 schedules) were executed, assuming that steps "
        "share only what they declare; 134 further runs of the same interleavings ended alike"
    )
    assert ran < 34 + 134 + 20

    large, _ = runs_of(
        lambda world: increments(world, "abc", 5, key=lambda name, number: f"{name}{number}")
    )
    assert (large.executions, large.schedules) == (1, 756_756)
    assert "101 further runs of the same interleavings ended alike" in large.coverage


def test_interleavings_of_one_schedule_each_were_all_executed_by_the_search_itself():
    result, ran = runs_of(lambda world: increments(world, "ab", 5, key=lambda _name, _number: "k"))
    assert result.coverage.startswith(f"exhaustive: all {comb(10, 5)} schedules were executed")
    assert ran < comb(10, 5) + RANDOM_RUNS + 20
