"""Programs on the real stack with their complete set of outcomes and exact number of schedules."""

from collections import Counter
from functools import partial
from math import comb

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.selection import few

BACKENDS = [
    "fakeredis",
    pytest.param("redis-server", marks=pytest.mark.redis_server),
    pytest.param("valkey-server", marks=pytest.mark.valkey_server),
]


def explored(body, backend="fakeredis"):
    """Run every schedule of ``body``; return the result."""
    settings = Exploration(search="all-schedules", stop_at_first=False)
    server = start_server(backend)
    try:
        return check_on(server, body, settings, guarantees=())
    finally:
        server.close()


def outcomes(run, **options):
    """Count what ``run(world)`` returned over every schedule of the search itself."""
    seen = []

    def body(world):
        seen.append(None)
        seen[-1] = run(world)

    result = check(body, search="all-schedules", **options)
    assert result.verdict is Verdict.HOLDS
    return Counter(seen[-result.executions :]), result


def gets(world, count, key):
    client = world.existing_cache.client()

    def flow():
        for _ in range(count):
            client.get(key)

    return flow


@pytest.mark.parametrize(("a", "b"), few([(1, 1), (2, 3), (1, 4), (3, 3), (4, 5)], 2))
def test_two_straight_programs_take_all_their_merges(a, b):
    def body(world):
        world.actor("a", gets(world, a, "x"))
        world.actor("b", gets(world, b, "y"))
        world.run()

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.HOLDS
    assert result.executions == result.schedules == comb(a + b, a)


def test_three_straight_programs_take_all_their_merges():
    def body(world):
        for name in "abc":
            world.actor(name, gets(world, 2, name))
        world.run()

    assert check(body, search="all-schedules").executions == 90


def test_code_before_the_first_step_adds_no_schedule():
    def body(world):
        def late():
            sum(range(100))
            gets(world, 2, "x")()
            sum(range(100))

        world.actor("a", late)
        world.actor("b", late)
        world.run()

    assert check(body, search="all-schedules").executions == 6


def counters(world, increment):
    client = world.existing_cache.client()
    for name in ("a", "b"):
        world.actor(name, increment, client)
    world.run()
    return int(world.existing_cache.peek("n"))


def read_then_write(client):
    value = int(client.get("n") or 0)
    client.set("n", value + 1)


def test_an_increment_in_two_commands_loses_updates_in_four_of_six_schedules():
    seen, result = outcomes(lambda world: counters(world, read_then_write))
    assert seen == {2: 2, 1: 4}
    assert result.executions == 6


def test_an_increment_in_one_command_loses_nothing():
    seen, _ = outcomes(lambda world: counters(world, lambda client: client.incr("n")))
    assert seen == {2: 2}


def increment_in_a_transaction(client):
    client.transaction(lambda pipe: _queue_increment(pipe), "n")


def _queue_increment(pipe):
    value = int(pipe.get("n") or 0)
    pipe.multi()
    pipe.set("n", value + 1)


def test_a_watched_transaction_loses_nothing_in_any_schedule():
    seen, _ = outcomes(lambda world: counters(world, increment_in_a_transaction))
    assert set(seen) == {2}


def store_buffer(world):
    client = world.existing_cache.client()

    def flow(mine, theirs):
        client.set(mine, 1)
        return client.get(theirs) is not None

    world.actor("a", flow, "x", "y")
    world.actor("b", flow, "y", "x")
    answers = world.run()
    return answers["a"], answers["b"]


def test_two_writers_that_look_at_each_other_never_both_see_nothing():
    seen, result = outcomes(store_buffer)
    assert seen == {(True, True): 4, (True, False): 1, (False, True): 1}
    assert result.executions == 6


def message_passing(world):
    client = world.existing_cache.client(decode_responses=True)

    def send():
        client.set("data", "sent")
        client.set("flag", "up")

    def receive():
        return client.get("flag"), client.get("data")

    world.actor("sender", send)
    world.actor("receiver", receive)
    return world.run()["receiver"]


def test_whoever_sees_the_flag_sees_the_data():
    seen, _ = outcomes(message_passing)
    assert seen == {("up", "sent"): 1, (None, "sent"): 4, (None, None): 1}


# The common workloads of the comparison with other tools: look-aside refills and a writer.


def price_of(world):
    """Return what the cache may hold: nothing, or the origin's value."""
    return {None, world.origin.peek("k")}


def look_aside(world):
    client = world.existing_cache.client(decode_responses=True)
    world.origin.restore({"k": "1"})

    def read():
        if client.get("k") is None:
            client.set("k", world.origin.get("k"))

    def write():
        world.origin.set("k", "2")
        client.delete("k")

    world.actor("reader", read)
    world.actor("writer", write)
    world.run()
    assert world.existing_cache.peek("k") in price_of(world)


def two_refreshers(world, users=("one", "two")):
    client = world.existing_cache.client(decode_responses=True)
    world.origin.restore({"k": "1"})

    def refresh():
        client.get("k")
        client.set("k", world.origin.get("k"))

    def write():
        client.delete("k")
        world.origin.set("k", "2")
        client.delete("k")

    for name in users:
        world.actor(name, refresh)
    world.actor("writer", write)
    world.run()
    assert world.existing_cache.peek("k") in price_of(world)


def two_refreshers_with_generations(world, users=("one", "two")):
    client = world.existing_cache.client(decode_responses=True)
    world.origin.restore({"k": "1"})

    def refresh():
        generation = client.get("generation") or "0"
        client.set(f"k:{generation}", world.origin.get("k"))

    def write():
        world.origin.set("k", "2")
        generation = client.incr("generation")
        client.delete(f"k:{generation - 1}")

    for name in users:
        world.actor(name, refresh)
    world.actor("writer", write)
    world.run()
    generation = world.existing_cache.peek("generation") or "0"
    assert world.existing_cache.peek(f"k:{generation}") in price_of(world)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stale_set_fails_in_exactly_one_of_ten_schedules(backend):
    fails_exactly(look_aside, 10, 1, backend)


@pytest.mark.parametrize("backend", few(BACKENDS, 1))
@pytest.mark.parametrize(
    ("body", "schedules", "failing"),
    few(
        [
            (partial(two_refreshers, users=["one"]), 20, 3),
            (partial(two_refreshers_with_generations, users=["one"]), 20, 0),
            (two_refreshers, 1680, 336),
            (two_refreshers_with_generations, 1680, 0),
        ],
        2,
    ),
)
def test_larger_workloads_fail_in_exactly_their_failing_schedules(
    body, schedules, failing, backend
):
    fails_exactly(body, schedules, failing, backend)


def fails_exactly(body, schedules, failing, backend):
    result = explored(body, backend)
    assert (result.executions, result.violating) == (schedules, failing)
    assert result.exhausted
    assert result.verdict is (Verdict.VIOLATED if failing else Verdict.HOLDS)
    assert result.blocked == 0


def test_the_witness_of_the_stale_set_is_the_smallest_and_replays():
    result = explored(look_aside)
    found = result.counterexample
    assert found is not None
    assert found.preemptions == 1
    assert found.minimal
    assert found.replays == "10/10"
    assert found.schedule.choices == ("reader", "reader", "writer", "writer", "reader")
    assert found.token == "sc1:check:reader*2,writer*2,reader"


def test_a_search_that_was_cut_off_is_unknown_although_nothing_was_found():
    settings = {"search": "all-schedules", "stop_at_first": False}
    assert (
        check(two_refreshers_with_generations, executions=5, **settings).verdict is Verdict.UNKNOWN
    )
    assert check(look_aside, preemptions=0, **settings).verdict is Verdict.UNKNOWN
    assert check(look_aside, preemptions=1, **settings).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("search", ["pct", "random", "uniform", "hypothesis"])
def test_a_search_that_samples_finds_and_never_proves(search):
    assert check(two_refreshers, search=search, executions=300).verdict is Verdict.VIOLATED
    healthy = check(look_aside_without_writer, search=search, executions=20)
    assert healthy.verdict is Verdict.UNKNOWN


def look_aside_without_writer(world):
    world.actor("a", gets(world, 2, "k"))
    world.actor("b", gets(world, 2, "k"))
    world.run()


@pytest.mark.parametrize("search", ["random", "hypothesis"])
def test_a_search_that_samples_ends_quietly_when_its_time_is_over(search):
    result = check(look_aside_without_writer, search=search, time=0.2, executions=10**6)
    assert result.verdict is Verdict.UNKNOWN
