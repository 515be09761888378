"""Clients of Redis Cluster and Sentinel are led to the cache, as to one node with all slots."""

import socket
import time
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
import redis
import redis.asyncio
import redis.sentinel
import valkey
import valkey.asyncio

from pytest_supercache import Faults, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.adapters.flows import counting, is_conflict, judged
from tests.adapters.servers import READY_SECONDS, folder_of, running
from tests.selection import few

ADDRESS = {"host": "cluster.invalid", "port": 7000, "decode_responses": True}
SENTINELS = [("sentinel.invalid", 26379)]


def cluster(_world=None):
    return redis.RedisCluster(**ADDRESS)


def cluster_of_valkey(_world):
    return valkey.ValkeyCluster(**ADDRESS)


def primary(_world):
    return redis.sentinel.Sentinel(SENTINELS).master_for("shop", decode_responses=True)


CLIENTS = few([cluster, cluster_of_valkey, primary], 2)


def read_and_store(client):
    client.set("n", int(client.get("n") or 0) + 1)


def increment(client):
    client.incr("n")


def store_if_unchanged(client):
    with client.pipeline(transaction=True) as pipeline:
        while True:
            with suppress(redis.WatchError):
                pipeline.watch("n")
                number = int(pipeline.get("n") or 0)
                pipeline.multi()
                pipeline.set("n", number + 1)
                return pipeline.execute()


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(("bump", "conflict"), [(read_and_store, True), (increment, False)])
def test_two_users_of_a_cluster_lose_a_count_unless_the_server_counts(make, bump, conflict):
    result = counting(make, bump, lambda client: client.get("n"))
    assert is_conflict(result) is conflict
    assert ("as one node" in result.coverage) is (make is not primary)
    assert ("Redis Sentinel without failover" in result.coverage) is (make is primary)


@pytest.mark.parametrize("make", [cluster, primary])
def test_a_server_of_a_cluster_fails_over_as_a_fault(make):
    """The twin: without the fault nobody is answered an old price."""

    def body(world):
        client = make(world)
        client.set("tea", "old")
        world.actor("a", client.delete, "tea")
        world.run()
        assert client.get("tea") is None

    assert judged(body).verdict is Verdict.HOLDS
    result = judged(body, faults=Faults(kinds=("failover",)))
    assert result.verdict is Verdict.VIOLATED
    assert "failover to a replica" in str(result.counterexample)
    assert "without failover" not in result.coverage


def test_a_transaction_of_a_cluster_sees_a_change_of_what_it_watches():
    result = counting(cluster, store_if_unchanged, lambda client: client.get("n"))
    assert not is_conflict(result)


def two_prices(world, *, transaction, keys=("{tea}:net", "{tea}:gross")):
    client = cluster(world)

    def reprice(price):
        pipeline = client.pipeline(transaction=transaction)
        for key in keys:
            pipeline.set(key, price)
        pipeline.execute()

    world.actor("a", reprice, "1")
    world.actor("b", reprice, "2")
    world.run()
    assert len({client.get(key) for key in keys}) == 1


@pytest.mark.parametrize("transaction", [False, True])
def test_commands_of_a_pipeline_interleave_unless_it_is_a_transaction(transaction):
    result = judged(lambda world: two_prices(world, transaction=transaction))
    assert is_conflict(result) is not transaction


AT_ONCE = {
    "two slots": ("net", "gross"),
    "one slot": ("{tea}net", "{tea}gross"),
}
"""Keys that are set in one pipeline, the second after the first if one node has both."""


@pytest.mark.parametrize("slots", AT_ONCE)
def test_nodes_execute_their_parts_of_a_pipeline_in_any_order(slots):
    first, second = AT_ONCE[slots]

    def body(world):
        client = cluster(world)
        seen = {}
        world.actor("writer", lambda: client.pipeline().set(first, 1).set(second, 1).execute())
        world.actor("reader", lambda: seen.update({k: client.get(k) for k in (second, first)}))
        world.run()
        assert (seen[second], seen[first]) != ("1", None)
        assert client.pipeline().get(first).get(second).execute() == ["1", "1"]

    assert is_conflict(judged(body)) is (slots == "two slots")


@pytest.mark.parametrize("slots", AT_ONCE)
def test_nodes_execute_what_tasks_send_in_any_order(slots):
    first, second = AT_ONCE[slots]

    async def body(world):
        client = redis.asyncio.RedisCluster(**ADDRESS)
        await client.delete(first)
        seen = {}

        async def write():
            await client.pipeline().set(first, 1).set(second, 1).execute()

        async def read():
            for key in (second, first):
                seen[key] = await client.get(key)

        world.actor("writer", write)
        world.actor("reader", read)
        await world.run()
        assert (seen[second], seen[first]) != ("1", None)

    assert is_conflict(judged(body)) is (slots == "two slots")


def test_deleting_keys_of_several_slots_is_a_command_for_each_slot():
    def body(world):
        client = cluster(world)
        client.mset_nonatomic({"a": 1, "b": 1})
        seen = []
        world.actor("writer", lambda: seen.append(client.delete("a", "b", "nothing")))
        world.actor("reader", lambda: seen.append(client.mget_nonatomic("b", "a")))
        world.run()
        assert sorted(map(str, seen)) in (["2", "['1', '1']"], ["2", "[None, None]"])

    assert is_conflict(judged(body))


@pytest.mark.parametrize("make", [redis.asyncio.RedisCluster, valkey.asyncio.ValkeyCluster])
@pytest.mark.parametrize("conflict", [True, False])
def test_tasks_of_a_cluster_lose_a_count_unless_the_server_counts(make, conflict):
    async def body(world):
        client = make(**ADDRESS)
        await client.set("n", 0)

        async def bump():
            if conflict:
                await client.set("n", int(await client.get("n")) + 1)
            else:
                await client.incr("n")

        world.actor("a", bump)
        world.actor("b", bump)
        await world.run()
        assert await client.get("n") == "2"

    assert is_conflict(judged(body)) is conflict


def test_tasks_send_the_commands_of_a_pipeline_one_after_another():
    async def body(world):
        client = redis.asyncio.RedisCluster(**ADDRESS)
        keys = "{tea}:net", "{tea}:gross"
        await client.set(keys[0], 0)

        async def reprice(price):
            pipeline = client.pipeline()
            for key in keys:
                pipeline.set(key, price)
            await pipeline.execute()

        world.actor("a", reprice, 1)
        world.actor("b", reprice, 2)
        await world.run()
        assert len({await client.get(key) for key in keys}) == 1

    assert is_conflict(judged(body))


def test_a_client_of_a_cluster_that_outlives_an_execution_asks_anew():
    client = redis.asyncio.RedisCluster(**ADDRESS)

    async def body(world):
        await client.set("n", 0)

        async def bump():
            await client.incr("n")

        world.actor("a", bump)
        world.actor("b", bump)
        await world.run()
        assert await client.get("n") == "2"

    assert not is_conflict(judged(body))
    assert client._initialize, "as if it had been closed"  # noqa: SLF001 - nothing else tells


def test_a_command_that_a_fault_breaks_is_sent_again_as_the_client_does():
    def body(world):
        client = cluster(world)
        world.actor("a", client.incr, "n")
        world.run()
        assert client.get("n") == "1"

    def broken(kind):
        return check(body, guarantees=(), faults=Faults(max=1, kinds=(kind,))).verdict

    assert broken("error_after") is Verdict.VIOLATED, "it is counted twice"
    assert broken("error_before") is Verdict.HOLDS


@pytest.mark.redis_server
def test_a_cluster_of_a_real_server_is_raced():
    with closing(start_server("redis-server")) as server:

        def body(world):
            client = cluster(world)
            world.actor("a", read_and_store, client)
            world.actor("b", read_and_store, client)
            world.run()
            assert client.get("n") == "2"

        assert is_conflict(check_on(server, body, Exploration(), guarantees=()))


# -- what several servers would do otherwise -------------------------------------------------------


def _listens(client):
    pubsub = client.pubsub()
    pubsub.subscribe("prices")
    pubsub.get_message()


OTHERWISE = {
    "every key": (cluster, lambda client: client.flushall(), "FLUSHALL: it goes to several nodes"),
    "all in a pipeline": (
        cluster, lambda client: client.pipeline().execute_command("RANDOMKEY").execute(),
        "RANDOMKEY: it goes to several nodes",
    ),
    "waiting in a pipeline": (
        cluster,
        lambda client: client.pipeline().execute_command("BLPOP", "a", 0).execute(),
        "BLPOP a: ",
    ),
    "a message": (
        cluster, lambda client: client.publish("prices", "1"), "channels of a Redis Cluster"
    ),
    "channels": (cluster, _listens, "channels of a Redis Cluster"),
    "replicas": (
        lambda _: redis.RedisCluster(
            **ADDRESS, load_balancing_strategy=redis.cluster.LoadBalancingStrategy.ROUND_ROBIN
        ),
        lambda client: client.get("a"), "reads from replicas",
    ),
    "a replica": (
        lambda _: redis.sentinel.Sentinel(SENTINELS).slave_for("shop"),
        lambda client: client.get("a"), "reads from replicas",
    ),
    "a replica of the cluster": (
        cluster,
        lambda client: (client.get_node_from_key("a", replica=True) or client).get("a"),
        "reads from replicas",
    ),
    "replicas if there are any": (
        cluster, lambda client: client.get_replicas() or client.get("a"), "reads from replicas"
    ),
    "a node by hand": (
        cluster, lambda client: client.get_random_node().redis_connection.get("a"),
        "sends commands to a node of a Redis Cluster by itself",
    ),
    "a pipeline to a node": (
        cluster_of_valkey,
        lambda client: client.get_random_node().valkey_connection.pipeline().get("a").execute(),
        "sends commands to a node of a Redis Cluster by itself",
    ),
    "a key that a script was not given": (
        cluster, lambda client: client.eval("return redis.call('GET', ARGV[1])", 1, "a", "b"),
        "a script uses the key b",
    ),
    "another database": (cluster, lambda client: client.move("a", 1), "has one database"),
    "its nodes": (cluster, lambda client: client.cluster_nodes(), "asks for the servers"),
    "its primary": (
        lambda _: redis.sentinel.Sentinel(SENTINELS),
        lambda sentinel: sentinel.discover_master("shop"), "asks for the servers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_several_servers_would_do_otherwise_is_unknown(name):
    make, use, reason = OTHERWISE[name]

    def body(world):
        client = make(world)

        def look():
            with suppress(redis.RedisError):
                use(client)

        world.actor("a", look)
        world.run()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.UNKNOWN, result
    assert reason in result.reasons[0]


def test_a_script_may_use_a_key_of_the_same_slot_that_it_was_not_given():
    def body(world):
        client = cluster(world)
        world.actor("a", client.eval, "return redis.call('SET', '{a}:n', 1)", 1, "a")
        world.run()
        assert client.get("{a}:n") == "1"

    assert not is_conflict(judged(body))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (("replica.invalid", 6379), "Redis at replica.invalid:6379 as one server"),
        (("primary.invalid", 6380), "Redis at primary.invalid:6380 as one server"),
        (("primary.invalid", 6379), None),
    ],
)
def test_a_verdict_says_that_it_takes_several_servers_for_one(others, said):
    def body(world):
        client = redis.Redis("primary.invalid")
        world.actor("a", client.set, "n", 1)
        world.run()
        assert redis.Redis(*others).get("n") == b"1"

    found = judged(body).coverage
    assert (" as one server" in found) is (said is not None)
    assert said is None or said in found


def test_a_transaction_of_tasks_is_unknown_for_redis_py_runs_it_on_threads():
    async def body(world):
        client = redis.asyncio.RedisCluster(**ADDRESS)

        async def store():
            await client.pipeline(transaction=True).set("a", 1).execute()

        world.actor("a", store)
        await world.run()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.UNKNOWN
    assert "each command of a transaction of an asyncio RedisCluster" in result.reasons[0]


# -- a real cluster --------------------------------------------------------------------------------


@contextmanager
def real_cluster():
    """Run a cluster of three nodes; the value is the port of the first."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(_node()) for _ in range(3)]
        for at, node in enumerate(nodes):
            first, last = at * 5462, min((at + 1) * 5462, 16384) - 1
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            port = nodes[0].connection_pool.connection_kwargs["port"]
            node.execute_command("CLUSTER", "MEET", "127.0.0.1", port, port + 1)
        deadline = time.monotonic() + READY_SECONDS
        while not all(_knows_all(node) for node in nodes):
            assert time.monotonic() < deadline, "the nodes do not meet"
            time.sleep(0.02)  # noqa: TID251 - real servers take real time
        yield port


@contextmanager
def _node():
    with folder_of(None) as folder, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1] // 4 * 2  # below those that the system gives away, and even
        client = redis.Redis("127.0.0.1", port)
        options = {
            "port": port, "cluster-port": port + 1, "bind": "127.0.0.1", "cluster-enabled": "yes",
            "dir": folder, "save": "", "appendonly": "no",
        }  # fmt: skip
        command = ["redis-server", *(w for n, v in options.items() for w in (f"--{n}", str(v)))]

        def is_ready():
            with suppress(redis.ConnectionError):
                return client.ping()

        with running(command, None, is_ready=is_ready, cwd=folder), closing(client):
            yield client


def _knows_all(node):
    facts = node.execute_command("CLUSTER INFO")
    return facts["cluster_state"] == "ok" and facts["cluster_known_nodes"] == "3"


def _watched(client):
    with client.pipeline(transaction=True) as pipeline:
        pipeline.watch("{tea}a")
        client.set("{tea}a", "changed")
        pipeline.multi()
        return pipeline.set("{tea}b", 1).execute()


USES = {
    "SET": lambda client: client.set("tea", "1"),
    "GET": lambda client: client.get("tea"),
    "INCR of text": lambda client: (client.set("text", "x"), client.incr("text")),
    "keys of one slot": lambda client: client.mset({"{tea}a": 1, "{tea}b": 2}),
    "keys of two slots": lambda client: client.mset({"a": 1, "b": 2}),
    "MGET of two slots": lambda client: client.mget("a", "b"),
    "key after key": lambda client: client.mset_nonatomic({"a": 1, "b": 2}),
    "DEL of three": lambda client: client.delete("a", "b", "nothing"),
    "EXISTS of two": lambda client: client.exists("tea", "nothing"),
    "RENAME to another slot": lambda client: client.rename("tea", "coffee"),
    "RENAME": lambda client: client.rename("{tea}a", "{tea}c"),
    "pipeline": lambda client: client.pipeline().get("{tea}c").incr("{tea}b").execute(),
    "failing pipeline": lambda client: client.pipeline().incr("text").get("text").execute(),
    "transaction": lambda client: client.pipeline(transaction=True).incr("{tea}b").execute(),
    "transaction as a function": (
        lambda client: client.transaction(lambda pipe: (pipe.multi(), pipe.get("{tea}b")), "{tea}b")
    ),
    "transaction of two slots": (
        lambda client: client.pipeline(transaction=True).get("a").get("b").execute()
    ),
    "watched": _watched,
    "script": lambda client: client.eval("return redis.call('get', KEYS[1])", 1, "tea"),
    "script of two slots": lambda client: client.eval("return 1", 2, "a", "b"),
    "registered": lambda client: client.register_script("return KEYS[1]")(keys=["tea"]),
    "unknown script": lambda client: client.evalsha("f" * 40, 1, "tea"),
    "lock": lambda client: client.lock("lock", timeout=9).acquire(blocking=False),
    "lock again": lambda client: client.lock("lock", timeout=9).acquire(blocking=False),
    "TTL": lambda client: client.ttl("lock"),
    "hash": lambda client: (client.hset("h", "f", "v"), client.hgetall("h")),
    "sorted set": lambda client: (client.zadd("z", {"m": 1}), client.zrange("z", 0, -1)),
}
"""What is done one after another; answers of a client that caches slots are not part of it."""


def answers_of(client):
    """Return the answer of each use, or its error, as far as it does not name a node."""
    answers = {}
    for name, use in USES.items():
        try:
            answers[name] = use(client)
        except (redis.RedisError, redis.exceptions.RedisClusterException) as error:
            answers[name] = type(error), str(error).partition("(")[0]
    return answers


@pytest.mark.redis_server
def test_one_node_with_all_slots_answers_as_three_nodes_do():
    here = []

    def body(world):
        client = cluster(world)
        world.actor("a", lambda: here.append(answers_of(client)))
        world.run()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons
    with (
        real_cluster() as port,
        closing(redis.RedisCluster("127.0.0.1", port, decode_responses=True)) as client,
    ):
        assert here[0] == answers_of(client)
