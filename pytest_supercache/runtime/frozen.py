"""Virtual time for code under test: freezegun, started once per scenario, moved by the clock.

Three traps are closed here (measured in the research): freezegun's stack inspection would give real
time to code called from our frames; its list of ignored modules decides at patch time only; and our
own timings must stay real.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
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
    """Let ``time``, ``datetime`` and all that was imported from them show ``clock``.

    If somebody has frozen time before, it shows again what it did when this is over.
    """
    import freezegun
    import freezegun.api

    is_frozen = bool(freezegun.api.freeze_factories)  # then all is replaced, and stays so
    freezer = freezegun.freeze_time(EPOCH, ignore=_REAL_TIME)
    factory: Any = freezer.start()
    try:
        # What is ignored was left unpatched just now. From here on nobody's callers are inspected:
        # code under test that our own frames call must see virtual time.
        freezegun.api.ignore_lists[-1] = ()
        quick = None if is_frozen else _Quick(freezer, factory)

        def move(instant: datetime) -> None:
            factory.time_to_freeze = instant.replace(tzinfo=None)
            if quick is not None:
                quick.seconds = instant.timestamp()

        clock.listen(move)
        try:
            yield
        finally:
            clock.silence(move)
    finally:
        freezer.stop()


class _Quick:
    """``time.time`` and its like without freezegun's way through a date and back, at every call.

    Client libraries ask the time several times a command. Who freezes time once more, on top of
    ours, gets that time: then freezegun is asked as before.
    """

    def __init__(self, freezer: Any, factory: Any) -> None:
        self.seconds = 0.0
        for name in ("time", "monotonic", "perf_counter"):
            # What a module imported meanwhile has kept, freezegun puts back by this table.
            slow = getattr(time, name)
            stand_in = self._stand_in(slow, factory)
            freezer.reals[id(stand_in)] = freezer.reals[id(slow)]
            setattr(time, name, stand_in)

    def _stand_in(self, slow: Callable[[], float], factory: Any) -> Callable[[], float]:
        from freezegun.api import freeze_factories

        @wraps(slow)
        def show() -> float:
            is_ours = bool(freeze_factories) and freeze_factories[-1] is factory
            return self.seconds if is_ours else slow()

        return show
