"""Counting in a cache: read and store, the same under a lock, or one atomic command."""

import threading

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class Counter:
    """Reads the count and stores one more."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)

    def get(self, key: str) -> int:
        """Return the count."""
        return int(self.far.get(key) or 0)

    def add(self, key: str) -> None:
        """Count one more."""
        self.far.set(key, self.get(key) + 1)


class LockedCounter(Counter):
    """Lets one at a time read and store, within this process."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.lock = threading.Lock()

    def add(self, key: str) -> None:
        """Count one more."""
        with self.lock:
            super().add(key)


class AtomicCounter(Counter):
    """Leaves it to Redis."""

    def add(self, key: str) -> None:
        """Count one more."""
        self.far.incr(key)


sc.system("counter.naive")(Counter)
sc.system("counter.locked")(LockedCounter)
sc.system("counter.atomic")(AtomicCounter)


@sc.verb("count")
def count(system, _user, key: str):
    """Count one more of something."""
    system.add(key)
