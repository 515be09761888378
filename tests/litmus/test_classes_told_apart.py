"""Conflicts that look alike are told apart: each beside the nearest one of another class."""

import threading
import time
from functools import partial

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from pytest_supercache import COHERENT_WHEN_SETTLED, NO_DIRTY_READS, Faults, Verdict, check

KEY = "k"


def explored(body, *kinds, guarantee=COHERENT_WHEN_SETTLED):
    faults = Faults(kinds=kinds) if kinds else None
    return check(body, faults=faults, guarantees=[guarantee], ticks=0)


def class_of(result):
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.conflict_class


# -- a store that is sent once more ---------------------------------------------------------------


def repeated(world, *, values, together=False):
    """What got no answer is stored again, by a thread or at once; then comes what is newer."""
    far = world.existing_cache.client()

    def store(value):
        far.set(KEY, value)

    def write(value):
        world.origin.set(KEY, value)
        try:
            store(value)
        except RedisTimeoutError:
            if together:
                store(value)
            else:
                threading.Thread(target=store, args=(value,)).start()

    class Shop:
        def set(self, _key, value):
            write(value)

    def flow():
        user = world.user("bob", Shop())
        for value in values:
            user.write(KEY, value)

    world.actor("bob", flow)
    world.run()
    world.settle()


def test_a_repetition_that_lands_after_a_newer_store_is_a_late_duplicate():
    late = {"error_after": "redis.exceptions.TimeoutError"}
    assert class_of(explored(partial(repeated, values=(1, 2)), late)) == "late-duplicate"
    assert class_of(explored(partial(repeated, values=(1, 2)), *_before())) == "late-duplicate"


def _before():
    return ({"error_before": "redis.exceptions.TimeoutError"},)


@pytest.mark.parametrize("options", [{"values": (1,)}, {"values": (1, 2), "together": True}])
def test_a_repetition_with_nothing_newer_before_it_does_no_harm(options):
    result = explored(partial(repeated, **options), *_before())
    assert (result.verdict, result.scope["faults"]) == (Verdict.HOLDS, 1)


def test_an_error_of_redis_strikes_commands_and_never_the_origin():
    def body(world):
        far = world.existing_cache.client()

        def flow():
            world.origin.set(KEY, 1)
            far.set(KEY, 1)

        world.actor("bob", flow)
        world.run()
        world.settle()

    kinds = ["error_before", *_before()]
    sets = [explored(body, kind).coverage for kind in kinds]
    assert "2 sets of error_before" in sets[0]
    assert "1 set of error_before" in sets[1]


# -- a node that begins to listen -----------------------------------------------------------------


def starting(world, *, listens_first):
    """A node fills while another one changes the value; it hears of changes before or after."""
    world.origin.set(KEY, 1)
    near, other = world.node("b").super_cache, world.node("a").super_cache
    with world.at("b"):
        near.unsubscribe()

    def start():
        if listens_first:
            near.subscribe()
        near.put(KEY, world.origin.get(KEY))
        if not listens_first:
            near.subscribe()

    def change():
        world.origin.set(KEY, 2)
        other.invalidate(KEY)

    world.actor("deploy", start, node="b")
    world.actor("bob", change)
    world.run()
    world.settle()


def test_what_was_published_before_a_node_listened_is_a_gap_and_what_it_heard_is_a_late_fill():
    assert class_of(explored(partial(starting, listens_first=False))) == "subscribe-gap"
    assert class_of(explored(partial(starting, listens_first=True))) == "stale-set"


def test_a_node_that_left_the_channel_hears_nothing_until_it_joins_again():
    def body(world):
        near = world.node("a").super_cache

        def flow():
            near.unsubscribe()
            near.put("missed", 1)
            near.invalidate("missed")
            near.subscribe()
            near.put("heard", 1)
            near.invalidate("heard")

        world.actor("bob", flow)
        world.run()
        world.settle()
        assert near.content() == {"missed": 1}

    assert check(body).verdict is Verdict.HOLDS


# -- transactions that are rolled back ------------------------------------------------------------


def rolled_back(world, *, reads):
    """A value is stored inside a transaction; somebody reads meanwhile, or only afterwards."""
    world.origin.set(KEY, 1)
    far = world.existing_cache.client(decode_responses=True)

    class Shop:
        def get(self, key):
            return int(far.get(key) or world.origin.get(key))

        def set(self, key, value):
            with world.origin.transaction() as transaction:
                transaction.set(key, value)
                far.set(key, value)

    shop = Shop()
    if reads:
        world.actor("alice", world.user("alice", shop).read, KEY)
    world.actor("bob", world.user("bob", shop).write, KEY, 2)
    world.run()
    world.settle()
    world.user("carol", shop).read(KEY)


@pytest.mark.parametrize(("reads", "slug"), [(True, "uncommitted-visible"), (False, "dirty-fill")])
def test_a_value_that_was_rolled_back_is_seen_by_a_user_or_remains(reads, slug):
    body = partial(rolled_back, reads=reads)
    assert class_of(explored(body, "error_before", guarantee=NO_DIRTY_READS)) == slug


# -- writes that stop half-way --------------------------------------------------------------------


def stored_in(world, *, layers):
    """A write commits and then stores in one layer or two; the last one may fail."""
    world.origin.set(KEY, 1)
    far = world.existing_cache.client(decode_responses=True)
    near = world.node("a").super_cache
    far.set(KEY, 1)

    class Shop:
        def set(self, key, value):
            world.origin.set(key, value)
            if layers == 2:
                near.put(key, value)
            far.set(key, value)

    world.actor("bob", world.user("bob", Shop()).write, KEY, 2)
    world.run()
    world.settle()


@pytest.mark.parametrize(("layers", "slug"), [(1, "partial-write"), (2, "layer-divergence")])
def test_a_write_that_failed_reached_one_layer_or_none(layers, slug):
    assert class_of(explored(partial(stored_in, layers=layers), *_before())) == slug


# -- what has a time to live ----------------------------------------------------------------------


def refilled(world):
    """Entries end by themselves; a user pauses between a read and a write that removes nothing."""
    world.origin.set(KEY, 1)
    far = world.existing_cache.client(decode_responses=True)

    def read():
        value = far.get(KEY)
        if value is None:
            value = world.origin.get(KEY)
            far.set(KEY, value, ex=1)
        return value

    def flow():
        read()
        time.sleep(2)  # noqa: TID251 - what code under test does
        world.origin.set(KEY, 2)

    world.actor("alice", flow)
    world.actor("bob", read)
    world.run()
    world.settle()
    assert far.get(KEY) in {None, "2"}


def test_an_entry_that_ends_by_itself_is_no_lock():
    """Two users store it, a tick between them, and the first one writes: as with a lost lease."""
    found = check(refilled, guarantees=[], ticks=1).counterexample
    assert found.conflict_class == "unclassified"
    assert "takes the lock" not in found.explanation
