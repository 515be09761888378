"""A near cache on each node over Redis: told of changes by messages, and what happens without."""

import json
from itertools import count
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

LONGEST_SECONDS = 60


class NearOverFar:
    """Fetches from Redis into the near cache; a write stores in Redis and tells the nodes."""

    longest: float | None = None

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the near cache, else from Redis, and keep the answer."""
        value = self.near.get(key)
        if value is None:
            value = self.fetch(key)
            self.near.put(key, value, self.longest)
        return value

    def fetch(self, key: str) -> Any:
        """Answer from Redis, else from the origin."""
        text = self.far.get(key)
        return self.origin.get(key) if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        """Commit, store in Redis, and tell the nodes."""
        self.origin.set(key, value)
        self.far.set(key, json.dumps(value))
        self.near.invalidate(key)


class ForAWhile(NearOverFar):
    """The near cache keeps nothing for longer than a minute."""

    longest = LONGEST_SECONDS


class Placeholder(NearOverFar):
    """Takes a place in the near cache before fetching, and fills it only if it is still there."""

    def get(self, key: str) -> Any:
        """Answer from the near cache, else from Redis, and keep the answer if still allowed."""
        value, place = self.near.get_or_lease(key)
        if place is not None:
            value = self.fetch(key)
            self.near.put_leased(key, value, place)
        return value


class Direct:
    """The near cache lies over the origin; a write tells the nodes."""

    longest: float | None = None

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the near cache, else from the origin, and keep the answer."""
        value = self.near.get(key)
        if value is None:
            value = self.origin.get(key)
            self.near.put(key, value, self.longest)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit and tell the nodes."""
        self.origin.set(key, value)
        self.near.invalidate(key)


class DirectForAWhile(Direct):
    """The near cache keeps nothing for longer than a minute."""

    longest = LONGEST_SECONDS


class Numbered(Direct):
    """Commits are counted; a node that has heard of fewer than there were forgets what it has.

    The count is asked before each look-up, so that this holds at every moment; in production a
    heartbeat brings it, and the moment is as long as that takes.
    """

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.heard: dict[str, int] = {}

    def get(self, key: str) -> Any:
        """Answer from the near cache if nothing was missed, else from the origin."""
        number = self.origin.version(key)
        if self.heard.get(key, 0) == number:
            value = self.near.get(key)
            if value is not None:
                return value
        value = self.origin.get(key)
        self.near.invalidate(key)
        self.heard[key] = number
        return value


class DeletesInRedis:
    """Redis over the origin; a write commits and then deletes the entry."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin."""
        text = self.far.get(key)
        return self.origin.get(key) if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        """Commit, then delete the entry."""
        self.origin.set(key, value)
        self.far.delete(key)


class TriesAgain(DeletesInRedis):
    """Deletes once more when Redis does not answer."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then delete the entry at the second try at the latest."""
        self.origin.set(key, value)
        try:
            self.far.delete(key)
        except RedisConnectionError:
            self.far.delete(key)


class Outbox(DeletesInRedis):
    """What is to be deleted is committed with the change; a relay deletes it until that is done."""

    tries = 5

    def set(self, key: str, value: Any) -> None:
        """Commit the change together with what is to be done about it."""
        with self.origin.transaction() as transaction:
            transaction.set(key, value)
            transaction.set(f"outbox/{key}", "delete")
        self.relay(key)

    def relay(self, key: str) -> None:
        """Delete the entry, however often that has to be tried."""
        for attempt in count(1):
            try:
                self.far.delete(key)
            except RedisConnectionError:
                if attempt == self.tries:
                    raise
            else:
                self.origin.delete(f"outbox/{key}")
                return


sc.system("fetch.naive")(NearOverFar)
sc.system("fetch.ttl")(ForAWhile)
sc.system("fetch.placeholder")(Placeholder)
sc.system("told.naive")(Direct)
sc.system("told.ttl")(DirectForAWhile)
sc.system("told.numbered")(Numbered)
sc.system("erase.naive")(DeletesInRedis)
sc.system("erase.retry")(TriesAgain)
sc.system("erase.outbox")(Outbox)
