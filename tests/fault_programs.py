"""Small programs, each with the bug that one kind of fault shows, and with the fix.

Every program is a function of a world; ``fixed`` says which of the two it is.
"""

import json
import threading
import time
from functools import partial

from redis.exceptions import ConnectionError as RedisConnectionError

KEY = "k"


class TimeoutHit(BaseException):
    """What a timeout of some library raises in the middle of anything."""


def _equal(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, expected {wanted!r}"


class Shop:
    """A super cache over Redis over the origin, with a reader that never races: it is warm."""

    def __init__(self, layers, *, careful=False, always=True):
        self.near, self.far = layers.super_cache, layers.existing_cache.client()
        self.origin = layers.origin
        self.careful = careful  # checks the version of what it finds
        self.always = always  # publishes whether or not the entry was there

    def get(self, key):
        value = self.near.get(key)
        if value is None:
            value = self._far(key)
            if value is None:
                value = {"value": self.origin.get(key), "version": self.origin.version(key)}
                self.far.set(key, json.dumps(value))
            self.near.put(key, value)
        return value["value"]

    def _far(self, key):
        found = self.far.get(key)
        try:
            value = json.loads(found) if found is not None else None
        except ValueError:
            if not self.careful:
                raise
            return None
        if value and self.careful and value["version"] != self.origin.version(key):
            return None
        return value

    def set(self, key, value, *, retry=False):
        self.origin.set(key, value)
        try:
            was_there = self.far.delete(key)
        except RedisConnectionError:
            if not retry:
                raise
            was_there = self.far.delete(key)
        if was_there or self.always:
            self.near.invalidate(key)


def _two_nodes(world, **options):
    shops = {node: Shop(world.node(node), **options) for node in "ab"}
    world.origin.set(KEY, 1)
    for node, shop in shops.items():
        with world.at(node):
            shop.get(KEY)
    return shops


def _settled_answers(world, shops):
    world.settle()
    for node, shop in shops.items():
        with world.at(node):
            _equal(f"node {node}", shop.get(KEY), world.origin.peek(KEY))


def lost_message(world, *, fixed):
    """The other node keeps the old value unless the message is sent more than once."""
    shops = _two_nodes(world)

    def change():
        shops["a"].set(KEY, 2)
        if fixed:
            shops["a"].near.invalidate(KEY)

    world.actor("bob", change)
    world.run()
    _settled_answers(world, shops)


def late_message(world, *, fixed):
    """Bob waits half a second and then looks on the other node; or he asks the origin."""
    shops = _two_nodes(world)

    def change():
        shops["a"].set(KEY, 2)
        time.sleep(0.5)  # noqa: TID251 - what code under test does
        seen = world.origin.get(KEY) if fixed else shops["b"].get(KEY)
        _equal("bob sees", seen, 2)

    world.actor("bob", change)
    world.run()


def counted_message(world, *, fixed):
    """Whoever counts messages counts one that came twice."""
    seen = []
    world.super_cache.mailbox.subscribe(seen.append)
    world.actor("bob", world.super_cache.invalidate, KEY)
    world.run()
    _equal("seen", len(set(seen) if fixed else seen), 1)


def last_message(world, *, fixed):
    """Whoever keeps the last message keeps an older one when they change places."""
    seen = []
    world.super_cache.mailbox.subscribe(seen.append)

    def tell():
        world.super_cache.invalidate("1")
        world.super_cache.invalidate("2")

    world.actor("bob", tell)
    world.run()
    _equal("kept", max(seen) if fixed else seen[-1], "2")


def partial_write(world, *, fixed):
    """The commit is done, the invalidation is not; a retry helps."""
    shops = _two_nodes(world)
    world.actor("bob", shops["a"].set, KEY, 2, retry=fixed)
    world.run()
    world.settle()
    if world.origin.peek(KEY) == 2:
        _equal("Redis", world.existing_cache.peek(KEY), None)


def repeated_effect(world, *, fixed):
    """A retry repeats what took effect, unless repeating it changes nothing."""
    client = world.existing_cache.client()
    count = partial(client.set, "n", 1) if fixed else partial(client.incr, "n")

    def flow():
        try:
            count()
        except RedisConnectionError:
            count()

    world.actor("bob", flow)
    world.run()
    _equal("n", world.existing_cache.peek("n"), "1")


def suppressed_message(world, *, fixed):
    """Nobody is told when the entry was not there any more."""
    shops = _two_nodes(world, always=fixed)
    world.actor("bob", shops["a"].set, KEY, 2)
    world.run()
    _settled_answers(world, shops)


def gone_between(world, *, fixed):
    """Looked, then read: the entry runs out in between."""
    client = world.existing_cache.client()
    client.set(KEY, "x", ex=60)

    def flow():
        if fixed:
            return client.get(KEY) or b"default"
        return client.get(KEY) if client.exists(KEY) else b"default"

    world.actor("alice", flow)
    answers = world.run()
    assert answers["alice"] is not None, "alice got nothing"


def unflushed(world, *, fixed):
    """Acknowledged before it reached the origin."""
    near = world.super_cache

    def save():
        if fixed:
            world.origin.set(KEY, 2)
        near.put(KEY, 2)
        if not fixed:
            value = near.get(KEY)
            if value is not None:
                world.origin.set(KEY, value)

    world.actor("bob", save)
    world.run()
    _equal("origin", world.origin.peek(KEY), 2)


def lease(world, *, fixed):
    """A holder that pauses longer than its lease is not alone any more."""
    client = world.existing_cache.client()
    entered = []

    def add():
        if not client.set("lock", "1", nx=True, ex=10):
            return
        entered.append(1)
        if fixed:
            client.incr("n")
        else:
            client.set("n", int(client.get("n") or 0) + 1)
        client.delete("lock")

    for name in ("alice", "bob"):
        world.actor(name, add)
    world.run()
    _equal("n", int(world.existing_cache.peek("n")), len(entered))


def newest_by_clock(world, *, fixed):
    """The newer write loses when the clock of the earlier writer is ahead."""
    client = world.existing_cache.client()

    def put(value):
        stamp = client.incr("version") if fixed else time.time()  # noqa: TID251 - code under test
        held = json.loads(client.get(KEY) or "[0, 0]")
        if stamp >= held[0]:
            client.set(KEY, json.dumps([stamp, value]))

    def flow():
        world.wait_until(lambda: world.existing_cache.peek(KEY) is not None)
        put(2)

    world.actor("alice", put, 1, node="a")
    world.actor("bob", flow, node="b")
    world.run()
    _equal("kept", json.loads(world.existing_cache.peek(KEY))[1], 2)


def promoted_replica(world, *, fixed):
    """The new primary still has what was deleted on the old one."""
    shop = Shop(world.layers, careful=fixed)
    world.origin.set(KEY, 1)
    shop.get(KEY)
    world.actor("bob", shop.set, KEY, 2)
    world.run()
    _settled_answers(world, {"a": shop})


def other_version(world, *, fixed):
    """The other node names keys otherwise, or writes what this one cannot read."""
    shops = {node: Shop(world.node(node), careful=fixed) for node in "ab"}
    world.origin.set(KEY, 1)
    for node in "ba":
        with world.at(node):
            shops[node].get(KEY)
    world.actor("bob", shops["b"].set, KEY, 2, node="b")
    world.actor("alice", shops["a"].get, KEY, node="a")
    world.run()
    world.super_cache.drop(None)
    _settled_answers(world, shops)


def held_lock(world, *, fixed):
    """A lock that is not given back when something is raised blocks the next one."""
    lock, client = threading.Lock(), world.existing_cache.client()

    def flow():
        if fixed:
            with lock:
                client.get(KEY)
        else:
            lock.acquire()
            client.get(KEY)
            lock.release()

    for name in ("alice", "bob"):
        world.actor(name, flow)
    world.run()
