"""State in members of classes: of metaclasses, enumerations, exceptions, and tuples with names."""

import enum
import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


class _Counting(type):
    made = 0

    def __call__(cls, *arguments):
        _Counting.made += 1
        return super().__call__(*arguments)


class _Order(metaclass=_Counting):
    pass


@broken("both read the same number of the metaclass before either writes")
def a_metaclass_counts(world):
    _Counting.made = 0
    _together(world, _Order, _Order)
    assert _Counting.made == 2


@right("each makes one, and only that there are two is asked of the list")
def a_metaclass_counts_but_the_list_is_asked(world):
    made = []
    _together(world, lambda: made.append(_Order()), lambda: made.append(_Order()))
    assert len(made) == 2


class _Currency(enum.Enum):
    EURO = "EUR"

    @classmethod
    def _missing_(cls, code):
        found = object.__new__(cls)
        found._name_ = found._value_ = code
        cls._value2member_map_[code] = found
        return found


def _both_ask(world, code, other):
    asked = []
    _together(world, *(lambda code=one: asked.append(_Currency(code)) for one in (code, other)))
    return asked


@broken("both find no member of this value, and each makes one")
def an_enumeration_that_adds_a_member(world):
    one, other = _both_ask(world, "XXX", "XXX")
    assert one is other


@right("nobody adds a member of the same value")
def an_enumeration_that_adds_two_members(world):
    one, other = _both_ask(world, "XXX", "YYY")
    assert {one.value, other.value} == {"XXX", "YYY"}


@right("the member is there")
def an_enumeration_that_has_the_member(world):
    one, other = _both_ask(world, "EUR", "EUR")
    assert one is other


class _Level(enum.Enum):
    LOW = 1
    HIGH = 2

    def __init__(self, number):
        self.hits = 0


@broken("both read the same number of hits of the member before either writes")
def a_member_of_an_enum_counts(world):
    _Level.LOW.hits = 0

    def hit():
        _Level.LOW.hits += 1

    _together(world, hit, hit)
    assert _Level.LOW.hits == 2


@right("each counts on another member")
def two_members_of_an_enum_count(world):
    _Level.LOW.hits = _Level.HIGH.hits = 0

    def hit(level):
        level.hits += 1

    _together(world, lambda: hit(_Level.LOW), lambda: hit(_Level.HIGH))
    assert [level.hits for level in _Level] == [1, 1]


class _Failure(LookupError):
    def __init__(self):
        super().__init__("no price")
        self.retries = 0


@broken("both read the same number of retries of the kept exception before either writes")
def an_exception_counts(world):
    failure = _Failure()

    def retry():
        failure.retries += 1

    _together(world, retry, retry)
    assert failure.retries == 2


@right("the lock covers the read and the write")
def an_exception_counts_under_a_lock(world):
    failure, lock = _Failure(), threading.Lock()

    def retry():
        with lock:
            failure.retries += 1

    _together(world, retry, retry)
    assert failure.retries == 2


class _Point(NamedTuple):
    low: int
    high: int


@broken("both replace the same tuple, and the second loses the first's field")
def a_namedtuple_replaced(world):
    holder = SimpleNamespace(limits=_Point(0, 0))

    def change(**fields):
        holder.limits = holder.limits._replace(**fields)

    _together(world, lambda: change(low=1), lambda: change(high=1))
    assert holder.limits == (1, 1)


@right("the new tuple takes nothing from the old one")
def a_namedtuple_made_anew(world):
    holder = SimpleNamespace(limits=_Point(0, 0))

    def change():
        holder.limits = _Point(1, 1)

    _together(world, change, change)
    assert holder.limits == (1, 1)


class _Saying(type):
    """Its classes say by code what they are called and where they come from."""

    def __getattribute__(cls, name):
        if name == "price":
            _Saying.looks += 1
        return super().__getattribute__(name)

    @property
    def __module__(cls):
        return cls._where

    @property
    def __name__(cls):
        return f"{cls._where}.Goods"

    looks = 0


class _Goods(metaclass=_Saying):
    _where = "shop"
    price = 1
    sold = 0


def _sold_by_two(world, lock):
    def sell():
        with lock:
            _Goods.sold += _Goods.price

    _together(world, sell, sell)
    assert _Goods.sold == 2


@broken("both add to the same number")
def a_class_that_says_what_it_is_called(world):
    _sold_by_two(world, nullcontext())


@right("they hold one lock")
def a_class_that_says_what_it_is_called_under_a_lock(world):
    _sold_by_two(world, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
