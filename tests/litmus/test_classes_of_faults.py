"""A conflict that needs a fault is named with its class, and not with that of another fault."""

from functools import partial

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Faults, Verdict, check
from pytest_supercache.oracle.catalogue import fits

KEY = "k"


class Shop:
    """A super cache over Redis over the origin."""

    def __init__(self, layers, *, always=True):
        self.near, self.origin = layers.super_cache, layers.origin
        self.far = layers.existing_cache.client(decode_responses=True)
        self.always = always  # publishes whether or not the entry was there

    def get(self, key):
        value = self.near.get(key)
        if value is None:
            text = self.far.get(key)
            value = self.origin.get(key) if text is None else int(text)
            if text is None:
                self.far.set(key, value)
            self.near.put(key, value)
        return value

    def set(self, key, value):
        self.origin.set(key, value)
        if self.far.delete(key) or self.always:
            self.near.invalidate(key)


def price_change(world, *, nodes="ab", races=False, **options):
    """Bob changes the price on node a; the caches were warm before, or Alice fills them."""
    shops = {node: Shop(world.node(node), **options) for node in nodes}
    world.origin.set(KEY, 1)
    for node, shop in () if races else shops.items():
        with world.at(node):
            shop.get(KEY)
    if races:
        world.actor("alice", world.user("alice", shops["b"], "b").read, KEY, node="b")
    world.actor("bob", world.user("bob", shops["a"]).write, KEY, 2)
    world.run()
    world.settle()


def explored(body, kind):
    return check(body, faults=Faults(kinds=(kind,)), guarantees=[COHERENT_WHEN_SETTLED], ticks=0)


CASES = {
    "drop_invalidation": ("dropped-invalidation", price_change),
    "evict": ("eviction-hides-invalidation", partial(price_change, always=False)),
    "failover": ("failover-missed-delete", partial(price_change, nodes="a")),
    "error_before": ("partial-write-family", partial(price_change, nodes="a")),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_not_removed_is_named_with_the_fault_that_prevented_it(kind):
    slug, body = CASES[kind]
    result = explored(body, kind)
    assert result.verdict is Verdict.VIOLATED, result.reasons
    assert fits(result.counterexample.conflict_class, slug)


def test_a_conflict_that_needs_no_fault_keeps_its_name_when_one_may_strike():
    result = explored(partial(price_change, races=True), "evict")
    assert result.counterexample.faults == ()
    assert result.counterexample.conflict_class in {"stale-set", "in-flight-fill"}
