"""Write-behind: what is saved is acknowledged in the near cache and flushed to the origin later."""

import threading
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class Buffered:
    """A write is kept in the near cache; half a minute later it is brought to the origin."""

    flush_seconds = 30

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.origin = layers.origin
        self.flushing = threading.Lock()

    def get(self, key: str) -> Any:
        """Answer with what is kept, else from the origin."""
        value = self.near.get(key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Keep, and flush later."""
        self.near.put(key, value)
        threading.Timer(self.flush_seconds, self.flush, (key,)).start()

    def flush(self, key: str) -> None:
        """Bring what is kept to the origin."""
        with self.flushing:
            value = self.near.get(key)
            if value is not None:
                self.origin.set(key, value)

    def write_directly(self, key: str, value: Any) -> None:
        """Change the origin itself, as a batch job does, and tell the cache."""
        self.origin.set(key, value)
        self.near.invalidate(key)


class FlushedOften(Buffered):
    """What is kept is brought to the origin a second later."""

    flush_seconds = 1


class WrittenThrough(Buffered):
    """A write reaches the origin before it is acknowledged."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then keep."""
        self.origin.set(key, value)
        self.near.put(key, value)


class AllBuffered(Buffered):
    """The batch job writes into the buffer as well."""

    def write_directly(self, key: str, value: Any) -> None:
        """Keep, and flush later."""
        self.set(key, value)


class Compared(Buffered):
    """A flush commits only over the version that was there when its value was kept."""

    def get(self, key: str) -> Any:
        """Answer with what is kept, else from the origin."""
        kept = self.near.get(key)
        return self.origin.get(key) if kept is None else kept["value"]

    def set(self, key: str, value: Any) -> None:
        """Keep with the version that is there, and flush later."""
        self.near.put(key, {"value": value, "over": self.origin.version(key)})
        threading.Timer(self.flush_seconds, self.flush, (key,)).start()

    def flush(self, key: str) -> None:
        """Bring what is kept to the origin, or forget it when something newer is there."""
        with self.flushing:
            kept = self.near.get(key)
            if kept is not None:
                self.origin.replace(key, kept["value"], kept["over"])


sc.system("buffer.naive")(Buffered)
sc.system("buffer.often")(FlushedOften)
sc.system("buffer.through")(WrittenThrough)
sc.system("buffer.all")(AllBuffered)
sc.system("buffer.compare")(Compared)


@sc.verb("write_directly", writes=lambda item, value: {item: value})
def write_directly(system, _user, item: str, value: int):
    """Change an item in the origin, past the buffer."""
    system.write_directly(item, value)
