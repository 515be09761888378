"""Writing a value into the cache when the answer may never come: store again, later, or not."""

import json
import threading
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeoutError

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside
from scenarios.conflicts.versioned import newest, store_version


class RetriesLater(LookAside):
    """Commits and stores; what got no answer is stored again in the background."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store."""
        self.origin.set(key, value)
        try:
            self.store(key, value)
        except RedisTimeoutError:
            threading.Thread(target=self.store, args=(key, value)).start()

    def store(self, key: str, value: Any) -> None:
        """Replace the entry."""
        self.far.set(key, json.dumps(value))


class RetriesNever(RetriesLater):
    """Takes it that the command has arrived."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store once."""
        self.origin.set(key, value)
        try:
            self.store(key, value)
        except RedisTimeoutError:
            return


class RetriesWithToken(LookAside):
    """Takes a number before it commits; what has a smaller one is never read again."""

    def get(self, key: str) -> Any:
        """Answer with what has the greatest number, else from the origin."""
        value = newest(self.far, key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit, then store under the number."""
        token = int(self.far.incr(f"tokens/{key}"))
        self.origin.set(key, value)
        try:
            store_version(self.far, key, value, token)
        except RedisTimeoutError:
            threading.Thread(target=store_version, args=(self.far, key, value, token)).start()


sc.system("retry.naive")(RetriesLater)
sc.system("retry.none")(RetriesNever)
sc.system("retry.token")(RetriesWithToken)
