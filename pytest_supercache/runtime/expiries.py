"""When what watched calls have written is gone: deadlines that the clock knows."""

from datetime import timedelta
from typing import Any

from pytest_supercache.layers.existing_cache import EXPIRED_AFTER


class Expiries:
    """Deadlines of one execution, by resource (``super_cache@a:product:42``)."""

    def __init__(self) -> None:
        self._at: dict[str, tuple[float, bool]] = {}

    def note(self, resource: str, at: float | None, *, lease: bool) -> None:
        """Note when ``resource`` ends; None: never. ``place:*`` is whatever is written there."""
        place = resource.removesuffix("*") if resource.endswith(":*") else None
        if at is not None:
            self._at[resource] = (at + EXPIRED_AFTER, lease)
        elif place is None:
            self._at.pop(resource, None)
        else:
            for known in [name for name in self._at if name.startswith(place)]:
                del self._at[known]

    def next(self, now: float, *, leases_only: bool) -> float | None:
        """Return the next deadline after ``now``."""
        return min(
            (at for at, lease in self._at.values() if at > now and (lease or not leases_only)),
            default=None,
        )


def seconds_of(ttl: Any) -> float | None:
    """Return a TTL in seconds; None when it never ends or is no duration."""
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl <= 0:
        return None
    return float(ttl)
