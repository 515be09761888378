"""A guarantee holds of a flow only if the flow shows something that could break it."""

from contextlib import suppress

import pytest

from pytest_supercache import (
    BOUNDED_STALENESS,
    CAP_HOLDS,
    COHERENT_WHEN_SETTLED,
    LINEARIZABLE,
    MONOTONIC_READS,
    MONOTONIC_WRITES,
    NO_DIRTY_READS,
    NO_LOST_FIELD,
    NO_RESURRECTION,
    READ_YOUR_WRITES,
    REVOCATION_HOLDS,
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

    def delete(self, key):
        self._origin.delete(key)


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


def _of(*flows):
    """Return a body whose users do what `flows` say: a verb and its arguments."""

    def body(world):
        shop = Shop(world)
        for name, (verb, *arguments) in zip(("alice", "bob"), flows, strict=True):
            user = world.user(name, shop)
            world.actor(name, getattr(user, verb), *arguments)
        world.run()
        world.settle()

    return body


READ, WRITE, DELETE = ("read", "k"), ("write", "k", {"a": 1}), ("delete", "k")
LACKING = {
    "nobody deletes": (REVOCATION_HOLDS, _of(READ, WRITE), "no operation deletes"),
    "nobody reads": (REVOCATION_HOLDS, _of(DELETE, WRITE), "no operation reads"),
    "nobody is admitted": (CAP_HOLDS(1), _of(READ, WRITE), "says whether it was admitted"),
    "one field": (NO_LOST_FIELD, _of(WRITE, WRITE), "different fields of one object"),
    "two objects": (
        NO_LOST_FIELD,
        _of(WRITE, ("write", "l", {"b": 1})),
        "different fields of one object",
    ),
}


@pytest.mark.parametrize("what", LACKING)
def test_a_guarantee_says_what_has_to_be_recorded(what):
    guarantee, body, missing = LACKING[what]
    with pytest.raises(SupercacheError, match=f"{guarantee.name} cannot be judged: .*{missing}"):
        check(body, guarantees=[guarantee])


@pytest.mark.parametrize(
    ("guarantee", "body"),
    [
        (REVOCATION_HOLDS, _of(READ, DELETE)),
        (NO_LOST_FIELD, _of(WRITE, ("write", "k", {"b": 1}))),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_it_is_judged_where_that_is_recorded(guarantee, body):
    assert check(body, guarantees=[guarantee]).verdict is not Verdict.UNKNOWN


@pytest.mark.parametrize(("allowed", "verdict"), [(1, Verdict.VIOLATED), (2, Verdict.HOLDS)])
def test_who_is_admitted_may_be_said_by_a_python_test(allowed, verdict):
    def body(world):
        world.origin.set("seats", 1)

        def book():
            with world.operation("admit", "show") as call:
                call.answer = world.origin.get("seats") > 0
                if call.answer:
                    world.origin.set("seats", 0)

        world.actor("alice", book)
        world.actor("bob", book)
        world.run()

    assert check(body, guarantees=[CAP_HOLDS(allowed)]).verdict is verdict
