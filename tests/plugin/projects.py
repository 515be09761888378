"""What projects of users look like: systems, scenarios and tests that several files share."""

SHOP = '''
import json
import pytest_supercache as sc

class Shop:
    """A look-aside cache; `set` deletes after the commit. A slow reader can bring the old back."""

    def __init__(self, redis, db):
        self.redis, self.db = redis, db

    def get(self, key):
        found = self.redis.get(key)
        if found is not None:
            return json.loads(found)
        value = self.db.get(key)
        if value is not None:
            self.redis.set(key, json.dumps(value))
        return value

    def set(self, key, value):
        self.db.set(key, value)
        self.redis.delete(key)

    def delete(self, key):
        self.db.delete(key)
        self.redis.delete(key)

class Uncached(Shop):
    """Every read asks the origin: nothing can be stale."""

    def get(self, key):
        return self.db.get(key)

@sc.system("shop")
def shop(layers):
    return Shop(layers.existing_cache.client(), layers.origin)

@sc.system("uncached")
def uncached(layers):
    return Uncached(layers.existing_cache.client(), layers.origin)
'''
"""A conftest with one system that has a race, and its twin that has none."""

READ_AGAINST_WRITE = """
scenario: After a price change nobody is shown the old price
id: {id}
system: {system}
given: {{origin: {{"product:42": 100}}}}
users:
  alice: [{{read: "product:42"}}]
  bob: [{{write: {{key: "product:42", value: 120}}}}]
"""
"""The race: VIOLATED on `shop`, HOLDS on `uncached`."""

ONE_READER = """
scenario: One user reads
id: {id}
system: {system}
users:
  alice: [{{read: k}}]
"""
"""The smallest scenario: whatever is wrong with it is wrong with its system."""

STALE_TEST = """
import pytest_supercache as sc
from conftest import Shop, Uncached
"""
"""The head of a test module that explores the systems above."""


def race(name: str = "S-1", system: str = "shop", more: str = "") -> str:
    """Return the race as a scenario file, with further top-level lines."""
    return READ_AGAINST_WRITE.format(id=name, system=system) + more


def on_two_nodes(name: str, system: str) -> str:
    """The race, with its writer on another node."""
    return race(name, system).replace(
        'bob: [{write: {key: "product:42", value: 120}}]',
        'bob: {node: b, steps: [{write: {key: "product:42", value: 120}}]}',
    )


def one_reader(name: str, system: str, more: str = "") -> str:
    """Return the smallest scenario, with further top-level lines."""
    return ONE_READER.format(id=name, system=system) + more


THREE_USERS = """
from conftest import Shop

def three(world, last, content=None):
    shop = Shop(world.existing_cache.client(), world.origin)
    world.origin.restore(content or {"p": 0, "q": 0})

    def alice():
        shop.get("p")
        shop.set("q", 1)

    world.actor("alice", alice)
    world.actor("bob", shop.set, "p", 2)
    world.actor("carol", shop.set, "p", 3)
    world.run()
    assert (world.existing_cache.peek("p"), world.origin.peek("p")) != last
"""
"""A flow of three users on two keys, in 52 interleavings; ``last`` is an end that must not be."""
