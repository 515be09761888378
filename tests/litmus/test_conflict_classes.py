"""Conflicts on the real stack: each is named with its class, and its mended twin holds."""

import threading
from functools import cache

import pytest

from pytest_supercache import (
    COHERENT_WHEN_SETTLED,
    READ_YOUR_WRITES,
    Label,
    Verdict,
    check,
)
from pytest_supercache.oracle.catalogue import CATALOGUE, FAMILIES, fits
from tests.selection import few


class Shop:
    """A cache over an origin; the ways to read and write differ."""

    def __init__(self, layers):
        self.cache = layers.existing_cache.client(decode_responses=True)
        self.near = layers.super_cache
        self.origin = layers.origin

    def get(self, key):
        value = self.cache.get(key)
        if value is None:
            value = self.origin.get(key)
            self.cache.set(key, value)
        return int(value)

    def set(self, key, value):
        self.origin.set(key, value)
        self.cache.delete(key)

    def delete(self, key):
        self.origin.delete(key)
        self.cache.delete(key)


class Uncached(Shop):
    """The twin of every one: nothing is ever kept."""

    def get(self, key):
        return self.origin.get(key)

    def set(self, key, value):
        self.origin.set(key, value)

    def delete(self, key):
        self.origin.delete(key)


class DeletesFirst(Shop):
    def set(self, key, value):
        self.cache.delete(key)
        self.origin.set(key, value)


class DeletesTwice(Shop):
    def set(self, key, value):
        self.cache.delete(key)
        self.origin.set(key, value)
        self.cache.delete(key)


class StoresWhatItWrites(Shop):
    def set(self, key, value):
        self.origin.set(key, value)
        self.cache.set(key, value)


class KeepsWhatIsDeleted(Shop):
    def get(self, key):
        value = self.cache.get(key)
        if value is None:
            value = self.origin.get(key)
            if value is not None:
                self.cache.set(key, value)
        return None if value is None else int(value)


class KeepsAbsence(Shop):
    def get(self, key):
        text = self.cache.get(key)
        if text is None:
            value = self.origin.get(key)
            self.cache.set(key, "null" if value is None else value)
            return value
        return None if text == "null" else int(text)


class NearOverFar(Shop):
    """Fetches from the far cache into the near one; writes reach both, by a message."""

    def get(self, key):
        value = self.near.get(key)
        if value is None:
            value = self.cache.get(key)
            self.near.put(key, value)
        return int(value)

    def set(self, key, value):
        self.origin.set(key, value)
        self.cache.set(key, value)
        self.near.invalidate(key)


def _now(coroutine):
    """Run a coroutine that never has to wait."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def shop_of(make, first, second, *, given=1, cached=None):
    """Two users act on one key of one node; each act is a method of a user with its values."""

    def body(world):
        if given is not None:
            world.origin.set("k", given)
        if cached is not None:
            world.existing_cache.client().set("k", cached)
        shop = make(world.layers)

        async def ask():
            return shop.get("k")

        for name, (act, *values) in (("alice", first), ("bob", second)):
            world.actor(name, getattr(world.user(name, shop), act), "k", *values)
        world.run()
        world.settle()
        _now(world.probe("a", "k", ask))

    return body


CLASSES = {
    "stale-set": (Shop, ("read",), ("write", 2), {}),
    "invalidate-before-write": (DeletesFirst, ("read",), ("write", 2), {"cached": "1"}),
    "double-delete": (DeletesTwice, ("read",), ("write", 2), {"cached": "1"}),
    "dual-write": (StoresWhatItWrites, ("write", 2), ("write", 3), {}),
    "resurrection": (KeepsWhatIsDeleted, ("read",), ("delete",), {}),
    "negative-poisoning": (KeepsAbsence, ("read",), ("write", 2), {"given": None}),
    "refresh-overwrite": (StoresWhatItWrites, ("read",), ("write", 2), {}),
    "in-flight-fill": (NearOverFar, ("read",), ("write", 2), {"cached": "1"}),
}


def explored(slug, make=None, **how):
    naive, first, second, options = CLASSES[slug]
    if make is Uncached:
        options = {**options, "cached": None}
    body = shop_of(make or naive, first, second, **options)
    return check(body, guarantees=[COHERENT_WHEN_SETTLED], **how)


@cache
def found_in(slug):
    """Return the result for a class, which several tests look at."""
    return explored(slug)


@pytest.mark.parametrize("slug", CLASSES)
def test_a_conflict_is_named_with_its_class_and_told(slug):
    result = found_in(slug)
    found = result.counterexample
    assert (result.verdict, result.label) == (Verdict.VIOLATED, Label.CONFLICT)
    assert found.conflict_class == slug
    assert found.replays == "10/10"
    assert f"class: {slug} ({CATALOGUE[slug].number})" in found.explanation
    assert "what happened: " in found.explanation
    assert "fails exactly when " in found.explanation
    assert f"permanent fix: {CATALOGUE[slug].fix}" in found.explanation


@pytest.mark.parametrize("slug", CLASSES)
def test_without_a_cache_the_same_flow_holds(slug):
    assert explored(slug, Uncached).verdict is Verdict.HOLDS


# schedules, those that fail, interleavings, chance of a random walk: as enumerated by brute force
# for the bare class
COUNTS = {
    "stale-set": (10, 1, 5, 1 / 16),
    "invalidate-before-write": (5, 2, 3, 1 / 8),
    "double-delete": (11, 1, 6, 1 / 32),
    "dual-write": (6, 2, 4, 1 / 4),
    "resurrection": (8, 1, 4, 1 / 16),
    "negative-poisoning": (10, 1, 5, 1 / 16),
}


@pytest.mark.parametrize("slug", few(COUNTS, 4))
def test_on_the_real_stack_a_class_has_the_schedules_that_were_worked_out_for_it(slug):
    schedules, failing, interleavings, walk = COUNTS[slug]
    reduced = explored(slug, stop_at_first=False)
    assert (reduced.executions, reduced.schedules) == (interleavings, schedules)
    assert f"{failing} of {schedules} schedules" in reduced.coverage
    assert reduced.share.walk == walk
    percent = f"{100 * failing / schedules:.3g} % of possible schedules"
    assert f"({percent}; not a production failure rate)" in reduced.coverage
    every = explored(slug, search="all-schedules", stop_at_first=False)
    assert (every.executions, every.violating) == (schedules, failing)


def test_the_explanation_of_a_stale_set_says_who_did_what_and_what_to_change():
    assert found_in("stale-set").counterexample.explanation.splitlines() == [
        "class: stale-set (01): A fill stores what an invalidation should have removed",
        "what happened: 2. alice reads 1 from the origin; 3. bob writes 2 to the origin; "
        "4. bob removes it from the existing cache; 5. alice stores 1 in the existing cache, "
        "where it stays",
        "fails exactly when alice's origin read k comes before bob's origin write k, and bob's "
        "DEL k comes before alice's SET k",
        "holds, with the fewest changes, when alice's SET k comes before bob's DEL k",
        "users notice: the old value keeps showing until the entry expires",
        "usual workaround: a short time to live, or purging by hand (the conflict stays possible)",
        "permanent fix: take a lease on a miss, void it on delete, store only while it is in force",
    ]


def counting(lock=None):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def add():
            client.set("n", int(client.get("n") or 0) + 1)

        def safely():
            with made:
                add()

        made = threading.Lock() if lock else None
        for name in ("alice", "bob"):
            world.actor(name, safely if lock else add)
        world.run()
        assert int(world.existing_cache.peek("n")) == 2

    return body


def test_an_update_that_is_lost_between_two_is_a_cached_read_modify_write():
    result = check(counting())
    assert result.counterexample.conflict_class == "cached-rmw"
    assert check(counting(lock=True)).verdict is Verdict.HOLDS


def elsewhere(node):
    """A user writes on one node and reads on another; a message tells that one."""

    def body(world):
        world.origin.set("k", 1)
        writer, reader = (_Near(world.node(name)) for name in ("a", node))
        reader.near.put("k", 1)

        def flow():
            world.user("alice", writer).write("k", 2)
            world.user("alice", reader, node).read("k")

        world.actor("alice", flow)
        world.run()
        world.settle()

    return body


class _Near(Shop):
    def get(self, key):
        value = self.near.get(key)
        return self.origin.get(key) if value is None else value

    def set(self, key, value):
        self.origin.set(key, value)
        self.near.invalidate(key)


def test_a_write_that_another_node_has_not_heard_of_is_read_your_writes_lost():
    result = check(elsewhere("b"), guarantees=[READ_YOUR_WRITES])
    assert result.counterexample.conflict_class == "read-your-writes"


def crossing(second):
    def body(world):
        one, two = threading.Lock(), threading.Lock()

        def flow(first, then):
            with first, then:
                world.step("work", reads=(), writes="x")

        world.actor("a", flow, one, two)
        world.actor("b", flow, *((two, one) if second == "opposite" else (one, two)))
        world.run()

    return body


def test_locks_in_opposite_order_are_a_deadlock_and_in_one_order_hold():
    assert check(crossing("opposite")).counterexample.conflict_class == "deadlock"
    assert check(crossing("same")).verdict is Verdict.HOLDS


def test_waiting_for_an_event_that_nobody_sets_any_more_is_a_lost_wakeup():
    def body(world):
        event = threading.Event()

        def waits():
            event.clear()
            event.wait()

        world.actor("waits", waits)
        world.actor("sets", event.set)
        world.run()

    assert check(body).counterexample.conflict_class == "lost-wakeup"


def test_who_waits_for_a_lock_is_in_no_deadlock_if_its_holder_waits_for_nobody():
    def body(world):
        event, lock = threading.Event(), threading.Lock()

        def holds():
            with lock:
                event.wait()

        def waits():
            with lock:
                event.set()

        world.actor("holds", holds)
        world.actor("waits", waits)
        world.run()

    found = check(body).counterexample
    assert {actor for actor, _ in found.violation.evidence["blocked"]} == {"holds", "waits"}
    assert found.conflict_class == "lost-wakeup"


def test_an_error_in_one_interleaving_is_a_crash():
    def body(world):
        client = world.existing_cache.client()
        client.set("k", 1)

        def reads():
            if client.exists("k"):
                int(client.get("k"))

        world.actor("reads", reads)
        world.actor("deletes", client.delete, "k")
        world.run()

    assert check(body).counterexample.conflict_class == "crash"


def test_the_fingerprint_stays_when_names_values_and_bystanders_change():
    def story(world):
        world.origin.set("k", "1")
        shop = _Text(world.layers)
        world.actor("alice", world.user("alice", shop).read, "k")
        world.actor("bob", world.user("bob", shop).write, "k", "2")
        world.run()
        world.settle()

    def other(world):
        world.origin.set("product:7", "old")
        shop = _Text(world.layers)
        world.actor("zoe", world.user("zoe", shop).write, "product:7", "new")
        world.actor("adam", world.user("adam", shop).read, "product:7")
        world.actor("eve", world.user("eve", shop).read, "other")
        world.run()
        world.settle()

    class _Text(Shop):
        def get(self, key):
            value = self.cache.get(key)
            if value is None:
                value = self.origin.get(key)
                self.cache.set(key, value or "none")
            return value

    one = check(story, guarantees=[COHERENT_WHEN_SETTLED]).counterexample
    two = check(other, guarantees=[COHERENT_WHEN_SETTLED]).counterexample
    assert one.conflict_class == two.conflict_class == "stale-set"
    assert one.fingerprint == two.fingerprint


def test_fingerprints_of_different_conflicts_differ():
    found = {slug: found_in(slug).counterexample.fingerprint for slug in CLASSES}
    assert len(set(found.values())) == len(CLASSES)


def test_a_stated_class_may_be_a_family_and_nothing_else():
    assert fits("stale-set", "stale-set")
    assert fits("stale-set", "late-fill")
    assert fits("resurrection", "late-fill")
    assert not fits("dual-write", "late-fill")
    assert not fits("unclassified", "late-fill")
    assert "late-fill" in FAMILIES
