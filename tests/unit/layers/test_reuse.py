"""Connections of fakeredis are used again, and nobody can tell."""

import pytest
from redis.exceptions import ResponseError

from pytest_supercache import Verdict, check
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.fake_server import FakeRedisServer


@pytest.fixture
def cache():
    cache = ExistingCache(FakeRedisServer())
    cache.reset({})
    return cache


def opened(use, **options):
    """Execute twice: a client is made, and used; return the two sockets."""
    sockets = []

    def body(world):
        client = world.existing_cache.client(**options)

        def act():
            client.set("k", "v")
            connection = client.connection_pool.get_connection()
            sockets.append(connection._sock)
            client.connection_pool.release(connection)
            use(client)

        world.actor("alice", act)
        world.run()

    check(body, search="all-schedules", executions=1)
    return sockets[:2]


def wrong_kind(client):
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        client.lpush("k", "x")


def test_after_plain_commands_the_next_execution_has_the_same_connection():
    first, second = opened(lambda client: (client.get("k"), client.delete("k")))
    assert first is second


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.execute_command("SELECT", 1),
        lambda client: client.client_setname("me"),
        lambda client: client.pipeline().set("k", "w").execute(),
        lambda client: client.pipeline(transaction=False).set("k", "w").get("k").execute(),
        lambda client: client.execute_command("MULTI"),
        lambda client: client.publish("news", "x"),
        lambda client: client.execute_command("CLIENT NO-TOUCH", "ON"),
        wrong_kind,
        lambda client: client.connection_pool.get_connection().send_command("GET", "k"),
    ],
)  # fmt: skip
def test_after_anything_else_it_has_not(use):
    first, second = opened(use)
    assert first is not second


@pytest.mark.parametrize("options", [{"health_check_interval": 5}, {"client_name": "me"}])
def test_a_connection_with_options_of_its_own_is_not_used_again(options):
    first, second = opened(lambda _client: None, **options)
    assert first is not second


def test_connections_for_other_shapes_are_others(cache):
    one = cache.connect({"decode_responses": True})
    one.connect()
    cache.reset({})
    assert cache.connect({}) is not one
    assert cache.connect({"decode_responses": True}) is one


def test_what_was_stored_before_is_not_seen_through_a_connection_used_again():
    seen = []

    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def act():
            seen.append((client.get("k"), client.client_id()))
            client.set("k", "left behind")

        world.actor("alice", act)
        world.run()
        assert world.existing_cache.peek("k") == "left behind"

    assert check(body).verdict is Verdict.HOLDS
    assert len(seen) > 1
    assert set(seen) == {(None, 1)}


def test_a_client_that_is_kept_over_executions_sees_the_new_content(cache):
    client = cache.client(decode_responses=True)
    client.set("k", "old")
    cache.reset({"k": "new"})
    assert client.get("k") == "new"


def test_two_clients_alike_have_answers_of_their_own(cache):
    one, other = cache.client(), cache.client()
    one.set("k", "v")
    one.set_response_callback("get", lambda _answer, **_options: "mine")
    assert (one.get("k"), other.get("k"), cache.client().get("k")) == ("mine", b"v", b"v")
    assert one.connection_pool is not other.connection_pool
