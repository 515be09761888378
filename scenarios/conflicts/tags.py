"""Entries that belong to a generation: stamped with it after the load, or before."""

import json
import time
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside

GENERATION = "generation"


class StampsAfter(LookAside):
    """A change begins a new generation; an entry of an older one counts as a miss."""

    def get(self, key: str) -> Any:
        """Answer from this generation, else from the origin."""
        text = self.far.get(key)
        entry = {} if text is None else json.loads(text)
        if entry.get("of") == self.generation():
            return entry["value"]
        return self.load(key)

    def load(self, key: str) -> Any:
        """Load, and stamp with the generation that there is then."""
        value = self.origin.get(key)
        self.fill(key, {"value": value, "of": self.generation()})
        return value

    def generation(self) -> int:
        """Return the number of the generation."""
        return int(self.far.get(GENERATION) or 0)

    def set(self, key: str, value: Any) -> None:
        """Commit, then leave everything behind."""
        self.origin.set(key, value)
        self.far.incr(GENERATION)


class StampsAfterTwice(StampsAfter):
    """A change begins two generations, a second apart."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then leave everything behind twice."""
        super().set(key, value)
        time.sleep(1)
        self.far.incr(GENERATION)


class StampsBefore(StampsAfter):
    """Whoever loads has asked for the generation before."""

    def load(self, key: str) -> Any:
        """Load, and stamp with the generation that there was before."""
        generation = self.generation()
        value = self.origin.get(key)
        self.fill(key, {"value": value, "of": generation})
        return value


sc.system("tag.naive")(StampsAfter)
sc.system("tag.twice")(StampsAfterTwice)
sc.system("tag.before")(StampsBefore)
