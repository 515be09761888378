"""Locks made at import that only a tuple holds: they are controlled, and put back."""

import threading
from collections import namedtuple
from typing import Any, NamedTuple

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few


class Guard(NamedTuple):
    """A lock with a name, as a team might keep it."""

    lock: Any
    name: str


class Sub(namedtuple("Base", "lock")):
    """A named tuple with attributes beside its fields."""


class Shop:
    """Keeps its locks in an attribute of the class."""

    locks = (threading.Lock(), threading.Lock())


class Owner:
    """Keeps a lock of its own."""

    def __init__(self):
        self.lock = threading.Lock()


def _default(pair=(threading.Lock(), 1)):  # noqa: B008 - made at import, as a team might
    return pair[0]


PLAIN = (threading.Lock(),)
ALIAS = PLAIN
NESTED = ("outer", ("inner", threading.Lock()))
NAMED = Guard(threading.RLock(), "shop")
SUB = Sub(threading.Condition())
SUB.extra = 5
IN_DICT = {"a": (threading.Lock(),)}
LIST_INSIDE = ([threading.Lock()],)
OWNERS = (Owner(),)

LOCKS = {
    "a tuple": lambda: PLAIN[0],
    "one of two names": lambda: ALIAS[0],
    "a tuple in a tuple": lambda: NESTED[1][1],
    "a named tuple": lambda: NAMED.lock,
    "a subclass of one": lambda: SUB.lock,
    "a tuple in a dict": lambda: IN_DICT["a"][0],
    "a list in a tuple": lambda: LIST_INSIDE[0][0],
    "an object in a tuple": lambda: OWNERS[0].lock,
    "a tuple of a class": lambda: Shop.locks[1],
    "a default argument": _default,
}


def _counting(enter):
    def body(world):
        box = {"n": 0}

        def count():
            with enter():
                n = box["n"]
                box["n"] = n + 1

        for name in ("alice", "bob"):
            world.actor(name, count)
        world.run()
        assert box["n"] == 2

    return body


@pytest.mark.parametrize("name", few(LOCKS, 6))
def test_a_lock_that_a_tuple_holds_is_controlled_and_put_back(name):
    lock = LOCKS[name]
    real = lock()
    result = check(_counting(lock))
    assert (result.verdict, result.reasons) == (Verdict.HOLDS, ())
    assert lock() is real


def test_two_locks_of_one_tuple_are_two():
    locks = iter((0, 1) * 1_000)
    result = check(_counting(lambda: Shop.locks[next(locks)]))
    assert result.verdict is Verdict.VIOLATED


def test_a_tuple_that_is_rebuilt_is_one_for_all_its_names_and_keeps_its_attributes():
    def body(world):
        world.actor("alice", lambda: (PLAIN is ALIAS, type(SUB) is Sub, SUB.extra, NAMED.name))
        assert world.run()["alice"] == (True, True, 5, "shop")

    kept = PLAIN
    assert check(body).verdict is Verdict.HOLDS
    assert PLAIN is kept


def test_a_tuple_whose_lock_is_held_is_left_alone():
    held = PLAIN[0]

    def body(world):
        world.actor("alice", lambda: PLAIN[0] is held)
        assert world.run()["alice"]

    with held:
        assert check(body).verdict is Verdict.HOLDS
