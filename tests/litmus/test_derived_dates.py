"""Classes of dates and times that are made while time is virtual."""

import datetime
import time
import warnings

import pytest

from pytest_supercache import Verdict, check


class Meta(type):
    """A metaclass that has nothing to do with dates."""


def made(**options):
    class Day(datetime.date, **options):
        @property
        def following(self):
            return self + datetime.timedelta(days=1)

    class Moment(datetime.datetime, **options):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz)

    return Day, Moment


@pytest.mark.parametrize("options", [{}, {"metaclass": Meta}], ids=["plain", "metaclass"])
def test_a_class_that_is_made_meanwhile_is_like_one_that_was_made_before(options):
    seen = []

    def body(world):
        day, moment = made(**options)
        assert issubclass(day, datetime.date)
        assert isinstance(day(2026, 1, 2), datetime.date)
        assert not isinstance(datetime.date(2026, 1, 2), day)
        assert type(day(2026, 1, 31).following) is day

        def look():
            time.sleep(86_400)  # noqa: TID251 - what code under test does
            return day.today(), moment.now(), moment.now(datetime.UTC), moment.utcnow()

        world.actor("alice", look)
        seen.append(world.run()["alice"])

    result = check(body)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    today, now, aware, naive = seen[0]
    assert (type(today).__name__, type(now).__name__) == ("Day", "Moment")
    assert (today.isoformat(), aware.isoformat()[:19]) == ("2026-01-02", "2026-01-02T00:00:00")
    assert aware.replace(tzinfo=None) - naive < datetime.timedelta(seconds=1)
    assert now.timestamp() - aware.timestamp() < 1


def test_classes_of_dates_are_made_as_ever_when_the_check_is_over():
    build = __build_class__
    check(lambda world: (world.actor("alice", lambda: None), world.run()))
    assert __build_class__ is build
    assert made()[1].__bases__ == (datetime.datetime,)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("datetime.date", Verdict.HOLDS), ("numpy.ufunc", Verdict.VIOLATED)],
)
def test_a_module_of_c_may_find_a_stand_in_where_it_expects_a_class_of_dates(name, verdict):
    """Cython warns of it when such a module is imported, and a warning may be an error."""
    message = f"{name} size changed, may indicate binary incompatibility. Expected 32 from C header"

    def body(world):
        def import_it():
            warnings.warn(message, RuntimeWarning, stacklevel=1)

        world.actor("a", import_it)
        world.actor("b", import_it)
        world.run()

    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(body).verdict is verdict
    assert warnings.filters == before
