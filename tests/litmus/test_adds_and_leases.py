"""SET NX with a time to live adds an entry to a cache, or takes a lock that may run out."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from redis.exceptions import ConnectionError as LostConnectionError

from pytest_supercache import Faults, Verdict, check
from pytest_supercache.core.real_clock import real_seconds
from tests.selection import few


def reads_through(client, origin):
    if client.get("k") is None:
        client.set("k", origin.get("k"), nx=True, ex=10)


def two_readers_and_a_writer(world):
    """A cache whose fill never overwrites; the writer deletes what others have added."""
    client, origin = world.existing_cache.client(decode_responses=True), world.origin
    origin.restore({"k": 0})

    def writes():
        origin.set("k", 1)
        client.delete("k")

    for name in ("alice", "bob"):
        world.actor(name, reads_through, client, origin)
    world.actor("carol", writes)
    world.run()


def counts_under_a_lock(world, command):
    """The lock runs out while its holder is slow, and the count of somebody else is lost."""
    client = world.existing_cache.client(decode_responses=True)

    def adds_one():
        if client.set("lock", "held", nx=True, ex=10):
            value = int(client.get("n") or 0)
            client.set("n", value + 1)
            client.execute_command(command, "lock")
            return 1
        return 0

    for name in ("alice", "bob"):
        world.actor(name, adds_one)
    assert sum(world.run().values()) == int(client.get("n"))


def asks_until_it_is_told_yes(world):
    client = world.existing_cache.client(decode_responses=True)

    def claims():
        return any(client.set("claim", "held", nx=True, ex=10) for _ in range(3))

    for name in ("alice", "bob"):
        world.actor(name, claims)
    assert sum(world.run().values()) == 1


def claims_once(world):
    client = world.existing_cache.client(decode_responses=True)
    for name in ("alice", "bob"):
        world.actor(name, lambda: bool(client.set("claim", "held", nx=True, ex=10)))
    assert sum(world.run().values()) == 1


def a_reader_adds_twice(world):
    """In one function, and what it adds first is deleted before it adds again."""
    client, origin = world.existing_cache.client(decode_responses=True), world.origin
    origin.restore({"k": 0})

    def reads_twice():
        reads_through(client, origin)
        reads_through(client, origin)

    world.actor("alice", reads_twice)
    world.actor("bob", client.delete, "k")
    world.run()


def added_by_the_body_itself(world):
    """It adds and deletes before and after the race, when nobody runs out of time."""
    client = world.existing_cache.client()
    client.set("k", 1, nx=True, ex=10)
    client.delete("k")
    for name in ("alice", "bob"):
        world.actor(name, client.set, "k", 1, nx=True, ex=10)
    world.run()
    client.set("k", 1, nx=True, ex=10)
    client.set("k", 1, nx=True, ex=10)


@pytest.mark.parametrize(
    "body",
    few([a_reader_adds_twice, claims_once, added_by_the_body_itself, two_readers_and_a_writer], 3),
)
def test_an_entry_that_is_added_does_not_run_out_early(body):
    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert result.scope["early ticks"] == 0
    assert result.executions == check(body, ticks=0).executions


@pytest.mark.parametrize("command", few(["DEL", "GETDEL", "UNLINK"], 2))
def test_what_its_holder_deletes_was_a_lock_and_may_run_out_before(command):
    result = check(lambda world: counts_under_a_lock(world, command))
    assert result.verdict is Verdict.VIOLATED
    assert "@clock" in result.counterexample.schedule.choices
    assert result.counterexample.replays == "10/10"
    assert any("waits 10 s" in note and "ticks: 0" in note for note in result.notes)


def test_who_asks_again_waits_for_a_lock_to_run_out():
    result = check(asks_until_it_is_told_yes)
    assert result.verdict is Verdict.VIOLATED
    assert "@clock" in result.counterexample.schedule.choices


def retries_after_a_fault(world):
    """Only where the reply is lost it asks again, and the key may run out meanwhile."""
    client = world.existing_cache.client(decode_responses=True)
    client.set("warm", 1)

    def adds():
        for _ in range(2):
            try:
                client.set("once", "mine", nx=True, ex=10)
            except LostConnectionError:
                continue
        return client.get("once")

    world.actor("alice", adds)
    world.actor("bob", client.get, "warm")
    world.run()


def test_what_is_known_of_locks_does_not_depend_on_who_searches():
    faults = Faults(max=1, kinds=("error_after",))
    alone = check(retries_after_a_fault, faults=faults)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        together = check(retries_after_a_fault, faults=faults, executor=pool)
    assert (alone.verdict, alone.executions) == (together.verdict, together.executions)
    assert alone.scope == together.scope


def counts_under_locks_named(world, name):
    client = world.existing_cache.client(decode_responses=True)

    def adds_one():
        lock = f"lock:{name()}"
        if client.set(lock, "held", nx=True, ex=10):
            client.delete(lock)

    world.actor("alice", adds_one)
    world.actor("bob", adds_one)
    world.run()


def test_a_lock_with_another_name_in_every_run_is_named_and_a_steady_one_is_searched():
    result = check(lambda world: counts_under_locks_named(world, real_seconds))
    assert result.verdict is Verdict.UNKNOWN
    (reason,) = result.reasons
    assert "other names in every run, for example 'lock:" in reason
    steady = check(lambda world: counts_under_locks_named(world, lambda: "n"))
    assert steady.verdict is Verdict.HOLDS, steady.reasons
