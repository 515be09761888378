"""How often the origin is asked when an entry is missing: by everybody, less at once, or once."""

import json
import time
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers
from scenarios.conflicts.lookaside import LookAside

LIFE_SECONDS = 10
CLAIM_SECONDS = 5
PAUSE_SECONDS = 0.2


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
    """Whoever misses and is first loads; the others wait a little and look again.

    The claim has an end, so that a node that dies does not leave everybody waiting.
    """

    def get(self, key: str) -> Any:
        """Answer from Redis; else load, or wait for whoever does."""
        while True:
            text = self.far.get(key)
            if text is not None:
                return json.loads(text)
            if self.far.set(f"{key}/claimed", 1, nx=True, ex=CLAIM_SECONDS):
                value = self.origin.get(key)
                self.fill(key, value)
                return value
            time.sleep(PAUSE_SECONDS)


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
        """Load if nobody else does."""
        return OneAtATime(layers)


sc.system("load.naive")(FillsForAWhile)
sc.system("load.jitter")(Jittered)
sc.system("load.claim")(OneAtATime)
sc.system("spike.naive")(Near)
sc.system("spike.jitter")(NearJittered)
sc.system("spike.claim")(NearOneAtATime)
