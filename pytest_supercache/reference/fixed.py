"""The fix: a cache miss takes a lease, an invalidation voids it, and only a leased fill is stored.

After "Scaling Memcache at Facebook" (NSDI 2013, section 3.2.1), in both layers. In Redis the lease
is a key beside the entry: taken in the transaction that looked the entry up, deleted in the
transaction that deletes the entry, and watched while the fill is stored.
"""

import json
from itertools import count
from typing import Any

from redis.exceptions import WatchError

from pytest_supercache.layers.stack import NodeLayers

LEASE_SECONDS = 10


class FixedShop:
    """Discards a fill that an invalidation has overtaken."""

    def __init__(self, layers: NodeLayers) -> None:
        self._near = layers.super_cache
        self._far = layers.existing_cache.client(decode_responses=True)
        self._origin = layers.origin
        self._leases = (f"{layers.node}-{number}" for number in count(1))

    def get(self, key: str) -> Any:
        """Return the value of the nearest layer that has it; fill nearer ones if still allowed."""
        value, near_lease = self._near.get_or_lease(key)
        if near_lease is None:
            return value
        far_lease = next(self._leases)
        text = self._look_up_or_lease(key, far_lease)
        if text is not None:
            value = json.loads(text)
        else:
            value = self._origin.get(key)
            if value is None:
                return None
            self._fill(key, json.dumps(value), far_lease)
        self._near.put_leased(key, value, near_lease)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit, then invalidate both caches and void their leases."""
        self._origin.set(key, value)
        self._invalidate(key)

    def delete(self, key: str) -> None:
        """Remove from the origin, then invalidate both caches and void their leases."""
        self._origin.delete(key)
        self._invalidate(key)

    def _look_up_or_lease(self, key: str, lease: str) -> str | None:
        with self._far.pipeline() as transaction:
            transaction.get(key)
            transaction.set(_lease_of(key), lease, ex=LEASE_SECONDS)
            text: str | None = transaction.execute()[0]
        return text

    def _fill(self, key: str, text: str, lease: str) -> None:
        pipeline: Any = self._far.pipeline()  # redis-py has no types for its methods
        with pipeline as transaction:
            transaction.watch(_lease_of(key))
            if transaction.get(_lease_of(key)) != lease:
                return
            transaction.multi()
            transaction.set(key, text)
            transaction.delete(_lease_of(key))
            try:
                transaction.execute()
            except WatchError:
                return  # voided between the look and the store

    def _invalidate(self, key: str) -> None:
        with self._far.pipeline() as transaction:
            transaction.delete(key)
            transaction.delete(_lease_of(key))
            transaction.execute()
        self._near.invalidate(key)


def _lease_of(key: str) -> str:
    return f"lease:{key}"
