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
