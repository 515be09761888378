"""Giving back a lock that ends by itself: by deleting it, or only if it is still one's own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import WatchError

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

REPORT_SECONDS = 50
SALE_SECONDS = 30
WAIT_SECONDS = 20


class Stock:
    """Changes a number under a lock; a report holds it, too, so that nothing moves meanwhile."""

    lease_seconds = 32

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)

    def get(self, item: str) -> int:
        """Return how many there are."""
        return int(self.far.get(item) or 0)

    def report(self, item: str, user: str) -> int:
        """Count, and write a page about it."""
        with self.locked(item, user):
            count = self.get(item)
            time.sleep(REPORT_SECONDS)
        return count

    def sell(self, item: str, user: str) -> None:
        """Take one away."""
        with self.locked(item, user):
            count = self.get(item)
            time.sleep(SALE_SECONDS)
            self.far.set(item, count - 1)

    @contextmanager
    def locked(self, item: str, user: str) -> Iterator[None]:
        """Wait for the lock, and give it back."""
        lock = f"lock/{item}"
        while not self.far.set(lock, user, nx=True, ex=self.lease_seconds):
            time.sleep(WAIT_SECONDS)
        yield
        self.give_back(lock, user)

    def give_back(self, lock: str, _user: str) -> None:
        """Delete the lock."""
        self.far.delete(lock)


class StockWithLongerLease(Stock):
    """The lock may be held for a little longer."""

    lease_seconds = 39


class StockWithToken(Stock):
    """The lock says whose it is."""

    def give_back(self, lock: str, user: str) -> None:
        """Delete the lock if it is still one's own, which nobody can change meanwhile."""
        with self.far.pipeline() as transaction:
            transaction.watch(lock)
            if transaction.get(lock) == user:
                transaction.multi()
                transaction.delete(lock)
                try:
                    transaction.execute()
                except WatchError:
                    return


sc.system("unlock.naive")(Stock)
sc.system("unlock.longer")(StockWithLongerLease)
sc.system("unlock.token")(StockWithToken)


@sc.verb("report")
def report(system, user, item: str):
    """Count something under its lock, and take long about it."""
    return system.report(item, user.name)


@sc.verb("sell")
def sell(system, user, item: str):
    """Take one of something away, under its lock."""
    system.sell(item, user.name)
