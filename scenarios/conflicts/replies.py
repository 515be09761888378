"""One connection for everybody: who sends, waits for the next reply, whoever it is meant for."""

import threading
from collections import deque
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class Connection:
    """Requests go out and replies come back in the same order."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)
        self.replies: deque[Any] = deque()

    def send(self, key: str) -> None:
        """Ask for a key; the reply waits to be received."""
        self.replies.append(self.far.get(key))

    def receive(self) -> Any:
        """Take the next reply."""
        return self.replies.popleft()

    def disconnect(self) -> None:
        """Connect anew: what was not received is gone."""
        self.replies.clear()


sc.watch("scenarios.conflicts.replies:Connection.send", "connection", writes="*")
sc.watch("scenarios.conflicts.replies:Connection.receive", "connection", reads="*", writes="*")
sc.watch("scenarios.conflicts.replies:Connection.disconnect", "connection", writes="*")


class Profiles:
    """Everybody's profile over one connection, one after the other."""

    def __init__(self, layers: NodeLayers) -> None:
        self.connection = Connection(layers)
        self.lock = threading.Lock()

    def get(self, key: str) -> Any:
        """Send, then receive."""
        with self.lock:
            self.connection.send(key)
            return self.connection.receive()


class DisconnectsOnError(Profiles):
    """Connects anew after any error."""

    def get(self, key: str) -> Any:
        """Send, then receive."""
        with self.lock:
            try:
                self.connection.send(key)
                return self.connection.receive()
            except Exception:
                self.connection.disconnect()
                raise


class DropsPending(Profiles):
    """Connects anew before it sends, when a reply is still on its way."""

    def get(self, key: str) -> Any:
        """Send, then receive."""
        with self.lock:
            if self.connection.replies:
                self.connection.disconnect()
            self.connection.send(key)
            return self.connection.receive()


sc.system("profiles.naive")(Profiles)
sc.system("profiles.disconnect")(DisconnectsOnError)
sc.system("profiles.pending")(DropsPending)
