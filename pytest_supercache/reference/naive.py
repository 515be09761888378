"""The conflict: a reader's fill after the invalidation has passed restores the old value.

Each layer is correct alone. The super cache answers warm reads without a command; a cache miss is
looked up in Redis, then in the origin, and both caches are filled on the way back. A write commits,
deletes the Redis entry and invalidates every super cache. It cannot reach a reader that has already
read the old value and has not stored it yet.
"""

import json
from typing import Any

from pytest_supercache.layers.stack import NodeLayers


class NaiveShop:
    """Fills the caches with whatever it has read."""

    def __init__(self, layers: NodeLayers) -> None:
        self._near = layers.super_cache
        self._far = layers.existing_cache.client(decode_responses=True)
        self._origin = layers.origin

    def get(self, key: str) -> Any:
        """Return the value from the nearest layer that has it, and fill the nearer ones."""
        value = self._near.get(key)
        if value is not None:
            return value
        text = self._far.get(key)
        if text is not None:
            value = json.loads(text)
        else:
            value = self._origin.get(key)
            if value is None:
                return None
            self._far.set(key, json.dumps(value))
        self._near.put(key, value)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit, then invalidate both caches."""
        self._origin.set(key, value)
        self._invalidate(key)

    def delete(self, key: str) -> None:
        """Remove from the origin, then invalidate both caches."""
        self._origin.delete(key)
        self._invalidate(key)

    def _invalidate(self, key: str) -> None:
        self._far.delete(key)
        self._near.invalidate(key)
