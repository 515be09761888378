"""Refreshing an entry under a lock that ends by itself: who has lost it, may not know."""

import json
import time
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside
from scenarios.conflicts.versioned import newest, store_version

WAIT_SECONDS = 1


class Refreshes(LookAside):
    """One at a time loads an entry and stores it; a lock that is not given back ends by itself."""

    lease_seconds = 1

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin."""
        text = self.far.get(key)
        return self.origin.get(key) if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        """Commit, then refresh the entry, whoever else is at it."""
        self.origin.set(key, value)
        while not self.refresh(key):
            time.sleep(WAIT_SECONDS)

    def refresh(self, key: str) -> bool:
        """Load and store, unless somebody else is at it."""
        if not self.far.set(f"lock/{key}", 1, nx=True, ex=self.lease_seconds):
            return False
        self.far.set(key, json.dumps(self.origin.get(key)))
        self.far.delete(f"lock/{key}")
        return True


class RefreshesLonger(Refreshes):
    """The lock may be held for five seconds."""

    lease_seconds = 5


class RefreshesWithToken(Refreshes):
    """Whoever takes the lock takes a number as well, and stores under it."""

    def get(self, key: str) -> Any:
        """Answer with what has the greatest number, else from the origin."""
        value = newest(self.far, key)
        return self.origin.get(key) if value is None else value

    def refresh(self, key: str) -> bool:
        """Load and store under a number; one that was taken in vain does no harm."""
        with self.far.pipeline() as transaction:
            transaction.set(f"lock/{key}", 1, nx=True, ex=self.lease_seconds)
            transaction.incr(f"tokens/{key}")
            is_taken, number = transaction.execute()
        if is_taken:
            self.store(key, self.origin.get(key), number)
        return bool(is_taken)

    def store(self, key: str, value: Any, number: int) -> None:
        """Store and give the lock back, together."""
        with self.far.pipeline() as transaction:
            store_version(transaction, key, value, number)
            transaction.delete(f"lock/{key}")
            transaction.execute()


sc.system("refresh_lock.naive")(Refreshes)
sc.system("refresh_lock.longer")(RefreshesLonger)
sc.system("refresh_lock.token")(RefreshesWithToken)
