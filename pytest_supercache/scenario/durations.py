"""How long, as people write it: `300ms`, `2s`, `1m`, `1h`, or a number of seconds."""

import math
import re

HINT = "write 300ms, 2s, 1m, 1h or a number of seconds"
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(value: object) -> float | None:
    """Give the seconds that ``value`` means; None when it is not a duration."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and len(value) < 40 and (found := _DURATION.fullmatch(value)):
        seconds = float(found[1]) * _SECONDS[found[2]]
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
