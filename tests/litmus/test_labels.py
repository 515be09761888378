"""What fails when users take turns: a broken invalidation, a leftover, a race. At every grain."""

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Verdict, check
from pytest_supercache.core.verdict import Label
from pytest_supercache.reference import FixedShop, NaiveShop

KEY = "product:42"


class Forgetful(FixedShop):
    """Right in every race, but it invalidates another key than the one it has changed."""

    def _invalidate(self, key):
        super()._invalidate(f"{key}:price")


def price_change(make, *, is_warm):
    """A reader and a writer; a warm cache leaves the reader nothing to fill."""

    def body(world):
        world.origin.set(KEY, {"price": 100})
        shop = make(world.node("a"))
        if is_warm:
            shop.get(KEY)
        world.actor("alice", shop.get, KEY)
        world.actor("bob", shop.set, KEY, {"price": 120})
        world.run()
        world.settle()

    return body


class Leftover:
    """Keeps, as redis-py 5.2 did, the last key on the connection that all commands share."""

    def __init__(self, redis, *, is_fixed):
        self.redis = redis
        self.is_fixed = is_fixed
        self.cached = {}
        self.current = None

    def get(self, key):
        self.current = key
        if key not in self.cached:
            self.cached[key] = self.redis.get(key)
        return self.cached[key]

    def pipeline(self, key):
        if self.is_fixed:
            return self.redis.get(key)
        answer = self.redis.get(key)
        return self.cached.get(self.current, answer)


def two_users(*, is_fixed):
    def body(world):
        redis = world.existing_cache.client(decode_responses=True)
        for name in ("alice", "bob"):
            redis.set(name, f"{name}-secret")
        client = Leftover(redis, is_fixed=is_fixed)
        world.actor("alice", client.get, "alice")
        world.actor("bob", client.pipeline, "bob")
        assert world.run()["bob"] == "bob-secret"

    return body


@pytest.mark.parametrize("grain", ["command", "wire"])
@pytest.mark.parametrize(
    ("body", "label"),
    [
        (price_change(Forgetful, is_warm=True), Label.PLAIN_BUG),
        (two_users(is_fixed=False), Label.ORDER_BUG),
        (price_change(NaiveShop, is_warm=False), Label.CONFLICT),
    ],
    ids=["broken invalidation", "leftover", "race"],
)
def test_a_label_says_whether_it_takes_concurrency(body, label, grain):
    found = check(body, guarantees=[COHERENT_WHEN_SETTLED], grain=grain, memory="declared")
    assert (found.verdict, found.label) == (Verdict.VIOLATED, label)


def test_without_the_leftover_it_holds():
    assert check(two_users(is_fixed=True)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("is_warm", [False, True])
def test_with_the_right_invalidation_it_holds(is_warm):
    body = price_change(FixedShop, is_warm=is_warm)
    result = check(body, guarantees=[COHERENT_WHEN_SETTLED])
    assert result.verdict is Verdict.HOLDS, result.reasons
