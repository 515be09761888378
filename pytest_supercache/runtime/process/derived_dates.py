"""Gives subclasses of date and time classes the real bases while time is virtual.

freezegun's substitutes have a metaclass, which conflicts with a metaclass of the user's class, and
which takes any date for an instance of a derived class. So class statements get the real classes as
bases: `today` calls `time.time`, which shows virtual time, and methods that read the system's clock
in C are overridden here.
"""

import builtins
import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.patches import Patches


@contextmanager
def derived_from_real_dates() -> Iterator[None]:
    """Replace the bases of class statements by classes without freezegun's metaclass."""
    import freezegun.api

    bases = {
        identity(freezegun.api.FakeDate): freezegun.api.real_date,
        identity(freezegun.api.FakeDatetime): _shows_virtual_time(freezegun.api.real_datetime),
    }
    with Patches() as replaced:
        replaced.put(builtins, "__build_class__", _building(builtins.__build_class__, bases))
        yield


def _building(real: Callable[..., Any], others: dict[int, Any]) -> Callable[..., Any]:
    @wraps(real)
    def build_class(body: Any, name: str, /, *bases: Any, **options: Any) -> Any:
        return real(body, name, *(others.get(identity(base), base) for base in bases), **options)

    return build_class


def _shows_virtual_time(real: type[dt.datetime]) -> type[dt.datetime]:
    """Return a subclass of ``datetime`` whose methods show virtual time, without a metaclass."""

    def now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return now(cls, dt.UTC).replace(tzinfo=None)

    methods = {"now": classmethod(now), "utcnow": classmethod(utcnow)}
    return type("datetime", (real,), {"__module__": "datetime", **methods})
