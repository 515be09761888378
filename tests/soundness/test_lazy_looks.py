"""Looks that come later than they are written, or through syntax of their own."""

import enum
import itertools
import operator
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


class Listeners:
    """Each adds what it is worth."""

    def __init__(self):
        self.listeners = [1, 2]

    def by_number(self):
        return sum(value for _, value in enumerate(self.listeners))

    def by_pairs(self):
        total = 0
        for one, value in zip(itertools.repeat(1), self.listeners, strict=False):
            total += one * value
        return total

    def by_map(self):
        values = map(operator.neg, self.listeners)
        return -sum(value for value in values)

    def by_chain(self):
        return sum(value for value in itertools.chain(self.listeners, ()))

    def handed_on(self):
        yield from self.listeners

    def by_yield_from(self):
        return sum(value for value in self.handed_on())

    def by_copy(self):
        return sum(value for value in list(self.listeners))

    def leave(self):
        self.listeners.remove(1)


def _all_or_all_but_the_one_that_left(world, sum_up):
    listeners = Listeners()
    answers = _both(world, lambda: sum_up(listeners), listeners.leave)
    assert answers["first"] in {3, 2}


@broken("the first has had 1 when it is removed: 2 moves to its place and is passed over")
def listeners_with_their_numbers(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_number)


@broken("the first has had 1 when it is removed: 2 moves to its place and is passed over")
def listeners_in_pairs(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_pairs)


@broken("the first has had 1 when it is removed: 2 moves to its place and is passed over")
def listeners_through_a_map(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_map)


@broken("the first has had 1 when it is removed: 2 moves to its place and is passed over")
def listeners_in_a_chain(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_chain)


@broken("the first has had 1 when it is removed: 2 moves to its place and is passed over")
def listeners_handed_on_by_yield_from(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_yield_from)


@right("the list is copied in one operation")
def listeners_in_a_copy(world):
    _all_or_all_but_the_one_that_left(world, Listeners.by_copy)


@dataclass
class Breaker:
    state: str = "closed"
    reason: str = ""
    failures: list = field(default_factory=list)

    def open(self, reason):
        self.state = "open"
        self.reason = reason

    def open_in_order(self, reason):
        self.reason = reason
        self.state = "open"


def _explained(breaker):
    match breaker:
        case Breaker(state="open", reason=""):
            return False
        case _:
            return True


@broken("the pattern is matched when the breaker is open and has no reason yet")
def a_breaker_matched_by_its_class(world):
    breaker = Breaker()
    assert _both(world, lambda: breaker.open("full"), lambda: _explained(breaker))["second"]


@right("the reason is there before the breaker is open")
def a_breaker_opened_in_order(world):
    breaker = Breaker()

    def move():
        return breaker.open_in_order("full")

    assert _both(world, move, lambda: _explained(breaker))["second"]


class Limits:
    current = MappingProxyType({"low": 1, "high": 2})


class Mine(Limits):
    def spread(self):
        return super().current["high"] - super().current["low"]

    def spread_at_once(self):
        current = super().current
        return current["high"] - current["low"]


def _raise_limits():
    Limits.current = {"low": 11, "high": 12}


@broken("the attribute of the class above is replaced between the two reads of it")
def limits_read_twice_from_the_class_above(world):
    Limits.current = {"low": 1, "high": 2}
    assert _both(world, _raise_limits, Mine().spread)["second"] == 1


@right("the attribute of the class above is read once")
def limits_read_once_from_the_class_above(world):
    Limits.current = {"low": 1, "high": 2}
    assert _both(world, _raise_limits, Mine().spread_at_once)["second"] == 1


def _gentle():
    return "gentle"


def _strict():
    return "strict"


policy = _gentle


def _replace_policy():
    global policy
    policy = _strict


@broken("the global is another function at the second call")
def a_policy_called_twice(world):
    global policy
    policy = _gentle
    assert _both(world, _replace_policy, lambda: policy() == policy())["second"]


@right("the global is read once and called twice")
def a_policy_read_once(world):
    global policy
    policy = _gentle

    def look():
        mine = policy
        return mine() == mine()

    assert _both(world, _replace_policy, look)["second"]


class Checker:
    check = staticmethod(_gentle)


def _replace_check():
    Checker.check = staticmethod(_strict)


@broken("the method of the class is another one at the second call")
def a_method_replaced_between_two_calls(world):
    Checker.check = staticmethod(_gentle)
    checker = Checker()

    def look():
        return checker.check() == checker.check()

    assert _both(world, _replace_check, look)["second"]


@broken("the number is imported into the function before and after it is raised")
def a_global_imported_in_the_function(world):
    global limit
    limit = 1

    def look():
        from tests.soundness.test_lazy_looks import limit

        before = limit

        from tests.soundness.test_lazy_looks import limit

        return before == limit

    assert _both(world, _raise_limit, look)["second"]


limit = 1


def _raise_limit():
    global limit
    limit = 2


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"

    def __init__(self, _label):
        self.used = 0


@broken("both read the count of the member before either writes it")
def a_count_on_a_member_of_an_enumeration(world):
    Level.LOW.used = 0

    def use():
        Level.LOW.used += 1

    _both(world, use, use)
    assert Level.LOW.used == 2


@right("each counts on a member of its own")
def a_count_on_two_members_of_an_enumeration(world):
    Level.LOW.used = Level.HIGH.used = 0

    def use(level):
        level.used += 1

    _both(world, lambda: use(Level.LOW), lambda: use(Level.HIGH))
    assert (Level.LOW.used, Level.HIGH.used) == (1, 1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
