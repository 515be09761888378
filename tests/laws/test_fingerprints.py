"""A fingerprint knows the conflict and nothing else, so that a waiver stays where it belongs.

The flow is always the same: one reads a key, one changes it. What is drawn is what must not matter,
or which other conflict the system has.
"""

from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache import COHERENT_WHEN_SETTLED, READ_YOUR_WRITES, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.laws import callers
from tests.litmus.test_conflict_classes import (
    CLASSES,
    DeletesFirst,
    NearOverFar,
    Shop,
    StoresWhatItWrites,
)
from tests.litmus.test_counts_and_workloads import BACKENDS
from tests.selection import either, few

SLUGS = st.sampled_from(sorted(CLASSES))
NAMES = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)
USERS = st.lists(NAMES, min_size=2, max_size=2, unique=True)
KEYS = NAMES | st.builds("{}:{}".format, NAMES, NAMES)
VALUES = st.lists(st.integers(-9, 99), min_size=3, max_size=3, unique=True)
BYSTANDERS = st.sampled_from(
    [("read", "other"), ("write", "other", 8), ("delete", "other"), ("read", None)]
)
"""What somebody else does meanwhile; None is the key itself."""


def flow(
    make, acts, *, users=("alice", "bob"), key="k", values=(1, 2, 3), cached=None, given=1, extra=()
):
    """Make a body; ``acts`` are the two users' methods with their number of values."""

    def body(world):
        if given is not None:
            world.origin.set(key, values[0])
        world.origin.set("other", 7)
        if cached is not None:
            world.existing_cache.client().set(key, str(values[0]))
        world.existing_cache.client().set("other", "7")
        shop = make(world.layers)
        new = iter(values[1:])
        for name, (act, *written) in zip(users, acts, strict=True):
            chosen = [next(new) for _ in written]
            world.actor(name, getattr(world.user(name, shop), act), key, *chosen)
        for number, (act, what, *written) in enumerate(extra):
            name = f"bystander-{number}"
            world.actor(name, getattr(world.user(name, shop), act), what or key, *written)
        world.run()
        world.settle()

    return body


def found(body, slug, **how):
    result = check(body, guarantees=[COHERENT_WHEN_SETTLED], **how)
    assert result.counterexample is not None
    assert result.counterexample.conflict_class == slug
    return result.counterexample.fingerprint


def of(slug, **drawn):
    make, first, second, options = CLASSES[slug]
    return flow(make, (first, second), **{**options, **drawn})


@cache
def original(slug):
    return found(of(slug), slug)


@given(SLUGS, USERS, KEYS)
@settings(max_examples=either(3, 10))
def test_other_names_of_users_and_keys_leave_it(slug, users, key):
    assert found(of(slug, users=users, key=key), slug) == original(slug)


@given(SLUGS, VALUES)
@settings(max_examples=either(3, 8))
def test_other_values_leave_it(slug, values):
    assert found(of(slug, values=values), slug) == original(slug)


@given(SLUGS, BYSTANDERS)
@settings(max_examples=either(4, 12))
def test_steps_of_others_that_change_nothing_about_it_leave_it(slug, bystander):
    if CLASSES[slug][0] is NearOverFar and bystander != ("read", None):
        bystander = ("read", None)  # it knows no other key
    assert found(of(slug, extra=[bystander]), slug) == original(slug)


@given(SLUGS, st.sampled_from(["random", "uniform", "pct"]), st.integers(0, 99), BYSTANDERS)
@settings(max_examples=either(3, 10))
def test_another_part_of_the_schedules_leaves_it(slug, search, seed, bystander):
    """Whatever was found first, whoever else found or missed the entry before."""
    extra = [("read", None)] if bystander[1] is None else []
    body = of(slug, extra=extra)
    result = check(
        body, guarantees=[COHERENT_WHEN_SETTLED], search=search, seed=seed, executions=40
    )
    if result.counterexample is not None:
        assert result.counterexample.fingerprint == original(slug)


@pytest.mark.parametrize("backend", few(BACKENDS, 2))
def test_another_backend_leaves_it(backend):
    server = start_server(backend)
    try:
        result = check_on(
            server, of("stale-set"), Exploration(), guarantees=[COHERENT_WHEN_SETTLED]
        )
    finally:
        server.close()
    assert result.counterexample.fingerprint == original("stale-set")


RIVALS = {
    "invalidate-before-write": DeletesFirst,
    "refresh-overwrite": StoresWhatItWrites,
}


@given(st.sampled_from(sorted(RIVALS)), USERS, VALUES)
@settings(max_examples=either(2, 4))
def test_another_conflict_in_the_same_scenario_changes_it(slug, users, values):
    """The system is changed, the flow, its users, keys and values stay."""
    acts = (("read",), ("write", 2))
    given_ = {"users": users, "values": values, "cached": "1"} if "before" in slug else {}
    one = found(flow(Shop, acts, users=users, values=values), "stale-set")
    other = found(flow(RIVALS[slug], acts, **{"users": users, "values": values, **given_}), slug)
    assert one == original("stale-set") != other == original(slug)


def test_the_same_conflict_in_another_layer_has_another_one():
    class NearShop(Shop):
        """A late fill of the near cache of a node instead of the far cache."""

        def get(self, key):
            value = self.near.get(key)
            if value is None:
                value = self.origin.get(key)
                self.near.put(key, value)
            return value

        def set(self, key, value):
            self.origin.set(key, value)
            self.near.invalidate(key)

    near = found(flow(NearShop, (("read",), ("write", 2))), "stale-set")
    assert near != original("stale-set")


def test_what_a_user_misses_has_another_one_when_another_layer_hid_it():
    """Both read their own write too late: one from the near cache, one from the far one."""

    class Forgetful(Shop):
        def set(self, key, value):
            self.origin.set(key, value)

    class NearForgetful(Forgetful):
        def get(self, key):
            value = self.near.get(key)
            if value is None:
                value = self.origin.get(key)
                self.near.put(key, value)
            return value

    def writes_and_reads(make):
        def body(world):
            world.origin.set("k", 1)
            user = world.user("alice", make(world.layers))

            def act():
                user.read("k")
                user.write("k", 2)
                user.read("k")

            world.actor("alice", act)
            world.run()

        return check(body, guarantees=[READ_YOUR_WRITES]).counterexample

    far, near = writes_and_reads(Forgetful), writes_and_reads(NearForgetful)
    assert far.conflict_class == near.conflict_class == "read-your-writes"
    assert far.fingerprint != near.fingerprint


class Till:
    """Shops by other classes: what a flow in Python calls stands for the system."""

    class One(Shop):
        def get(self, key):
            return super().get(key)

        def set(self, key, value):
            super().set(key, value)

    class Other(Shop):
        def get(self, key):
            return super().get(key)

        def set(self, key, value):
            super().set(key, value)

    class Forgetful(Other):
        def set(self, key, value):
            self.origin.set(key, value)


@pytest.mark.parametrize("name", ["alice", "zoe"])
def test_the_same_conflict_of_another_class_has_another_one(name):
    def of_class(make):
        acts, users = (("read",), ("write", 2)), (name, "bob")
        return found(flow(make, acts, users=users), "stale-set")

    assert len({of_class(Till.One), of_class(Till.Other), original("stale-set")}) == 3


def of_functions(shop):
    return partial(callers.read, shop), partial(callers.write, shop)


def of_client(shop):
    client = callers.Client(shop)
    return client.read, client.write


@pytest.mark.parametrize("ways", [of_functions, of_client])
def test_classes_that_tests_call_through_the_same_helpers_of_another_module_have_two(ways):
    def through(make, reader):
        def body(world):
            world.origin.set("k", 1)
            read, write = ways(make(world.layers))
            world.actor(reader, read)
            world.actor("writer", write)
            world.run()
            world.settle()

        return found(body, "stale-set")

    assert through(Till.One, "alice") == through(Till.One, "zoe")
    assert through(Till.One, "alice") != through(Till.Other, "alice")


@pytest.mark.parametrize("extra", few([[("read", None)], [], [("read", "other")]], 1))
def test_what_a_guarantee_names_is_known_by_the_class_that_the_user_calls_who_saw_it(extra):
    class Hasty(Till.Other):
        def set(self, key, value):
            self.origin.set(key, value)

    def missed(make, own):
        def body(world):
            world.origin.set("k", 1)
            world.origin.set("other", 7)
            user = world.user(own, make(world.layers))
            other = world.user("bystander", Till.One(world.layers))

            def act():
                user.read("k")
                user.write("k", 2)
                user.read("k")

            world.actor(own, act)
            for _, key in extra:
                world.actor("bystander", other.read, key or "k")
            world.run()

        conflict = check(body, guarantees=[READ_YOUR_WRITES]).counterexample
        assert conflict.conflict_class == "read-your-writes"
        return conflict.fingerprint

    assert missed(Till.Forgetful, "alice") == missed(Till.Forgetful, "zoe")
    assert missed(Till.Forgetful, "alice") != missed(Hasty, "alice")


def test_a_failed_assert_of_one_test_is_known_by_the_class_that_it_was_given():
    def asserts(make):
        def body(world):
            world.origin.set("k", 1)
            shop = make(world.layers)
            world.actor("alice", shop.get, "k")
            world.actor("bob", shop.set, "k", 2)
            world.run()
            world.settle()
            assert shop.get("k") == 2

        conflict = check(body).counterexample
        assert conflict.conflict_class == "stale-set"
        return conflict.fingerprint, conflict.former_fingerprints[0]

    (one, was_one), (other, was_other) = asserts(Till.One), asserts(Till.Other)
    assert one != other
    assert was_one == was_other


class Coroutines:
    """A look-aside cache, and a class around it with the same race."""

    class Shop:
        def __init__(self, layers):
            self.cache, self.origin = layers.existing_cache.aclient(), layers.origin.aio

        async def get(self, key):
            if await self.cache.get(key) is None:
                await self.cache.set(key, str(await self.origin.get(key)))

        async def set(self, key, value):
            await self.origin.set(key, value)
            await self.cache.delete(key)

    class Other(Shop):
        async def get(self, key):
            await super().get(key)

        async def set(self, key, value):
            await super().set(key, value)


def coroutines(make, reader, *, direct):
    """Find the race where actors are methods, or functions of the test that call them."""

    async def body(world):
        world.origin.set("k", 1)
        shop = make(world.layers)

        async def read(key):
            await shop.get(key)

        async def write(key, value):
            await shop.set(key, value)

        world.actor(reader, shop.get if direct else read, "k")
        world.actor("writer", shop.set if direct else write, "k", 2)
        await world.run()
        await world.settle()

    return found(body, "stale-set")


def test_the_same_conflict_of_another_class_of_coroutines_has_another_one():
    of_shop = coroutines(Coroutines.Shop, "alice", direct=True)
    of_other = coroutines(Coroutines.Other, "alice", direct=True)
    assert of_shop == coroutines(Coroutines.Shop, "zoe", direct=False)
    assert of_other == coroutines(Coroutines.Other, "zoe", direct=False)
    assert of_shop != of_other
