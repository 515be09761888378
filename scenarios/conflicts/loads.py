"""How often the origin is asked when an entry is missing: by everybody, less at once, or once."""

import json
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers
from scenarios.conflicts.lookaside import LookAside

LIFE_SECONDS = 10
TURN_SECONDS = 60


class FillsForAWhile(LookAside):
    """Whoever misses loads; an entry lives for ten seconds."""

    def fill(self, key: str, value: Any) -> None:
        """Keep what was loaded."""
        self.far.set(key, json.dumps(value), ex=self.life())

    def life(self) -> int:
        """Say for how long."""
        return LIFE_SECONDS


class Jittered(FillsForAWhile):
    """Entries do not all end together: each node has its own time to live."""

    def life(self) -> int:
        """Say for how long on this node."""
        return LIFE_SECONDS + len(self.layers.node)


class OneAtATime(FillsForAWhile):
    """Whoever misses waits for a turn, of which there is one in Redis, and looks again."""

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin in one's turn."""
        text = self.far.get(key)
        if text is not None:
            return json.loads(text)
        if not self.far.set(f"{key}/made", 1, nx=True):
            self.far.blpop(f"{key}/turn")
        try:
            return super().get(key)
        finally:
            self.far.rpush(f"{key}/turn", 1)


class Near:
    """A near cache on each node over Redis; both keep what they get for ten seconds."""

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.shared = self.far(layers)

    def far(self, layers: NodeLayers) -> FillsForAWhile:
        """Return what is asked when the near cache does not know."""
        return FillsForAWhile(layers)

    def get(self, key: str) -> Any:
        """Answer from the nearest layer that knows."""
        value = self.near.get(key)
        if value is None:
            value = self.shared.get(key)
            self.near.put(key, value, LIFE_SECONDS)
        return value


class NearJittered(Near):
    """Entries of Redis end at other times than those of the near caches."""

    def far(self, layers: NodeLayers) -> FillsForAWhile:
        """Keep entries of Redis a little longer."""
        return Jittered(layers)


class NearOneAtATime(Near):
    """Behind the near caches one at a time loads."""

    def far(self, layers: NodeLayers) -> FillsForAWhile:
        """Load in one's turn."""
        return OneAtATime(layers)


sc.system("load.naive")(FillsForAWhile)
sc.system("load.jitter")(Jittered)
sc.system("load.turns")(OneAtATime)
sc.system("spike.naive")(Near)
sc.system("spike.jitter")(NearJittered)
sc.system("spike.turns")(NearOneAtATime)
