"""Two caches that keep an entry for ten seconds each: one after the other, or from one start."""

import json
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

LIFE_SECONDS = 10


class StartsAnew:
    """A near cache over Redis over the origin; each layer keeps what it gets for ten seconds."""

    near_seconds = LIFE_SECONDS

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the nearest layer that knows, and fill the nearer ones."""
        value = self.near.get(key)
        if value is None:
            text = self.far.get(key)
            value = self.origin.get(key) if text is None else json.loads(text)
            if text is None:
                self.far.set(key, json.dumps(value), ex=LIFE_SECONDS)
            self.near.put(key, value, self.left(key))
        return value

    def left(self, key: str) -> float:
        """Say for how long the near cache may keep an entry."""
        return self.near_seconds


class MuchShorter(StartsAnew):
    """The near cache keeps what it gets for three seconds."""

    near_seconds = 3


class WhatIsLeft(StartsAnew):
    """The near cache keeps what it gets for as long as Redis will."""

    def left(self, key: str) -> float:
        """Ask Redis how long that is."""
        return max(self.far.pttl(key), 0) / 1000


sc.system("life.naive")(StartsAnew)
sc.system("life.shorter")(MuchShorter)
sc.system("life.left")(WhatIsLeft)
