"""pymemcache: every request is a step; a counter is safe with ``incr`` or ``cas`` only."""

from contextlib import closing

import pytest
from pymemcache.client.base import Client, PooledClient

from pytest_supercache import check
from tests.adapters.flows import counting, is_conflict, judged
from tests.adapters.memcached import Memory
from tests.adapters.servers import memcached


def read_and_store(client):
    client.set("n", int(client.get("n")) + 1)


def increment(client):
    client.incr("n", 1)


def compare_and_swap(client):
    done = False
    while not done:
        value, number = client.gets("n")
        done = client.cas("n", int(value) + 1, number)


@pytest.mark.parametrize(
    ("bump", "conflict"), [(read_and_store, True), (increment, False), (compare_and_swap, False)]
)
def test_two_users_lose_a_count_unless_the_server_counts(bump, conflict):
    def made(_world):
        client = Client("production", socket_module=Memory().sockets(), default_noreply=False)
        client.set("n", 0)
        return client

    result = counting(made, bump, lambda client: client.get("n"))
    assert is_conflict(result) is conflict


@pytest.mark.parametrize("is_alone", [True, False])
def test_several_entries_are_raced_by_each_name_of_a_method(is_alone):
    """The twin: each user has an entry of their own."""

    def made(_world):
        client = Client("production", socket_module=Memory().sockets(), default_noreply=False)
        client.set_multi({"n": 1, "m": 1})
        return client

    def bump(client, names):
        found = client.get_multi(list(names))
        client.set_multi({name: int(n) + 1 for name, n in found.items()})

    def body(world):
        client = made(world)
        world.actor("a", bump, client, "n")
        world.actor("b", bump, client, "m" if is_alone else "n")
        world.run()
        assert int(client.get("n")) + int(client.get("m")) == 4

    assert is_conflict(judged(body)) is not is_alone


def test_a_pool_of_clients_is_watched_too():
    def made(_world):
        client = PooledClient("production", socket_module=Memory().sockets())
        client.set("n", 0, noreply=False)
        return client

    def bump(client):
        client.set("n", int(client.get("n")) + 1, noreply=False)

    assert is_conflict(counting(made, bump, lambda client: client.get("n")))


@pytest.mark.memcached
def test_a_real_memcached_is_raced_like_the_one_in_the_process():
    with memcached() as socket, closing(Client(socket, default_noreply=False)) as client:

        def made(_world):
            client.close()  # it connects again, in this execution
            client.set("n", 0)
            return client

        for bump, conflict in ((read_and_store, True), (increment, False)):
            result = counting(made, bump, lambda client: client.get("n"))
            assert is_conflict(result) is conflict

        def body(world):
            world.actor("a", lambda: made(world).set("n", 1, expire=9))
            world.run()

        assert "time to live" in check(body, guarantees=()).reasons[0]
