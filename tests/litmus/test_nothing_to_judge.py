"""A guarantee holds of a flow only if the flow shows something that could break it."""

from contextlib import suppress

import pytest

from pytest_supercache import (
    BOUNDED_STALENESS,
    COHERENT_WHEN_SETTLED,
    LINEARIZABLE,
    MONOTONIC_READS,
    MONOTONIC_WRITES,
    NO_DIRTY_READS,
    NO_RESURRECTION,
    READ_YOUR_WRITES,
    SEQUENTIALLY_CONSISTENT,
    TTL_RESPECTED,
    SupercacheError,
    Verdict,
    check,
)

OF_ANSWERS = [
    BOUNDED_STALENESS(1),
    LINEARIZABLE,
    MONOTONIC_READS,
    NO_DIRTY_READS,
    NO_RESURRECTION,
    SEQUENTIALLY_CONSISTENT,
    TTL_RESPECTED(1),
]
ALL = [*OF_ANSWERS, READ_YOUR_WRITES, MONOTONIC_WRITES]


class Shop:
    """A cache that asks the origin each time."""

    def __init__(self, world):
        self._origin = world.origin

    def get(self, key):
        return self._origin.get(key)

    def set(self, key, value):
        self._origin.set(key, value)


def change_and_read(shop):
    shop.set("k", 2)
    return shop.get("k")


def called_directly(world):
    """Actors call the system themselves, so that no operation is recorded."""
    world.origin.set("k", 1)
    shop = Shop(world)
    world.actor("alice", shop.get, "k")
    world.actor("bob", change_and_read, shop)
    world.run()
    world.settle()


def called_by_users(world):
    world.origin.set("k", 1)
    shop = Shop(world)

    def flow(user, value):
        user.write("k", value)
        user.read("k")

    for value, name in enumerate(["alice", "bob"], 2):
        world.actor(name, flow, world.user(name, shop), value)
    world.run()
    world.settle()


@pytest.mark.parametrize("guarantee", ALL, ids=lambda one: one.name)
def test_it_is_refused_where_no_operation_is_recorded(guarantee):
    with pytest.raises(
        SupercacheError, match=f"{guarantee.name} cannot be judged: no .*world.user"
    ):
        check(called_directly, guarantees=[guarantee])


@pytest.mark.parametrize("guarantee", ALL, ids=lambda one: one.name)
def test_it_is_judged_where_users_write_and_read(guarantee):
    assert check(called_by_users, guarantees=[guarantee]).verdict is not Verdict.UNKNOWN


@pytest.mark.parametrize(("verb", "missing"), [("read", "writes"), ("write", "shows a value")])
def test_who_writes_and_who_is_shown_a_value_are_both_needed(verb, missing):
    def body(world):
        shop = Shop(world)
        flow = getattr(world.user("alice", shop), verb)
        world.actor("alice", flow, *(["k"] if verb == "read" else ["k", 2]))
        world.actor("bob", shop.get, "k")
        world.run()

    with pytest.raises(SupercacheError, match=f"no operation {missing}"):
        check(body, guarantees=[READ_YOUR_WRITES])


def test_by_default_the_guarantees_are_those_that_can_be_judged():
    assert check(called_directly).verdict is Verdict.HOLDS
    assert check(called_directly, guarantees=[COHERENT_WHEN_SETTLED]).verdict is Verdict.HOLDS


def test_it_is_judged_if_some_schedules_show_something():
    """Who finds the door open reads; otherwise there is an error, which the body expects."""

    def body(world):
        shop = Shop(world)
        world.origin.set("door", 0)

        def enter(user):
            with suppress(PermissionError):
                if not world.origin.get("door"):
                    raise PermissionError
                user.read("k")

        world.actor("alice", enter, world.user("alice", shop))
        world.actor("bob", world.origin.set, "door", 1)
        world.run()

    assert check(body, guarantees=[LINEARIZABLE]).verdict is Verdict.HOLDS
