"""Virtual time for code under test: freezegun, started once per scenario, moved by the clock.

Three traps are closed here (measured in the research): freezegun's stack inspection would give real
time to code called from our frames; its list of ignored modules decides at patch time only; and our
own timings must stay real.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pytest_supercache.layers.clock import EPOCH, VirtualClock

_REAL_TIME = ["pytest_supercache.", "hypothesis.", "xdist.", "execnet.", "_pytest.", "allure"]


def clock_pairs() -> list[tuple[Any, Any]]:
    """Return freezegun's functions as (real, frozen) pairs.

    freezegun replaces the globals of modules. A clock that is a default argument or an attribute
    (``timer=time.monotonic``) is replaced by whoever walks there; outside of frozen time the frozen
    functions show the real one.
    """
    import freezegun.api

    names = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns",
             "localtime", "gmtime", "strftime")  # fmt: skip
    api = vars(freezegun.api)
    return [(api[f"real_{name}"], api[f"fake_{name}"]) for name in names]


@contextmanager
def frozen(clock: VirtualClock) -> Iterator[None]:
    """Let ``time``, ``datetime`` and all that was imported from them show ``clock``."""
    import freezegun
    import freezegun.api

    freezer = freezegun.freeze_time(EPOCH, ignore=_REAL_TIME)
    factory = freezer.start()
    # What is ignored was left unpatched just now. From here on nobody's callers are inspected:
    # code under test that our own frames call must see virtual time.
    freezegun.api.ignore_lists[-1] = ()

    def move(instant: datetime) -> None:
        factory.time_to_freeze = instant.replace(tzinfo=None)

    clock.listen(move)
    try:
        yield
    finally:
        clock.silence(move)
        freezer.stop()
