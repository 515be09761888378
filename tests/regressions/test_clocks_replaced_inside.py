"""Clocks that a check's body replaces show code no time; those replaced before do no harm."""

import datetime
import time
from unittest import mock

import pytest

from pytest_supercache import SupercacheError, Verdict, check


class Shop:
    """Keeps a price for five seconds."""

    def __init__(self, origin):
        self.origin, self.kept, self.until = origin, None, 0.0

    def price(self):
        if time.monotonic() >= self.until:
            self.kept, self.until = self.origin.get("price"), time.monotonic() + 5
        return self.kept


def sees_a_new_price(world):
    """Fail if a user who waits longer than prices are kept sees a new one: only time shows it."""
    world.origin.restore({"price": 1})
    shop, seen = Shop(world.origin), []

    def alice():
        seen.append(shop.price())
        time.sleep(10)  # noqa: TID251 - what code under test does
        seen.append(shop.price())

    world.actor("alice", alice)
    world.actor("bob", world.origin.set, "price", 2)
    world.run()
    assert seen != [1, 2]


def told(body):
    return check(body, search="exhaustive", guarantees=[]).verdict


CLOCKS = [
    (time, "sleep"), (time, "time"), (time, "monotonic"), (time, "time_ns"), (time, "localtime"),
    (time, "clock_gettime"), (datetime, "datetime"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name"), CLOCKS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_clock_that_is_replaced_around_the_race_is_an_error(module, name):
    def body(world):
        with mock.patch.object(module, name):
            sees_a_new_price(world)

    with pytest.raises(SupercacheError, match=rf"{module.__name__}\.{name} was replaced inside"):
        told(body)


def test_one_that_stays_replaced_is_an_error_and_is_restored(monkeypatch):
    before = time.monotonic

    def body(world):
        sees_a_new_price(world)
        monkeypatch.setattr(time, "monotonic", lambda: 0.0)

    with pytest.raises(SupercacheError, match=r"time\.monotonic was replaced inside"):
        told(body)
    assert time.monotonic is before


def test_one_that_was_replaced_before_the_check_does_not_hide_time(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    assert told(sees_a_new_price) is Verdict.VIOLATED


def test_one_that_is_replaced_beside_the_race_does_no_harm():
    def body(world):
        with mock.patch("time.monotonic", return_value=0.0):
            assert time.monotonic() == 0.0
        sees_a_new_price(world)

    assert told(body) is Verdict.VIOLATED
