"""Near caches that are sent new values: as they come, only told to forget, or by version."""

from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class SendsValues:
    """A near cache over the origin; a write sends the new value to every node."""

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the near cache, else from the origin."""
        value = self.near.get(key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit and send."""
        self.origin.set(key, value)
        self.near.send(key, value)


class SendsDeletes(SendsValues):
    """A write tells every node to forget."""

    def set(self, key: str, value: Any) -> None:
        """Commit and tell."""
        self.origin.set(key, value)
        self.near.invalidate(key)


class SendsVersions(SendsValues):
    """A node refuses what is older than what it has been sent."""

    def set(self, key: str, value: Any) -> None:
        """Commit and send with the version."""
        self.near.send(key, value, self.origin.set(key, value))


sc.system("send.naive")(SendsValues)
sc.system("send.delete")(SendsDeletes)
sc.system("send.version")(SendsVersions)
