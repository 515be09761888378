"""What a deployment brings: nodes that start, and two versions that share one cache."""

import json
import time
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers
from scenarios.conflicts.lookaside import LookAside, NamedByVersion

# -- a node that starts ---------------------------------------------------------------------------


class WarmsThenListens:
    """A near cache over the origin; a node that starts is warm before it hears of changes."""

    def __init__(self, layers: NodeLayers) -> None:
        self.near = layers.super_cache
        self.origin = layers.origin

    def get(self, key: str) -> Any:
        """Answer from the near cache, else from the origin; only starting fills."""
        value = self.near.get(key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit, then tell the nodes."""
        self.origin.set(key, value)
        self.near.invalidate(key)

    def prepare(self) -> None:
        """Be a process that has not started yet."""
        self.near.unsubscribe()

    def start(self, key: str) -> None:
        """Load what will be asked for, then listen."""
        self.near.put(key, self.origin.get(key))
        self.near.subscribe()


class WarmsLate(WarmsThenListens):
    """Waits until the deployment has calmed down."""

    def start(self, key: str) -> None:
        """Load what will be asked for, a second later."""
        time.sleep(1)
        super().start(key)


class ListensThenWarms(WarmsThenListens):
    """Listens first, and takes a lease on what it loads: a change meanwhile voids it."""

    def start(self, key: str) -> None:
        """Listen, then load what will be asked for."""
        self.near.subscribe()
        _, lease = self.near.get_or_lease(key)
        if lease is not None:
            self.near.put_leased(key, self.origin.get(key), lease)


sc.system("start.naive")(WarmsThenListens)
sc.system("start.late")(WarmsLate)
sc.system("start.listening")(ListensThenWarms)


@sc.verb("prepare")
def prepare(system, _user):
    """Be a process that has not started yet."""
    system.prepare()


@sc.verb("start")
def start(system, _user, key: str):
    """Start the process; it loads a key."""
    system.start(key)


# -- two versions ---------------------------------------------------------------------------------


class Deployed(LookAside):
    """Nothing is done about a deployment."""

    def finish(self) -> None:
        """The last node has the new version: see that the cache answers."""
        self.far.ping()


class FlushedAfterwards(LookAside):
    """The cache is emptied when the last node has the new version."""

    def finish(self) -> None:
        """Empty the cache."""
        self.far.flushdb()


class FlushedAfterErrors(LookAside):
    """Whoever cannot read an entry empties the cache, so that the next one is served."""

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin."""
        try:
            return super().get(key)
        except json.JSONDecodeError:
            self.far.flushdb()
            raise


class NamedAlike(NamedByVersion, Deployed):
    """Both versions know which entry is in force: the origin says so."""


class Tolerant(LookAside):
    """What cannot be read is not there."""

    def get(self, key: str) -> Any:
        """Answer from Redis if it can be read, else from the origin."""
        try:
            return super().get(key)
        except json.JSONDecodeError:
            return self.origin.get(key)


sc.system("deploy.naive")(Deployed)
sc.system("deploy.flush")(FlushedAfterwards)
sc.system("deploy.flush_on_error")(FlushedAfterErrors)
sc.system("deploy.generation")(NamedAlike)
sc.system("deploy.tolerant")(Tolerant)


@sc.verb("finish_deploy")
def finish_deploy(system, _user):
    """Do what is done when the last node has the new version."""
    system.finish()
