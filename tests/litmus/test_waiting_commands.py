"""Commands that wait in the server, BLPOP and the like: who waits for data waits for a turn."""

from itertools import product

import pytest
import redis
from redis.cache import CacheConfig
from redis.exceptions import ConnectionError as BrokenConnectionError
from redis.exceptions import ResponseError

from pytest_supercache import Faults, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.redis.blocking_commands import ALIKE
from tests.selection import either, few

SEARCHES = ["all-schedules", "exhaustive"]

WAITING = {
    "BLPOP": (lambda c: c.blpop("q", 0), lambda c: c.rpush("q", "v"), ("q", "v")),
    "BRPOP": (lambda c: c.brpop(["p", "q"], 0), lambda c: c.rpush("q", "v"), ("q", "v")),
    "BRPOPLPUSH": (lambda c: c.brpoplpush("q", "r", 0), lambda c: c.rpush("q", "v"), "v"),
    "BLMOVE": (lambda c: c.blmove("q", "r", 0), lambda c: c.rpush("q", "v"), "v"),
    "an empty text": (lambda c: c.blmove("q", "r", 0), lambda c: c.rpush("q", ""), ""),
    "BLMPOP": (
        lambda c: c.blmpop(0, 2, "p", "q", direction="LEFT"),
        lambda c: c.rpush("q", "v"),
        ["q", ["v"]],
    ),
    "BZPOPMIN": (lambda c: c.bzpopmin("z", 0), lambda c: c.zadd("z", {"v": 1}), ("z", "v", 1.0)),
    "BZPOPMAX": (lambda c: c.bzpopmax("z", 0), lambda c: c.zadd("z", {"v": 1}), ("z", "v", 1.0)),
    "XREAD": (
        lambda c: c.xread({"s": "0"}, block=0),
        lambda c: c.xadd("s", {"f": "v"}, id="1-1"),
        [["s", [("1-1", {"f": "v"})]]],
    ),
}


def raced(pop, push):
    """One waits for what the other one stores, after a step of its own."""
    answers = []

    def body(world):
        client = world.existing_cache.client(decode_responses=True, protocol=2)
        world.actor("pop", pop, client)
        world.actor("push", lambda: (client.get("x"), push(client)))
        answers.append(world.run()["pop"])

    return body, answers


FIRST = [
    *((name, "all-schedules") for name in ("BLPOP", "an empty text")),
    *((name, "exhaustive") for name in ("BLPOP", "BRPOP", "BLMPOP", "BZPOPMIN", "XREAD")),
]
REST = product(WAITING, SEARCHES)


@pytest.mark.parametrize(("name", "search"), few(dict.fromkeys([*FIRST, *REST]), len(FIRST)))
def test_it_is_answered_whoever_comes_first(name, search):
    pop, push, answer = WAITING[name]
    body, answers = raced(pop, push)
    result = check(body, search=search)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert ALIKE in result.coverage
    assert all(found == answer for found in answers)


@pytest.mark.redis_server
def test_a_real_server_is_never_let_wait():
    server = start_server("redis-server")
    try:
        for pop, push, answer in list(WAITING.values())[: either(4, len(WAITING))]:
            body, answers = raced(pop, push)
            result = check_on(server, body, Exploration(search="exhaustive"), guarantees=())
            assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
            assert all(found == answer for found in answers)
    finally:
        server.close()


@pytest.mark.parametrize("search", SEARCHES)
def test_it_gives_up_when_its_time_is_over_and_not_before(search):
    seen = set()

    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def pop():
            answer = client.blpop("q", 2)
            seen.add((answer, world.clock.now()))

        world.actor("pop", pop)
        world.actor("push", client.rpush, "q", "v")
        world.run()

    assert check(body, search=search, ticks=1).verdict is Verdict.HOLDS
    assert seen == {(("q", "v"), 0.0), (("q", "v"), 2.0), (None, 2.0)}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("search", SEARCHES)
def test_of_a_stream_it_gets_what_came_after_it_was_sent(search, protocol):
    seen = set()

    def body(world):
        client = world.existing_cache.client(decode_responses=True, protocol=protocol)
        client.xadd("s", {"f": "old"}, id="1-1")
        world.actor("read", client.xread, {"s": "$"}, block=1_000)
        world.actor("add", client.xadd, "s", {"f": "new"}, id="2-1")
        answer = world.run()["read"]
        seen.add("new" in str(answer))
        assert "old" not in str(answer)

    assert check(body, search=search).verdict is Verdict.HOLDS
    assert seen == {True, False}  # added before it was sent, or too late: it waits in vain


def test_a_consumer_waits_for_what_nobody_of_its_group_has_had():
    def body(world):
        client = world.existing_cache.client(decode_responses=True, protocol=2)
        client.xgroup_create("s", "g", mkstream=True)

        def consume(name):
            return client.xreadgroup("g", name, {"s": ">"}, count=1, block=0)

        for name in ("one", "two"):
            world.actor(name, consume, name)
        world.actor("add", lambda: [client.xadd("s", {"f": thing}) for thing in "ab"])
        answers = world.run()
        had = sorted(entry["f"] for name in ("one", "two") for _, entry in answers[name][0][1])
        assert had == ["a", "b"]

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS


def test_who_waits_for_ever_is_found_and_a_daemon_may():
    def body(world, *, daemon):
        client = world.existing_cache.client()
        world.actor("pop", client.blpop, "q", 0, daemon=daemon)
        world.actor("other", client.get, "x")
        world.run()

    result = check(lambda world: body(world, daemon=False))
    assert result.verdict is Verdict.VIOLATED
    assert "pop waits at 'BLPOP q, at last'" in result.counterexample.violation.summary
    assert check(lambda world: body(world, daemon=True)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("search", SEARCHES)
def test_each_thing_is_given_to_one_of_those_who_wait(search):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        world.actor("one", client.blpop, "q", 0)
        world.actor("two", client.blpop, "q", 0)
        world.actor("push", lambda: [client.rpush("q", thing) for thing in "ab"])
        answers = world.run()
        assert {answers["one"][1], answers["two"][1]} == {"a", "b"}

    assert check(body, search=search).verdict is Verdict.HOLDS


def test_a_lock_of_a_list_keeps_others_out_and_a_broken_one_does_not():
    """As walrus does it: a token in a list, which whoever leaves puts back."""

    def body(world, *, puts_back):
        client = world.existing_cache.client(decode_responses=True)
        client.rpush("lock", "token")

        def add():
            client.blpop("lock", 0)
            number = int(client.get("n") or 0)
            if puts_back == "early":
                client.rpush("lock", "token")
            client.set("n", number + 1)
            if puts_back == "late":
                client.rpush("lock", "token")

        world.actor("one", add)
        world.actor("two", add)
        world.run()
        assert client.get("n") == "2"

    assert check(lambda world: body(world, puts_back="late")).verdict is Verdict.HOLDS
    assert check(lambda world: body(world, puts_back="early")).verdict is Verdict.VIOLATED


def test_an_error_comes_at_once():
    def body(world):
        client = world.existing_cache.client()
        client.set("q", "no list")

        def pop():
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                client.blpop("q", 0)

        world.actor("pop", pop)
        world.run()

    assert check(body).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("BLPOP", 0), "BLPOP: fakeredis"),
        (("BLMPOP", 0, "many", "q", "LEFT"), None),
        (("XREAD", "BLOCK", 0, "s", "0"), "XREAD: fakeredis"),
        (("BLPOP", "q", -1), None),
        (("BLPOP", "q", "soon"), None),
    ],
)
def test_one_that_is_not_well_formed_is_an_error_at_once(words, said):
    """A form that fakeredis does not know may be one that a server does."""

    def body(world):
        def send():
            with pytest.raises(ResponseError):
                world.existing_cache.client().execute_command(*words)

        world.actor("send", send)
        world.run()

    result = check(body)
    assert result.verdict is (Verdict.UNKNOWN if said else Verdict.HOLDS)
    assert [reason.startswith(said) for reason in result.reasons] == ([True] if said else [])


@pytest.mark.parametrize("words", [("blpop", b"q", "0"), (b"BLPOP", "q", 0.0), ("BLPOP q", 0)])
def test_however_it_is_written(words):
    body, answers = raced(lambda c: c.execute_command(*words), lambda c: c.rpush("q", "v"))
    assert check(body, search="all-schedules").verdict is Verdict.HOLDS
    assert {tuple(answer) for answer in answers} == {("q", "v")}


def test_another_database_is_another_queue():
    def body(world):
        here = world.existing_cache.client(decode_responses=True)
        there = world.existing_cache.client(decode_responses=True, db=3)
        world.actor("pop", there.blpop, "q", 0)
        world.actor("push", lambda: (here.rpush("q", "no"), there.rpush("q", "yes")))
        assert world.run()["pop"] == ("q", "yes")

    assert check(body, search="all-schedules").verdict is Verdict.HOLDS


def test_what_was_found_replays():
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        world.actor("pop", client.blpop, "q", 1)
        world.actor("push", client.rpush, "q", "v")
        assert world.run()["pop"] is not None

    result = check(body)
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.replays == "10/10"


def in_a_pipeline(client):
    pipeline = client.pipeline(transaction=False)
    pipeline.blpop("q", 0)
    return pipeline.execute()


def pops(client):
    return client.blpop("q", 0)


def check_held(pop=pops, make=None, **options):
    def body(world):
        client = make() if make else world.existing_cache.client(decode_responses=True)
        world.actor("pop", pop, client)
        world.actor("push", client.rpush, "q", "v")
        world.run()

    return check(body, **options)


def pooled(size):
    return redis.Redis(connection_pool=redis.ConnectionPool(max_connections=size))


HELD = {
    "in a pipeline": {"pop": in_a_pipeline},
    "at grain wire": {"grain": "wire"},
    "with one connection in the pool": {"make": lambda: pooled(1)},
    "with one connection": {"make": lambda: redis.Redis(single_connection_client=True)},
    "with a clock that is wrong": {"faults": Faults(kinds=("clock_skew",), max=1)},
    "with a failover": {"faults": Faults(kinds=("failover",), max=1)},
}


@pytest.mark.parametrize("how", HELD)
def test_where_it_cannot_be_held_back_nothing_is_proved(how):
    result = check_held(**HELD[how])
    assert result.verdict is Verdict.UNKNOWN
    assert "waits in the server" in "".join(result.reasons)


def test_a_pool_that_has_a_connection_for_everybody_does():
    assert check_held(make=lambda: pooled(3)).verdict is Verdict.HOLDS


def test_a_pause_is_not_the_end_of_its_time():
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        world.actor("pop", pops, client)
        world.actor("push", lambda: (client.get("x"), client.rpush("q", "v")))
        assert world.run()["pop"] == ("q", "v")

    result = check(body, faults=Faults(kinds=("pause",), max=1))
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)


def test_another_type_is_an_error_when_it_is_sent_and_is_not_noticed_while_it_waits():
    seen = set()

    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def push():
            client.set("q", "text")
            client.delete("q")
            client.rpush("q", "v")

        def pop():
            try:
                assert client.blpop("q", 0) == ("q", "v")
                return "answered"
            except ResponseError:
                return "refused"

        world.actor("pop", pop)
        world.actor("push", push)
        how = world.run()["pop"]
        labels = [step.label for step in world.context.record.steps]
        seen.add((how, labels.index("BLPOP q") < labels.index("SET q")))

    assert check(body, search="all-schedules").verdict is Verdict.HOLDS
    assert seen == {("answered", True), ("refused", False), ("answered", False)}


@pytest.mark.redis_server
@pytest.mark.parametrize("kind", ["asyncio", "asyncio pipeline", "client-side cache"])
def test_on_a_real_server_some_prove_nothing(kind):
    async def on_asyncio(world):
        client = world.existing_cache.aclient()

        async def in_a_pipeline():
            pipeline = client.pipeline(transaction=False)
            pipeline.blpop("q", 1)
            await pipeline.execute()

        async def by_itself():
            await client.blpop("q", 0)

        world.actor("pop", in_a_pipeline if "pipeline" in kind else by_itself)
        world.actor("push", client.rpush, "q", "v")
        await world.run()

    def with_a_cache(world):
        client = redis.Redis(protocol=3, cache_config=CacheConfig())
        world.actor("pop", pops, client)
        world.actor("push", client.rpush, "q", "v")
        world.run()

    body = with_a_cache if "cache" in kind else on_asyncio
    server = start_server("redis-server")
    try:
        result = check_on(server, body, Exploration(), guarantees=())
    finally:
        server.close()
    assert result.verdict is Verdict.UNKNOWN
    assert "waits in the server" in result.reasons[0]


def test_in_a_transaction_it_does_not_wait():
    def body(world):
        client = world.existing_cache.client()

        def pop():
            pipeline = client.pipeline()
            pipeline.blpop("q", 0)
            return pipeline.execute()

        world.actor("pop", pop)
        world.actor("other", client.get, "x")
        assert world.run()["pop"] == [None]

    assert check(body).verdict is Verdict.HOLDS


def test_a_connection_that_breaks_meanwhile_is_told():
    told = []

    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def until_it_works(command, *args):
            try:
                return command(*args)
            except BrokenConnectionError:
                told.append("broken")
                return command(*args)

        world.actor("pop", until_it_works, client.blpop, "q", 0)
        world.actor("push", until_it_works, client.rpush, "q", "v")
        assert world.run()["pop"] == ("q", "v")

    faults = Faults(kinds=("error_before",), max=1)
    result = check(body, faults=faults)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert told
