"""Telling near caches of a change: only if the far cache had the entry, for a while, or always."""

import json
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

LONGEST_SECONDS = 60


class TellsIfThere:
    """A near cache over Redis; a write tells the nodes when there was something to delete."""

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin
        self.clock = layers.clock

    def get(self, key: str) -> Any:
        """Answer from the nearest layer that knows."""
        value = self.look_up(key)
        if value is None:
            text = self.far.get(key)
            value = self.origin.get(key) if text is None else json.loads(text)
            if text is None:
                self.far.set(key, json.dumps(value))
            self.keep(key, value)
        return value

    def look_up(self, key: str) -> Any:
        """Look into the near cache."""
        return self.near.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Keep a value in the near cache."""
        self.near.put(key, value)

    def set(self, key: str, value: Any) -> None:
        """Commit, delete, and tell the nodes that somebody may have had it."""
        self.origin.set(key, value)
        if self.far.delete(key):
            self.near.invalidate(key)


class TellsIfThereForAWhile(TellsIfThere):
    """The near cache keeps nothing for longer than a minute."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.until: dict[str, float] = {}

    def look_up(self, key: str) -> Any:
        """Look into the near cache, but not at what is too old."""
        value = super().look_up(key)
        return value if self.clock.now() < self.until.get(key, 0.0) else None

    def keep(self, key: str, value: Any) -> None:
        """Keep a value in the near cache, and until when."""
        super().keep(key, value)
        self.until[key] = self.clock.now() + LONGEST_SECONDS


class TellsAlways(TellsIfThere):
    """A write tells the nodes whatever the far cache has had."""

    def set(self, key: str, value: Any) -> None:
        """Commit, delete and tell."""
        self.origin.set(key, value)
        self.far.delete(key)
        self.near.invalidate(key)


sc.system("tell.naive")(TellsIfThere)
sc.system("tell.ttl")(TellsIfThereForAWhile)
sc.system("tell.always")(TellsAlways)
