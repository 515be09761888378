"""What code keeps of one check and uses in a later one leads nowhere that is watched: UNKNOWN."""

import pytest

from pytest_supercache import Verdict, check


async def ask(client):
    await client.get("n")


def look(layer):
    layer.get("n")


KEPT = {
    "client": (lambda world: world.existing_cache.client(), look),
    "asyncio client": (lambda world: world.existing_cache.aclient(), ask),
    "origin": (lambda world: world.origin, look),
    "super cache": (lambda world: world.super_cache, look),
}


def check_of(find, use):
    def body(world):
        found = find(world)
        for user in "ab":
            world.actor(user, use, found)
        world.run()

    return check(body, search="exhaustive")


@pytest.mark.parametrize("what", KEPT)
def test_what_was_kept_of_an_earlier_check_proves_nothing(what):
    find, use = KEPT[what]
    kept = []

    def once(world):
        if not kept:
            kept.append(find(world))
        return kept[0]

    assert check_of(once, use).verdict is Verdict.HOLDS
    again = check_of(once, use)
    assert again.verdict is Verdict.UNKNOWN
    assert "of another check" in again.reasons[0]
    assert "factory" in again.reasons[0]


@pytest.mark.parametrize("what", KEPT)
def test_what_is_asked_for_anew_does(what):
    for _ in range(2):
        assert check_of(*KEPT[what]).verdict is Verdict.HOLDS


def visit(client, firsts):
    if client.get("seen") is None:
        firsts.append(1)
    client.set("seen", "1")


def visits(client):
    def body(world):
        firsts = []
        for user in "ab":
            world.actor(user, visit, client(world), firsts)
        world.run()
        assert len(firsts) <= 1

    return check(body, search="exhaustive")


def test_a_kept_client_whose_connection_is_open_proves_nothing_either():
    """There is one left over when some executions of a check need two connections, and some one."""
    kept = []

    def body(world):
        client, other = world.existing_cache.client(), world.existing_cache.client()
        kept[:] = [client]

        def read():
            if client.get("n") is None:
                other.get("m")

        world.actor("alice", client.set, "n", "1")
        world.actor("bob", read)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS
    result = visits(lambda _world: kept[0])
    assert result.verdict is Verdict.UNKNOWN
    assert "of another check" in result.reasons[0]


def test_with_a_client_of_its_own_the_same_check_finds_its_conflict():
    kept = []

    def client(world):
        if not kept or kept[0] is not world:
            kept[:] = [world, world.existing_cache.client()]
        return kept[1]

    assert visits(client).verdict is Verdict.VIOLATED
