"""Holds the expiry times of entries that watched calls have stored with a TTL."""

from datetime import timedelta
from typing import Any

from pytest_supercache.layers.existing_cache import EXPIRED_AFTER


class Expiries:
    """The expiry times of one execution, by resource (``super_cache@a:product:42``)."""

    def __init__(self) -> None:
        self.at: dict[str, list[tuple[float, bool]]] = {}  # when, and whether it is a lease

    def note(self, resource: str, at: float | None, *, lease: bool) -> None:
        """Note that ``resource`` expires at ``at``; None: never.

        A write without a TTL may keep the old one, and ``place:*`` may be any key of that place:
        one deadline too many costs a tick without effect, one too few hides interleavings.
        """
        known = self.at.setdefault(resource, []) if resource.endswith(":*") else []
        if at is not None:
            known.append((at + EXPIRED_AFTER, lease))
        self.at[resource] = known

    def has_any(self, place: str) -> bool:
        """Say whether any entry of ``place`` has an expiry time."""
        return any(self.at[name] for name in self.at if name.startswith(f"{place}:"))

    def next(self, now: float, *, leases_only: bool) -> float | None:
        """Return the next expiry time after ``now``."""
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
    """Return a TTL in seconds; None when it never expires or is no duration."""
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl <= 0:
        return None
    return float(ttl)
