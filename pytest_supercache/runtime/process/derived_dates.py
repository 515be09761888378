"""Classes of dates and times that are made while time is virtual.

The stand-ins of freezegun have a metaclass, which is in the way of a metaclass that code gives its
class, and which takes any date for an instance of a derived class. So class statements get the real
classes as bases: `today` asks `time.time`, which shows virtual time, and what asks the system's
clock below Python is asked here.
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
    """Give class statements bases without freezegun's metaclass."""
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
    """Return the class of instants with methods that show virtual time; it has no metaclass."""

    def now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return now(cls, dt.UTC).replace(tzinfo=None)

    methods = {"now": classmethod(now), "utcnow": classmethod(utcnow)}
    return type("datetime", (real,), {"__module__": "datetime", **methods})
