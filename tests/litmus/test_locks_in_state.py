"""Locks inside of declared state: each node has its own, and users of one node wait for it."""

import threading
from functools import cache, partial

import pytest

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server

_server = cache(partial(start_server, "fakeredis"))


class Shop:
    """A counter in Redis, which users of one process increment under a lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.counted = 0

    def count(self, redis):
        with self.lock:
            redis.set("n", int(redis.get("n") or 0) + 1)
            self.counted += 1


SHOP = Shop()


@pytest.mark.parametrize(
    ("nodes", "verdict"), [(("a", "a"), Verdict.HOLDS), (("a", "b"), Verdict.VIOLATED)]
)
def test_a_lock_in_declared_state_excludes_users_of_its_node_only(nodes, verdict):
    def body(world):
        redis = world.existing_cache.client()
        for name, node in zip(("alice", "bob"), nodes, strict=True):
            world.actor(name, lambda: SHOP.count(redis), node=node)
        world.run()
        assert int(redis.get("n")) == 2

    result = check_on(_server(), body, Exploration(), guarantees=(), state=[f"{__name__}:SHOP"])
    assert result.verdict is verdict, result.reasons
    assert type(SHOP.lock) is type(threading.RLock())
    assert SHOP.counted == 0
