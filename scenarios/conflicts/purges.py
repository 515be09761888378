"""Emptying a whole cache: once, twice, or by a generation that is part of every name."""

import json
import time
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside

GENERATION = "generation"


class Purges(LookAside):
    """A change empties the cache: nobody knows which pages show the product."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then empty the cache."""
        self.origin.set(key, value)
        self.far.flushdb()


class PurgesTwice(Purges):
    """A change empties the cache, and once more a second later."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then empty the cache twice."""
        super().set(key, value)
        time.sleep(1)
        self.far.flushdb()


class CountsGenerations(LookAside):
    """A change begins a new generation; an entry belongs to the one in which its load began."""

    def get(self, key: str) -> Any:
        """Answer from this generation, else from the origin."""
        name = f"{key}/{self.far.get(GENERATION) or 0}"
        text = self.far.get(name)
        if text is not None:
            return json.loads(text)
        value = self.origin.get(key)
        self.fill(name, value)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit, then leave everything behind."""
        self.origin.set(key, value)
        self.far.incr(GENERATION)


sc.system("purge.naive")(Purges)
sc.system("purge.twice")(PurgesTwice)
sc.system("purge.generation")(CountsGenerations)
