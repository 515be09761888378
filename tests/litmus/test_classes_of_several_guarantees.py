"""An execution may break several guarantees: the one that tells most gives the class."""

import pytest

from pytest_supercache import (
    COHERENT_WHEN_SETTLED,
    ISOLATED_USERS,
    READ_YOUR_WRITES,
    Verdict,
    check,
)

GIVEN = {"profile:ann": "hers", "profile:bob": "his"}


def found(body, *guarantees):
    result = check(body, guarantees=guarantees)
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample


def asking(*, keeps_the_request, owned=True):
    """Each request keeps what it asks for, in a place that they may share; the body checks."""

    def body(world):
        for key, value in GIVEN.items():
            world.origin.set(key, value)
        asked = {}

        class Shop:
            def get(self, key):
                name = key if keeps_the_request else "request"
                asked[name] = key
                return world.origin.get(asked[name])

        for name in ("ann", "bob"):
            if owned:
                world.owns(name, f"profile:{name}")
            world.actor(name, world.user(name, Shop()).read, f"profile:{name}")
        results = world.run()
        assert results == {"ann": "hers", "bob": "his"}

    return body


def test_a_check_that_fails_first_does_not_hide_whose_value_it_was():
    shared = asking(keeps_the_request=False)
    counterexample = found(shared, ISOLATED_USERS)
    assert [one.guarantee for one in counterexample.violations] == ["test body", "isolated_users"]
    assert counterexample.violation.guarantee == "test body"
    assert counterexample.conflict_class == "cross-user-reply"
    assert "users see the data of others" in counterexample.explanation
    mended = check(asking(keeps_the_request=True), guarantees=[ISOLATED_USERS])
    assert mended.verdict is Verdict.HOLDS


def test_without_the_guarantee_the_same_failure_has_no_owner():
    assert found(asking(keeps_the_request=False, owned=False)).conflict_class == "unclassified"


def filling(*, checks):
    """A stale set that the writer itself reads in the end."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        world.origin.set("k", 1)

        class Shop:
            def get(self, key):
                value = far.get(key)
                if value is None:
                    value = world.origin.get(key)
                    far.set(key, value)
                return int(value)

            def set(self, key, value):
                world.origin.set(key, value)
                far.delete(key)

        shop = Shop()

        bob = world.user("bob", shop)
        world.actor("ann", world.user("ann", shop).read, "k")
        world.actor("bob", bob.write, "k", 2)
        world.run()
        world.settle()
        bob.read("k")
        assert not checks or far.get("k") in {None, "2"}

    return body


@pytest.mark.parametrize(
    ("checks", "guarantees"),
    [
        (True, [READ_YOUR_WRITES]),
        (False, [READ_YOUR_WRITES, COHERENT_WHEN_SETTLED]),
        (False, [COHERENT_WHEN_SETTLED, READ_YOUR_WRITES]),
    ],
)
def test_what_the_steps_did_outranks_that_a_session_is_broken(checks, guarantees):
    counterexample = found(filling(checks=checks), *guarantees)
    assert len(counterexample.violations) == 2
    assert counterexample.conflict_class == "stale-set"


def test_a_session_that_alone_is_broken_gives_the_class():
    assert found(filling(checks=False), READ_YOUR_WRITES).conflict_class == "read-your-writes"
