"""Deadlines of what watched calls have stored with a TTL."""

from datetime import timedelta
from typing import Any

from pytest_supercache.layers.existing_cache import EXPIRED_AFTER


class Expiries:
    """Deadlines of one execution, by resource (``super_cache@a:product:42``)."""

    def __init__(self) -> None:
        self.at: dict[str, list[tuple[float, bool]]] = {}  # when, and whether that is a lease

    def note(self, resource: str, at: float | None, *, lease: bool) -> None:
        """Note when ``resource`` ends; None: never.

        Who writes without a TTL may keep the old one, and ``place:*`` may be any key there: a
        deadline too many costs a tick at which nothing happens, one too few hides orders.
        """
        known = self.at.setdefault(resource, []) if resource.endswith(":*") else []
        if at is not None:
            known.append((at + EXPIRED_AFTER, lease))
        self.at[resource] = known

    def has_any(self, place: str) -> bool:
        """Say whether something there will end."""
        return any(self.at[name] for name in self.at if name.startswith(f"{place}:"))

    def next(self, now: float, *, leases_only: bool) -> float | None:
        """Return the next deadline after ``now``."""
        if not self.at:
            return None
        return min(
            (
                at
                for deadlines in self.at.values()
                for at, lease in deadlines
                if at > now and (lease or not leases_only)
            ),
            default=None,
        )


def seconds_of(ttl: Any) -> float | None:
    """Return a TTL in seconds; None when it never ends or is no duration."""
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl <= 0:
        return None
    return float(ttl)
