"""The plainest look-aside cache: Redis over the origin, which most systems here differ from."""

import json
from typing import Any

from pytest_supercache.layers.stack import NodeLayers


class LookAside:
    """Fills on a miss; a write commits and then deletes the entry."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin
        self.layers = layers

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin, and keep the answer."""
        text = self.far.get(key)
        if text is not None:
            return json.loads(text)
        value = self.origin.get(key)
        self.fill(key, value)
        return value

    def fill(self, key: str, value: Any) -> None:
        """Keep what was loaded."""
        self.far.set(key, json.dumps(value))

    def set(self, key: str, value: Any) -> None:
        """Commit, then delete the entry."""
        self.origin.set(key, value)
        self.far.delete(key)


class NamedByVersion(LookAside):
    """The origin counts its versions, and an entry has the version in its name.

    What a commit leaves behind is never asked for again, so that nothing must be deleted and no
    fill can come too late; the price is a question to the origin for each read.
    """

    def get(self, key: str) -> Any:
        """Ask for the entry of the version that is in force."""
        name = f"{key}/{self.origin.version(key)}"
        text = self.far.get(name)
        if text is not None:
            return json.loads(text)
        value = self.origin.get(key)
        self.fill(name, value)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit: the version moves on with it."""
        self.origin.set(key, value)
