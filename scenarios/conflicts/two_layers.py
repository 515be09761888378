"""Storing in two layers when one of them may fail: leave it, try again, or delete and repair."""

import json
import threading
import time
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

PAUSE_SECONDS = 1


class StoresInBoth:
    """A near cache over Redis; a write stores in both."""

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the nearest layer that knows."""
        value = self.near.get(key)
        if value is None:
            text = self.far.get(key)
            value = self.origin.get(key) if text is None else json.loads(text)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit, then store in both."""
        self.origin.set(key, value)
        self.near.put(key, value)
        self.far.set(key, json.dumps(value))


class TriesTwice(StoresInBoth):
    """Tries once more when Redis does not answer."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store in both."""
        self.origin.set(key, value)
        self.near.put(key, value)
        try:
            self.far.set(key, json.dumps(value))
        except RedisConnectionError:
            self.far.set(key, json.dumps(value))


class DeletesAndRepairs(StoresInBoth):
    """Deletes everywhere when Redis does not answer, for as long as that takes."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store in both."""
        self.origin.set(key, value)
        self.near.put(key, value)
        try:
            self.far.set(key, json.dumps(value))
        except RedisConnectionError:
            threading.Thread(target=self.repair, args=(key,)).start()

    def repair(self, key: str) -> None:
        """Delete in every layer."""
        self.near.invalidate(key)
        while True:
            try:
                self.far.delete(key)
            except RedisConnectionError:
                time.sleep(PAUSE_SECONDS)
            else:
                return


sc.system("both.naive")(StoresInBoth)
sc.system("both.retry")(TriesTwice)
sc.system("both.repair")(DeletesAndRepairs)
