"""Real time, also for who is called or imported while somebody has frozen time."""

import time
from time import sleep as real_sleep  # noqa: TID251 - freezing time must not shorten this one

__all__ = ["real_seconds", "real_sleep"]

if hasattr(time, "clock_gettime"):  # freezegun leaves it alone

    def real_seconds() -> float:
        """Return the real seconds since some instant."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:
    real_seconds = time.perf_counter
