"""Fills that come too late: what a reader has loaded is stored although it was changed since."""

import json
import time
from itertools import count
from typing import Any

from redis.exceptions import WatchError

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers
from scenarios.conflicts.lookaside import LookAside

LIFE_SECONDS = 30
LEASE_SECONDS = 10
DELAY_SECONDS = 0.5
LONGER_SECONDS = 5


class ShortLived(LookAside):
    """Entries end by themselves, so that nothing stays wrong for ever."""

    def fill(self, key: str, value: Any) -> None:
        """Keep what was loaded, for half a minute."""
        self.far.set(key, json.dumps(value), ex=LIFE_SECONDS)


class Leased(LookAside):
    """A miss takes a lease, a change voids it, and only a leased fill is stored."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.leases = (f"{layers.node}-{number}" for number in count(1))

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin, and keep the answer if still allowed."""
        lease = next(self.leases)
        with self.far.pipeline() as transaction:
            transaction.get(key)
            transaction.set(f"{key}/lease", lease, ex=LEASE_SECONDS)
            text = transaction.execute()[0]
        if text is not None:
            return json.loads(text)
        value = self.origin.get(key)
        self.fill_leased(key, value, lease)
        return value

    def fill_leased(self, key: str, value: Any, lease: str) -> None:
        """Keep what was loaded, unless the lease is void."""
        with self.far.pipeline() as transaction:
            transaction.watch(f"{key}/lease")
            if transaction.get(f"{key}/lease") != lease:
                return
            transaction.multi()
            transaction.set(key, json.dumps(value))
            try:
                transaction.execute()
            except WatchError:
                return

    def set(self, key: str, value: Any) -> None:
        """Commit, then delete the entry and void leases."""
        self.origin.set(key, value)
        self.far.delete(key, f"{key}/lease")


class DeletesFirst(LookAside):
    """A write deletes the entry, then commits."""

    def set(self, key: str, value: Any) -> None:
        """Delete, then commit."""
        self.far.delete(key)
        self.origin.set(key, value)


class DeletesAround(LookAside):
    """A write deletes the entry before it commits and after."""

    def set(self, key: str, value: Any) -> None:
        """Delete, commit, delete."""
        self.far.delete(key)
        self.origin.set(key, value)
        self.far.delete(key)


class DeletesLater(LookAside):
    """The second delete comes when slow readers should have finished."""

    delay = DELAY_SECONDS

    def set(self, key: str, value: Any) -> None:
        """Delete, commit, and delete again later."""
        self.far.delete(key)
        self.origin.set(key, value)
        time.sleep(self.delay)
        self.far.delete(key)


class DeletesMuchLater(DeletesLater):
    """The second delete comes when very slow readers should have finished."""

    delay = LONGER_SECONDS


class Deletes(LookAside):
    """Absence is not kept; a deletion commits and then deletes the entry."""

    life: int | None = None

    def fill(self, key: str, value: Any) -> None:
        """Keep what there is."""
        if value is not None:
            self.far.set(key, json.dumps(value), ex=self.life)

    def delete(self, key: str) -> None:
        """Remove from the origin, then from the cache."""
        self.origin.delete(key)
        self.far.delete(key)


class DeletesShortLived(Deletes):
    """Entries end by themselves."""

    life = LIFE_SECONDS


class LeavesTombstones(Deletes):
    """A deletion leaves a mark that no fill replaces."""

    def fill(self, key: str, value: Any) -> None:
        """Keep what there is, unless something is there already."""
        if value is not None:
            self.far.set(key, json.dumps(value), nx=True)

    def delete(self, key: str) -> None:
        """Remove from the origin, then store its absence."""
        self.origin.delete(key)
        self.far.set(key, json.dumps(None))


class AbsenceShortLived(LookAside):
    """That there is nothing is kept for a second only."""

    def fill(self, key: str, value: Any) -> None:
        """Keep what was loaded; absence only for a moment."""
        self.far.set(key, json.dumps(value), ex=1 if value is None else None)


sc.system("fill.naive")(LookAside)
sc.system("fill.ttl")(ShortLived)
sc.system("fill.absence_ttl")(AbsenceShortLived)
sc.system("fill.lease")(Leased)
sc.system("delete.first")(DeletesFirst)
sc.system("delete.around")(DeletesAround)
sc.system("delete.later")(DeletesLater)
sc.system("delete.much_later")(DeletesMuchLater)
sc.system("remove.naive")(Deletes)
sc.system("remove.ttl")(DeletesShortLived)
sc.system("remove.tombstone")(LeavesTombstones)
