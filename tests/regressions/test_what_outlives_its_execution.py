"""A world, or a user of it, that is kept for the next execution is refused: nobody looks there."""

import pytest

from pytest_supercache import SupercacheError, Verdict, World, check
from pytest_supercache.oracle.session import READ_YOUR_WRITES


class Stale:
    """A system that shows for ever what was written first."""

    def __init__(self, origin):
        self.origin = origin

    def get(self, key):
        self.origin.get(key)
        return "1"

    def set(self, key, value):
        self.origin.set(key, value)


def user_of(world):
    return world.user("alice", Stale(world.origin))


def check_of(find):
    def body(world):
        alice = find(world)

        def flow():
            alice.write("k", "1")
            alice.write("k", "2")
            alice.read("k")

        world.actor("alice", flow)
        world.run()

    return check(body, guarantees=[READ_YOUR_WRITES])


def test_a_user_that_was_kept_is_refused():
    kept = []

    def once(world):
        if not kept:
            kept.append(user_of(world))
        return kept[0]

    with pytest.raises(SupercacheError, match="the execution of this world has ended"):
        check_of(once)


def test_a_user_that_is_made_anew_is_judged():
    assert check_of(user_of).verdict is Verdict.VIOLATED


def step(world):
    world.step("look", reads="x")


@pytest.mark.parametrize(
    "use",
    [
        step,
        lambda world: world.wait_until(lambda: True),
        lambda world: world.actor("bob", step, world),
        lambda world: world.run(),
        lambda world: world.settle(),
        lambda world: world.owns("alice", "k"),
        lambda world: world.show("mine", dict),
        lambda world: world.existing_cache.client(),
    ],
)
def test_a_world_that_was_kept_is_refused(use):
    worlds = []

    def body(world):
        worlds.append(world)
        world.actor("alice", step, world)
        world.run()
        if worlds[0] is not world:
            use(worlds[0])

    with pytest.raises(SupercacheError, match=r"world\.\w+ was asked for"):
        check(body)
    assert isinstance(worlds[0], World)


def test_a_world_that_nobody_uses_any_more_may_be_kept():
    worlds = []

    def body(world):
        worlds.append(world)
        world.actor("alice", step, world)
        world.run()

    assert check(body).verdict is Verdict.HOLDS
    with pytest.raises(SupercacheError, match="in every execution anew"):
        step(worlds[0])
