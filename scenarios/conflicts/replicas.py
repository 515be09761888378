"""A database with a replica that is behind: read at any time, only later, or only when it is there.

The replica is a table of its own that a user of the scenario, the replication, brings up to date.
"""

import json
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers

MARK_SECONDS = 1


class Replica:
    """Rows as they were when the replication came by last."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows

    def read(self, key: str) -> Any:
        """Read a row."""
        return self.rows.get(key)

    def store(self, key: str, value: Any) -> None:
        """Bring a row up to date."""
        self.rows[key] = value


class ReadsReplica:
    """A miss loads from the replica unless a mark says that it is behind; a write deletes."""

    def __init__(self, layers: NodeLayers) -> None:
        self.far = layers.existing_cache.client(decode_responses=True)
        self.origin = layers.origin
        self.replica = Replica(layers.origin.content())

    def layers(self) -> dict[str, Any]:
        """Let the picture show the replica."""
        return {"replica": self.replica.rows}

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the replica, and keep the answer."""
        text, mark = self.far.mget(key, f"{key}/mark")
        if text is not None:
            return json.loads(text)
        value = self.replica.read(key) if mark is None else self.origin.get(key)
        self.far.set(key, json.dumps(value))
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit to the primary, then delete the entry."""
        self.origin.set(key, value)
        self.far.delete(key)

    def replicate(self, key: str) -> None:
        """Copy a row from the primary."""
        self.replica.store(key, self.origin.get(key))


class AsksPrimaryForASecond(ReadsReplica):
    """For a second after a write, misses load from the primary."""

    def set(self, key: str, value: Any) -> None:
        """Mark for a second, commit, then delete the entry."""
        self.far.set(f"{key}/mark", 1, ex=MARK_SECONDS)
        super().set(key, value)


class MarksUntilReplicated(ReadsReplica):
    """A mark sends misses to the primary until the replication has come by.

    The replication deletes the entry too: who has looked for the mark just before a write may
    have filled from a replica that did not have it.
    """

    def set(self, key: str, value: Any) -> None:
        """Mark, commit, then delete the entry."""
        self.far.set(f"{key}/mark", 1)
        super().set(key, value)

    def replicate(self, key: str) -> None:
        """Copy a row, then take the mark and whatever was filled before."""
        super().replicate(key)
        self.far.delete(f"{key}/mark", key)


sc.watch("scenarios.conflicts.replicas:Replica.read", "replica", reads="key")
sc.watch("scenarios.conflicts.replicas:Replica.store", "replica", writes="key")
sc.system("replica.naive")(ReadsReplica)
sc.system("replica.primary")(AsksPrimaryForASecond)
sc.system("replica.mark")(MarksUntilReplicated)


@sc.verb("replicate")
def replicate(system, _user, key: str):
    """Bring a row of the replica up to date."""
    system.replicate(key)
