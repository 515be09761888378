"""Parses durations as people write them: `300ms`, `2s`, `1m`, `1h`, or a number of seconds."""

import math
import re

HINT = "write 300ms, 2s, 1m, 1h or a number of seconds; at most 100 years"
SECONDS_MAX = 100 * 366 * 24 * 3600.0
"""The longest duration: the virtual clock has dates, and those of Python end with the year 9999."""
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(value: object) -> float | None:
    """Return the seconds that ``value`` means; None if it is not a duration."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and len(value) < 40 and (found := _DURATION.fullmatch(value)):
        seconds = float(found[1]) * _SECONDS[found[2]]
    return seconds if 0 <= seconds <= SECONDS_MAX else None
