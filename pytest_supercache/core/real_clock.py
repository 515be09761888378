"""Real time and sleep, also for code that runs or is imported while time is frozen."""

import time
from time import sleep as real_sleep  # noqa: TID251 - freezing time must not shorten this one

__all__ = ["real_seconds", "real_sleep"]

if hasattr(time, "clock_gettime"):
    _gettime = time.clock_gettime  # freezegun leaves it alone, and a check replaces it later

    def real_seconds() -> float:
        """Return the real seconds since some instant."""
        return _gettime(time.CLOCK_MONOTONIC)

else:
    real_seconds = time.perf_counter
